/** The phases around the origin on a real node: `origin` says what is asked, `originResponse` what is kept of the answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

test('units around the origin', async (t) => {
  const seen: { url: string; method: string; headers: Record<string, unknown> }[] = []
  let cacheControl: string | undefined
  let etag: string | undefined
  const origin = await startOrigin(t, (request, response) => {
    seen.push({ url: request.url!, method: request.method!, headers: request.headers })
    if (cacheControl !== undefined) response.setHeader('cache-control', cacheControl)
    if (etag !== undefined) response.setHeader('etag', etag)
    if (etag !== undefined && request.headers['if-none-match'] === etag) {
      response.statusCode = 304
      response.end()
      return
    }
    response.end(`one ${request.method} ${request.url}`)
  })
  const other = await startOrigin(t, (request, response) => response.end(`two ${request.url}`))
  const node = await startNode(t, {
    config: {
      edge: { debugToken: 'debug' },
      sites: [
        { origin: { endpoints: [origin.url, other.url] }, cache: {} },
        { hosts: ['plain.example.org'], origin: other.url },
      ],
    },
  })
  const remove = (name: string) => node.api('DELETE', `/v1/units/${name}`)
  const first = { 'x-to': origin.url }
  await node.deploy(
    'a-choose',
    `export default { priority: -1, origin(request) {
      const to = request.headers.get('x-to')
      if (to !== null && request.endpoint === undefined) request.endpoint = to
    } }`,
  )

  await t.test('origin chooses the endpoint by URL or by host and port, and no other is asked', async () => {
    const { host } = new URL(other.url)
    for (const to of [other.url, `${other.url}/`, host]) {
      for (let i = 0; i < 3; i++) {
        const answer = await node.request('/chosen', { headers: { 'x-to': to } })
        assert.equal(answer.text, 'two /chosen')
      }
    }
    assert.equal((await node.request('/chosen', { headers: first })).text, 'one GET /chosen')
  })

  await t.test('an endpoint that is none of the site is an error that names those that are', async () => {
    await node.deploy(
      'wrong',
      `export default { paths: ['/wrong'], onError: 'closed', origin(request) { request.endpoint = 'http://10.0.0.1' } }`,
    )
    const answer = await node.request('/wrong')
    assert.equal(answer.status, 503)
    assert.equal(answer.headers['orla-unit-error'], 'wrong throw')
    await eventually(async () => {
      const detail = (await node.api('GET', '/v1/units/wrong')).text
      return detail.includes('is no endpoint of this site') && detail.includes(origin.url)
    })
    await remove('wrong')
  })

  await t.test('origin changes what is sent, and not what it is kept under', async () => {
    cacheControl = 'max-age=60'
    await node.deploy(
      'sent',
      `export default { paths: ['/sent'], origin(request) {
        request.path = '/other'
        request.query.set('key', 's3')
        request.headers.set('x-signed', 'yes')
        request.headers.delete('x-secret')
        request.headers.set('host', 'bucket.example.com')
      }, headerFilter(request, response) { response.headers.set('x-path', request.path) } }`,
    )
    const headers = { ...first, 'x-secret': '1' }
    const answer = await node.request('/sent?a=1', { headers })
    assert.equal(answer.text, 'one GET /other?a=1&key=s3')
    assert.equal(answer.headers['x-path'], '/sent')
    const sent = seen.at(-1)!
    assert.equal(sent.headers['x-signed'], 'yes')
    assert.equal(sent.headers['x-secret'], undefined)
    assert.equal(sent.headers.host, 'bucket.example.com')
    const again = await node.request('/sent?a=1', { headers })
    assert.match(String(again.headers['cache-status']), /hit/)
    assert.equal(
      (await node.request('/other?a=1&key=s3', { headers: first })).text,
      'one GET /other?a=1&key=s3',
    )
    assert.equal(seen.length, seen.indexOf(sent) + 2)
    await remove('sent')
  })

  await t.test(
    "a Response of origin stands in for the origin's, and is stored as that would be",
    async () => {
      await node.deploy(
        'stand',
        `let n = 0
      export default { paths: ['/stand*'], origin(request) {
        const cache = request.path === '/stand-kept' ? 'max-age=60' : 'no-store'
        return new Response('made ' + ++n + 'é', { status: 203, headers: { 'cache-control': cache, 'X-By': 'unit' } })
      } }`,
      )
      const before = seen.length
      const made = await node.request('/stand-kept')
      assert.deepEqual([made.status, made.headers['x-by']], [203, 'unit'])
      const kept = await node.request('/stand-kept')
      assert.equal(kept.text, made.text)
      assert.match(String(kept.headers['cache-status']), /hit/)
      const one = await node.request('/stand')
      assert.notEqual((await node.request('/stand')).text, one.text)
      const head = await node.request('/stand', { method: 'HEAD' })
      assert.deepEqual(
        [head.status, head.text, head.headers['content-length']],
        [203, '', one.headers['content-length']],
      )
      const big = await node.request('/stand', { method: 'POST', body: 'ignored' })
      assert.equal(big.status, 203)
      assert.equal(seen.length, before)
      await remove('stand')
    },
  )

  await t.test('a large stand-in comes whole', async () => {
    await node.deploy(
      'large',
      `export default { paths: ['/large'], limits: { memoryMb: 128, cpuMs: 500 }, origin: () => new Response('x'.repeat(3000000)) }`,
    )
    assert.equal((await node.request('/large')).text.length, 3_000_000)
    await remove('large')
  })

  await t.test('originResponse decides by headers whether it is stored', async () => {
    cacheControl = 'no-store'
    await node.deploy(
      'keep',
      `export default { paths: ['/keep'], originResponse(request, response, edge) {
        if (request.query.has('keep')) response.headers.set('Cache-Control', 'max-age=60')
        response.headers.append('x-seen', String(response.status) + ' ' + response.ttl)
      } }`,
    )
    const not = await node.request('/keep', { headers: first })
    assert.equal(not.headers['x-seen'], '200 0')
    assert.match(
      String((await node.request('/keep', { headers: first })).headers['cache-status']),
      /fwd=uri-miss/,
    )
    await node.request('/keep?keep', { headers: first })
    const kept = await node.request('/keep?keep', { headers: first })
    assert.match(String(kept.headers['cache-status']), /hit/)
    assert.deepEqual([kept.headers['cache-control'], kept.headers['x-seen']], ['max-age=60', '200 0'])
    await remove('keep')
  })

  await t.test('response.ttl wins over the headers, but never keeps what is for one person', async () => {
    await node.deploy(
      'ttl',
      `export default { paths: ['/ttl'], originResponse(request, response) {
        const query = request.query
        if (query.has('ttl')) response.ttl = Number(query.get('ttl'))
        if (query.has('tags')) response.tags = [...response.tags, 'news', 'page-1']
      } }`,
    )
    const isKept = async (path: string): Promise<boolean> => {
      await node.request(path, { headers: first })
      return /hit/.test(String((await node.request(path, { headers: first })).headers['cache-status']))
    }
    cacheControl = 'no-store'
    assert.equal(await isKept('/ttl?n=1'), false)
    assert.equal(await isKept('/ttl?n=1&ttl=30'), true)
    cacheControl = undefined
    assert.equal(await isKept('/ttl?n=2'), false)
    assert.equal(await isKept('/ttl?n=2&ttl=0.5'), true)
    await eventually(async () => {
      const answer = await node.request('/ttl?n=2&ttl=0.5', { headers: first })
      return !/hit/.test(String(answer.headers['cache-status']))
    })
    cacheControl = 'max-age=60'
    assert.equal(await isKept('/ttl?n=3&ttl=0'), false)
    cacheControl = 'private, max-age=60'
    assert.equal(await isKept('/ttl?n=4&ttl=30'), false)
    cacheControl = 'no-cache'
    const tagged = await node.request('/ttl?n=5&ttl=30&tags', { headers: first })
    assert.equal(tagged.headers['cache-tag'], 'news,page-1')
    assert.match(String(tagged.headers['cache-status']), /ttl=30; stored/)
    await remove('ttl')
  })

  await t.test(
    'a status that allows no body ends the answer, and one that asks for a body has a length',
    async () => {
      cacheControl = 'max-age=60'
      await node.deploy(
        'status',
        `export default { paths: ['/status*'], originResponse(request, response) { response.status = +request.path.slice(8) } }`,
      )
      for (let i = 0; i < 2; i++) {
        const empty = await node.request('/status/204', { headers: first })
        assert.deepEqual([empty.status, empty.text, empty.headers['content-length']], [204, '', undefined])
        const teapot = await node.request('/status/418', { headers: first })
        assert.deepEqual([teapot.status, teapot.text], [418, 'one GET /status/418'])
      }
      await remove('status')
    },
  )

  await t.test(
    'a response that is asked about again is seen as it came, and not as it was changed',
    async () => {
      cacheControl = 'max-age=0'
      etag = '"v1"'
      await node.deploy(
        'again',
        `export default { paths: ['/again'], originResponse(request, response) {
        response.headers.append('x-count', 'once')
        response.headers.append('x-status', String(response.status))
      } }`,
      )
      for (let i = 0; i < 4; i++) {
        const answer = await node.request('/again', { headers: first })
        assert.deepEqual(
          [answer.status, answer.text, answer.headers['x-count'], answer.headers['x-status']],
          [200, 'one GET /again', 'once', '200'],
        )
      }
      assert.equal(seen.at(-1)!.headers['if-none-match'], etag)
      await remove('again')
      etag = undefined
    },
  )

  await t.test(
    'one run for all that wait, also where the first of them has gone or the unit fails',
    async () => {
      cacheControl = 'max-age=60'
      await node.deploy(
        'slow',
        `let runs = 0
      export default { paths: ['/slow*'], onError: 'closed', async origin(request) {
        runs++
        await new Promise((resolve) => setTimeout(resolve, 300))
        if (request.path === '/slow-bad') throw new Error('no')
        request.query.set('runs', String(runs))
      } }`,
      )
      const gone = new AbortController()
      const leaving = fetch(`${node.url}/slow`, { headers: first, signal: gone.signal }).catch(() => 'gone')
      const waiting = Array.from({ length: 5 }, () => node.request('/slow', { headers: first }))
      setTimeout(() => gone.abort(), 100)
      assert.equal(await leaving, 'gone')
      for (const answer of await Promise.all(waiting))
        assert.match(answer.text, /^one GET \/slow\?runs=[12]$/)
      const failing = await Promise.all(
        Array.from({ length: 5 }, () => node.request('/slow-bad', { headers: first })),
      )
      for (const answer of failing) {
        assert.deepEqual([answer.status, answer.headers['orla-unit-error']], [503, 'slow throw'])
      }
      await remove('slow')
    },
  )

  await t.test('they fail open unless they say otherwise', async () => {
    cacheControl = 'no-store'
    await node.deploy(
      'open',
      `export default { paths: ['/open*'],
        origin(request) { request.headers.set('x-half', '1'); if (request.path === '/open-1') throw new Error('no') },
        originResponse(request, response) { response.status = 500; throw new Error('no') } }`,
    )
    const answer = await node.request('/open-1', { headers: first })
    assert.deepEqual([answer.status, answer.text], [200, 'one GET /open-1'])
    assert.equal(seen.at(-1)!.headers['x-half'], undefined)
    await remove('open')
  })

  await t.test('what passes the cache by, and a site without one, runs them too', async () => {
    await node.deploy(
      'all',
      `export default { paths: ['/all'],
        origin(request) { request.headers.set('x-unit', '1') },
        originResponse(request, response) { response.headers.set('x-saw', request.headers.get('x-unit') + request.method) } }`,
    )
    const posted = await node.request('/all', { method: 'POST', body: 'abc', headers: first })
    assert.deepEqual([posted.text, posted.headers['x-saw']], ['one POST /all', '1POST'])
    const plain = await node.request('/all', { headers: { host: 'plain.example.org' } })
    assert.deepEqual([plain.text, plain.headers['x-saw']], ['two /all', '1GET'])
    const debug = await node.request('/all', { headers: { ...first, 'orla-debug': 'debug' } })
    assert.match(
      String(debug.headers['orla-units']),
      /all@1 origin next \d+us, a-choose@1 origin next \d+us, all@1 originResponse next \d+us/,
    )
    const metrics = (await node.api('GET', '/metrics')).text
    for (const phase of ['origin', 'originResponse'])
      assert.match(
        metrics,
        new RegExp(
          `orla_unit_runs_total\\{[^}]*unit="all"[^}]*phase="${phase}"|orla_unit_runs_total\\{[^}]*phase="${phase}"[^}]*unit="all"`,
        ),
      )
    await remove('all')
  })
})
