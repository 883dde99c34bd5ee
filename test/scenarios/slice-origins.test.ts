/** Origins of large objects that cannot be had in slices, or lie about them: what clients get, and what is kept. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { divisible } from '../harness/divisible-origin.ts'
import { SLICE, LARGE, stand, isCut } from './slices.support.ts'

test('what cannot be had in slices comes whole', async (t) => {
  const { origin, node, get } = await stand(t)

  await t.test('from an origin that knows no ranges', async () => {
    origin.instead = (_, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=60', etag: '"x"' }).end(LARGE)
      return true
    }
    for (let i = 0; i < 2; i++) assert.ok((await get('/plain')).body.equals(LARGE))
    const part = await get('/plain', { range: 'bytes=70000-80000' })
    assert.ok(part.body.equals(LARGE.subarray(70_000, 80_001)))
    assert.deepEqual(origin.asked.splice(0), ['/plain 0-65535'])
    origin.instead = () => false
  })

  await t.test('without a strong validator, or not for all', async () => {
    for (const [etag, control] of [
      ['W/"one"', 'max-age=60'],
      ['"one"', 'private, max-age=60'],
    ] as const) {
      const path = `/${encodeURIComponent(control)}`
      origin.objects[path] = divisible(LARGE, etag, control)
      const answer = await get(path)
      assert.equal(answer.status, 200)
      assert.ok(answer.body.equals(LARGE))
      assert.ok((await get(path, { range: 'bytes=5-9' })).body.equals(LARGE.subarray(5, 10)))
      // What was learnt the first time holds for a while.
      assert.deepEqual(origin.asked.splice(0).slice(0, 2), [`${path} 0-65535`, `${path} -`])
    }
  })

  await t.test('errors and redirects are passed on as they are', async () => {
    assert.equal((await get('/nowhere')).status, 404)
    origin.instead = (_, response) => {
      response.writeHead(302, { location: '/large' }).end()
      return true
    }
    assert.equal((await get('/moved')).status, 302)
    origin.instead = () => false
  })

  await t.test('for units that see the answer, or its body', async () => {
    origin.asked.length = 0
    const see = `originResponse(request, response) { response.headers.set('x-status', String(response.status)) }`
    await node.deploy('see', `export default { paths: ['/seen'], ${see} }`)
    const filter = `bodyFilter: () => ({ chunk: (bytes) => bytes })`
    await node.deploy('filter', `export default { paths: ['/filtered'], ${filter} }`)
    for (const path of ['/seen', '/filtered']) {
      origin.objects[path] = divisible(LARGE)
      const answer = await get(path)
      assert.equal(answer.status, 200)
      assert.ok(answer.body.equals(LARGE))
      assert.deepEqual(origin.asked.splice(0), [`${path} -`])
    }
    assert.equal((await get('/seen', { range: 'bytes=0-9' })).headers['x-status'], '200')
  })
})

test('a 304 that nobody asked for is no answer, neither to one slice nor to a range', async (t) => {
  const { origin, get } = await stand(t)
  origin.objects['/x'] = divisible(LARGE)
  origin.instead = (request, response) => {
    assert.equal(request.headers['if-none-match'], undefined)
    response.writeHead(304, { etag: '"one"', 'cache-control': 'max-age=60' }).end()
    return true
  }
  assert.equal((await get('/x')).status, 502)
  assert.equal((await get('/x', { range: 'bytes=70000-70009' })).status, 502)
  origin.instead = () => false
  assert.ok((await get('/x')).body.equals(LARGE))
})

test('origins that lie', async (t) => {
  const { origin, node, get } = await stand(t)
  const lie = (status: number, fields: Record<string, string>, body: Buffer) => {
    origin.instead = (request, response) => {
      if (request.headers.range === undefined) return false
      response.writeHead(status, { 'cache-control': 'max-age=60', etag: '"one"', ...fields }).end(body)
      return true
    }
  }
  origin.objects['/x'] = divisible(LARGE)

  await t.test('206 with another range than was asked for is not taken', async () => {
    for (const [place, body] of [
      [`bytes 1-${SLICE}/${LARGE.length}`, LARGE.subarray(1, SLICE + 1)],
      [`bytes 0-9/${LARGE.length}`, LARGE.subarray(0, 10)],
      ['bytes 0-65535/*', LARGE.subarray(0, SLICE)],
      ['nonsense', LARGE.subarray(0, SLICE)],
    ] as const) {
      lie(206, { 'content-range': place }, body)
      assert.ok((await get('/x', { 'x-case': place })).body.equals(LARGE), place)
      await get('/x', {}, 'POST')
    }
    lie(206, { 'content-type': 'multipart/byteranges; boundary=x' }, Buffer.from('--x--'))
    assert.ok((await get('/x')).body.equals(LARGE))
    origin.instead = () => false
  })

  await t.test('a slice that is too short, or too long, is cut and not stored', async () => {
    for (const bytes of [SLICE - 1, SLICE + 1]) {
      const path = `/length${bytes}`
      origin.objects[path] = divisible(LARGE)
      origin.instead = (request, response) => {
        if (request.headers.range !== `bytes=${SLICE}-${2 * SLICE - 1}`) return false
        const place = `bytes ${SLICE}-${2 * SLICE - 1}/${LARGE.length}`
        response.writeHead(206, { 'cache-control': 'max-age=60', etag: '"one"', 'content-range': place })
        response.end(LARGE.subarray(SLICE, SLICE + bytes))
        return true
      }
      await isCut(get(path))
      origin.instead = () => false
      assert.ok((await get(path)).body.equals(LARGE))
    }
  })

  await t.test('one that changes in the middle is cut, and then comes as it is by now', async () => {
    for (const how of ['tag', 'size', 'whole', 'gone', 'error'] as const) {
      const path = `/changes-${how}`
      origin.objects[path] = divisible(LARGE)
      const next = how === 'size' ? LARGE.subarray(0, 5 * SLICE) : randomBytes(LARGE.length)
      origin.instead = (request, response) => {
        if (request.headers.range !== `bytes=${2 * SLICE}-${3 * SLICE - 1}`) return false
        origin.objects[path] = divisible(next, how === 'size' ? '"one"' : '"two"')
        if (how === 'whole') response.writeHead(200, { etag: '"two"' }).end(next)
        if (how === 'gone') response.writeHead(404).end()
        if (how === 'error') response.writeHead(503).end()
        return how === 'whole' || how === 'gone' || how === 'error'
      }
      await isCut(get(path))
      origin.instead = () => false
      if (how === 'error') continue
      const after = await get(path)
      assert.ok(after.body.equals(next), how)
      assert.ok((await get(path)).body.equals(next), how)
    }
  })

  await t.test('one that breaks off in a slice cuts its client, and the next one has it whole', async () => {
    origin.objects['/breaks'] = divisible(LARGE)
    origin.instead = (request, response) => {
      if (request.headers.range !== `bytes=${SLICE}-${2 * SLICE - 1}`) return false
      const place = `bytes ${SLICE}-${2 * SLICE - 1}/${LARGE.length}`
      response.writeHead(206, {
        'cache-control': 'max-age=60',
        etag: '"one"',
        'content-range': place,
        'content-length': SLICE,
      })
      response.write(LARGE.subarray(SLICE, SLICE + 1000), () => response.destroy())
      return true
    }
    await isCut(get('/breaks'))
    origin.instead = () => false
    assert.ok((await get('/breaks')).body.equals(LARGE))
  })
  assert.equal(node.stderr().includes('TypeError'), false, node.stderr())
})
