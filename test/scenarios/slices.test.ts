/** Large objects, fetched and cached in slices: what clients get, what the origin is asked, and what goes wrong on the way. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request as send } from 'node:http'
import { test } from 'node:test'
import { divisible } from '../harness/divisible-origin.ts'
import { eventually } from '../harness/eventually.ts'
import { RawClient } from '../harness/raw-client.ts'
import { SLICE, KIB, MIB, LARGE, stand, statusOf, slicesOf } from './slices.support.ts'

test('an object in slices', async (t) => {
  const { origin, node, get } = await stand(t)
  origin.objects['/large'] = divisible(LARGE)

  await t.test('is fetched slice by slice, and the next client gets it from there', async () => {
    const first = await get('/large')
    assert.equal(first.status, 200)
    assert.ok(first.body.equals(LARGE))
    assert.equal(first.headers['content-length'], String(LARGE.length))
    assert.equal(first.headers['content-range'], undefined)
    assert.equal(first.headers['accept-ranges'], 'bytes')
    assert.match(statusOf(first), /^orla; fwd=uri-miss; fwd-status=206; ttl=\d+; stored$/)
    assert.deepEqual(origin.asked.splice(0), slicesOf('/large', LARGE.length))
    const second = await get('/large')
    assert.ok(second.body.equals(LARGE))
    assert.match(statusOf(second), /^orla; hit; ttl=\d+$/)
    assert.deepEqual(origin.asked, [])
  })

  await t.test('answers ranges, also several and across slices, and HEAD', async () => {
    for (const [start, end] of [
      [0, 1],
      [SLICE - 1, SLICE + 1],
      [SLICE * 3, SLICE * 4],
      [100, LARGE.length],
      [LARGE.length - 5, LARGE.length],
    ] as const) {
      const answer = await get('/large', { range: `bytes=${start}-${end - 1}` })
      assert.equal(answer.status, 206)
      assert.equal(answer.headers['content-range'], `bytes ${start}-${end - 1}/${LARGE.length}`)
      assert.ok(answer.body.equals(LARGE.subarray(start, end)), `${start}-${end}`)
    }
    const suffix = await get('/large', { range: 'bytes=-70000' })
    assert.ok(suffix.body.equals(LARGE.subarray(-70_000)))
    const several = await get('/large', { range: `bytes=0-9,${SLICE - 5}-${SLICE + 4},-3` })
    assert.equal(several.headers['content-length'], String(several.body.length))
    const text = several.body.toString('latin1')
    for (const part of [LARGE.subarray(0, 10), LARGE.subarray(SLICE - 5, SLICE + 5), LARGE.subarray(-3)])
      assert.ok(text.includes(`\r\n\r\n${part.toString('latin1')}\r\n--`))
    const head = await get('/large', {}, 'HEAD')
    assert.equal(head.status, 200)
    assert.equal(head.headers['content-length'], String(LARGE.length))
    assert.match(statusOf(head), /hit/)
    const beyond = await get('/large', { range: `bytes=${LARGE.length}-` })
    assert.equal(beyond.status, 416)
    assert.equal(beyond.headers['content-range'], `bytes */${LARGE.length}`)
    assert.equal((await get('/large', { 'if-none-match': '"one"' })).status, 304)
    assert.equal((await get('/large', { range: 'bytes=0-0', 'if-range': '"two"' })).status, 200)
    assert.deepEqual(origin.asked, [])
    // Of this one not even the last slice is stored.
    assert.equal((await get('/large', { range: 'bytes=9000000-' })).status, 416)
    assert.deepEqual(origin.asked.splice(0), ['/large 8978432-9043967'])
  })

  await t.test(
    'RFC 9110 §13.1.5, §14.2: a part beyond the end is no answer where others are asked for, or the condition fails',
    async () => {
      const small = LARGE.subarray(0, 100)
      for (const [at, range, ifRange, status, length] of [
        [1, 'bytes=70000-,0-9', undefined, 206, 10],
        [2, 'bytes=70000-70001', '"two"', 200, 100],
        [3, 'bytes=70000-70001', '"one"', 416, undefined],
      ] as const) {
        origin.objects[`/beyond/${at}`] = divisible(small)
        // Also from the store.
        for (const _ of [1, 2]) {
          const answer = await get(`/beyond/${at}`, { range, ...(ifRange && { 'if-range': ifRange }) })
          assert.equal(answer.status, status, range)
          if (length !== undefined) assert.ok(answer.body.equals(small.subarray(0, length)), range)
        }
        origin.asked.length = 0
      }
    },
  )

  await t.test('of which a range is asked for first, is fetched where that lies', async () => {
    origin.objects['/middle'] = divisible(LARGE)
    const answer = await get('/middle', { range: `bytes=${3 * SLICE + 10}-${4 * SLICE + 9}` })
    assert.ok(answer.body.equals(LARGE.subarray(3 * SLICE + 10, 4 * SLICE + 10)))
    assert.deepEqual(origin.asked.splice(0), slicesOf('/middle', 5 * SLICE, 3))
    const rest = await get('/middle')
    assert.ok(rest.body.equals(LARGE))
    assert.equal(origin.asked.splice(0).length, 9)
    assert.match(statusOf(await get('/middle')), /hit/)
    const end = divisible(LARGE)
    origin.objects['/end'] = end
    const suffix = await get('/end', { range: 'bytes=-10' })
    assert.ok(suffix.body.equals(LARGE.subarray(-10)))
    assert.deepEqual(origin.asked.splice(0), ['/end 0-65535', '/end 655360-656359'])
  })

  await t.test('says that part of it was stored', async () => {
    origin.objects['/part'] = divisible(LARGE)
    await get('/part', { range: 'bytes=0-9' })
    const answer = await get('/part')
    assert.ok(answer.body.equals(LARGE))
    assert.match(statusOf(answer), /^orla; fwd=partial; fwd-status=206/)
    origin.asked.length = 0
  })

  await t.test('of no byte, of one, of exactly one slice, of one byte more', async () => {
    for (const size of [0, 1, SLICE - 1, SLICE, SLICE + 1, 2 * SLICE]) {
      const body = LARGE.subarray(0, size)
      const path = `/size${size}`
      origin.objects[path] = divisible(body)
      for (let i = 0; i < 3; i++) {
        const answer = await get(path)
        assert.equal(answer.status, 200, path)
        assert.ok(answer.body.equals(body), path)
        assert.equal(answer.headers['content-length'], String(size))
        if (i > 0) assert.match(statusOf(answer), /hit/, path)
      }
      const one = await get(path, { range: 'bytes=0-0' })
      assert.equal(one.status, size === 0 ? 416 : 206)
      assert.ok(origin.asked.splice(0).length <= 2, path)
    }
  })

  await t.test('goes with its address, all slices of it', async () => {
    await get('/large', {}, 'POST')
    origin.asked.length = 0
    assert.ok((await get('/large')).body.equals(LARGE))
    assert.equal(origin.asked.splice(0).length, 11)
  })

  await t.test('is asked for once, however many clients come', async () => {
    origin.objects['/many'] = divisible(LARGE)
    const answers = await Promise.all(Array.from({ length: 20 }, () => get('/many')))
    for (const answer of answers) assert.ok(answer.body.equals(LARGE))
    assert.equal(origin.asked.splice(0).length, 11)
  })

  await t.test('is asked for one slice ahead, so that its client does not wait between any two', async () => {
    origin.objects['/ahead'] = divisible(LARGE)
    const held: (() => void)[] = []
    // Each answer waits for the request behind it.
    origin.instead = (request, response) => {
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range!)![1])
      const end = Math.min(LARGE.length, start + SLICE)
      const place = `bytes ${start}-${end - 1}/${LARGE.length}`
      const fields = { 'cache-control': 'max-age=60', etag: '"a"', 'content-range': place }
      response
        .writeHead(206, { ...fields, 'content-length': end - start })
        .write(LARGE.subarray(start, end - 1))
      held.shift()?.()
      const finish = () => response.end(LARGE.subarray(end - 1, end))
      if (end < LARGE.length) held.push(finish)
      else finish()
      return true
    }
    const answer = await get('/ahead')
    origin.instead = () => false
    assert.ok(answer.body.equals(LARGE))
    assert.equal(origin.asked.splice(0).length, 11)
  })

  await t.test('stale, is asked about once and then good as a whole', async () => {
    origin.objects['/stale'] = divisible(LARGE, '"one"', 'max-age=0')
    await get('/stale')
    origin.asked.length = 0
    const answer = await get('/stale')
    assert.ok(answer.body.equals(LARGE))
    assert.match(statusOf(answer), /fwd=stale; fwd-status=304/)
    assert.deepEqual(origin.asked.splice(0), ['/stale 0-65535 if-none-match'])
    const next = randomBytes(3 * SLICE)
    origin.objects['/stale'] = divisible(next, '"two"', 'max-age=600')
    assert.ok((await get('/stale')).body.equals(next))
    assert.ok((await get('/stale')).body.equals(next))
    assert.equal(origin.asked.splice(0).length, 3)
  })

  await t.test('only-if-cached gets what is there whole, and nothing else', async () => {
    origin.objects['/only'] = divisible(LARGE)
    await get('/only', { range: 'bytes=0-9' })
    const only = { 'cache-control': 'only-if-cached' }
    assert.equal((await get('/only', { range: 'bytes=0-99', ...only })).status, 206)
    assert.equal((await get('/only', only)).status, 504)
    origin.asked.length = 0
  })
  assert.equal(node.stderr().includes('Error'), false, node.stderr())
})

test('clients that leave at any byte, or are slow, hold up nobody', async (t) => {
  const { origin, node, get } = await stand(t)
  origin.objects['/leave'] = divisible(LARGE)
  for (const bytes of [1, 100, SLICE - 1, SLICE, SLICE + 1, 5 * SLICE + 7]) {
    await get('/leave', {}, 'POST')
    await new Promise<void>((resolve, reject) => {
      const outgoing = send(`${node.url}/leave`, { agent: false }, (incoming) => {
        let read = 0
        incoming.on('data', (piece: Buffer) => {
          read += piece.length
          if (read >= bytes) incoming.destroy()
        })
        incoming.on('close', resolve)
        incoming.on('error', () => {})
      })
      outgoing.on('error', reject)
      outgoing.end()
    })
    assert.ok((await get('/leave')).body.equals(LARGE), `${bytes}`)
  }

  const big = randomBytes(12 * MIB)
  origin.objects['/slow'] = divisible(big)
  origin.asked.length = 0
  const slow = await RawClient.connect(node.url)
  slow.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  await slow.readUntil('\r\n\r\n')
  slow.socket.pause()
  // It reads nothing: so not much more is asked for than the kernel has taken for it.
  await eventually(() => origin.asked.length > 0)
  const parts = await Promise.all([0, 1, 2].map(() => get('/slow', { range: 'bytes=12000000-12000099' })))
  for (const part of parts) assert.ok(part.body.equals(big.subarray(12_000_000, 12_000_100)))
  assert.ok(origin.asked.length < 150, `${origin.asked.length}`)
  slow.socket.resume()
  const digest = createHash('sha1')
    .update(Buffer.from(await slow.readBytes(big.length), 'latin1'))
    .digest('hex')
  assert.equal(digest, createHash('sha1').update(big).digest('hex'))
})

test('64 MiB pass through a cache of 8 MB, in memory that stays small', async (t) => {
  const big = Buffer.alloc(64 * MIB, randomBytes(10_007))
  const { origin, node, get } = await stand(t, { ram: '8mb', slice: '1mb' })
  origin.objects['/big'] = divisible(big)
  const residentMib = () =>
    node
      .processes()
      .workers.map(
        (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) / KIB,
      )
      .reduce((a, b) => a + b, 0)
  const fetchAll = async () => {
    assert.ok((await get('/big')).body.equals(big))
    // Its end is still there, its beginning is not.
    assert.ok((await get('/big', { range: 'bytes=-100' })).body.equals(big.subarray(-100)))
  }
  // The first time the process takes what it needs for its pieces.
  await fetchAll()
  const before = residentMib()
  for (let i = 0; i < 3; i++) await fetchAll()
  const after = residentMib()
  assert.ok(after - before < 48, `${before} MiB before, ${after} after`)
})
