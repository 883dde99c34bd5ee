/** `bodyFilter` on a real node: piece by piece or whole, on what is stored and what comes, and when it fails. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin, startRawOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

test('units on the way of a body', async (t) => {
  const seen: { url: string; headers: Record<string, unknown> }[] = []
  const plain = 'line one é\nline two ü\n'
  const origin = await startOrigin(t, (request, response) => {
    seen.push({ url: request.url!, headers: request.headers })
    const url = new URL(request.url!, 'http://origin')
    response.setHeader('cache-control', url.pathname.startsWith('/kept') ? 'max-age=60' : 'no-store')
    response.setHeader('etag', '"v1"')
    response.setHeader('accept-ranges', 'bytes')
    response.setHeader('content-type', 'text/plain')
    const coding = url.searchParams.get('coding')
    const bytes = Number(url.searchParams.get('bytes') ?? '0')
    if (coding !== null) {
      const encode = { gzip: gzipSync, br: brotliCompressSync, zstd: zstdCompressSync }[coding]
      response.setHeader('content-encoding', coding)
      response.end(encode === undefined ? plain : encode(plain))
    } else if (url.searchParams.has('pieces')) {
      // Cut in the middle of a character.
      const body = Buffer.from(plain)
      response.write(body.subarray(0, 10))
      setTimeout(() => response.end(body.subarray(10)), 50)
    } else if (bytes > 0) {
      response.end('x'.repeat(bytes))
    } else if (url.searchParams.has('empty')) {
      response.end()
    } else {
      response.setHeader('content-length', Buffer.byteLength(plain))
      response.end(plain)
    }
  })
  const node = await startNode(t, {
    config: { edge: { debugToken: 'debug' }, sites: [{ origin: origin.url, cache: {} }] },
  })
  const remove = (name: string) => node.api('DELETE', `/v1/units/${name}`)

  await t.test('bytes are given and returned; the length goes, validators are weak', async () => {
    await node.deploy(
      'upper',
      `export default { paths: ['/bytes'],
        bodyFilter(chunk, last) {
          if (!(chunk instanceof Uint8Array)) throw new Error('no bytes')
          const out = new Uint8Array(chunk.length + (last ? 1 : 0))
          for (let i = 0; i < chunk.length; i++) out[i] = chunk[i] === 111 ? 48 : chunk[i]
          if (last) out[chunk.length] = 33
          return out
        } }`,
    )
    const answer = await node.request('/bytes')
    assert.equal(answer.text, `${plain.replaceAll('o', '0')}!`)
    const { headers } = answer
    assert.equal(headers['content-length'], undefined)
    assert.equal(headers['transfer-encoding'], 'chunked')
    assert.equal(headers.etag, 'W/"v1"')
    assert.equal(headers['accept-ranges'], undefined)
    const debug = await RawClient.connect(node.url)
    debug.send('GET /bytes HTTP/1.1\r\nhost: a\r\norla-debug: debug\r\n\r\n')
    const told = await debug.readResponse()
    assert.match(told, /\r\norla-units: upper@1 bodyFilter ahead 0us\r\n/)
    assert.match(told, /\r\n0\r\norla-units: upper@1 bodyFilter 200 \d+us\r\n\r\n$/)
    debug.close()
    const pieces = await node.request('/bytes?pieces')
    assert.equal(pieces.text, `${plain.replaceAll('o', '0')}!`)
    const empty = await node.request('/bytes?empty')
    assert.equal(empty.text, '!')
    await remove('upper')
  })

  await t.test(
    'text comes in whole characters; nothing keeps a piece, and an empty text drops it',
    async () => {
      await node.deploy(
        'text',
        `export default { paths: ['/text'], chunks: 'text',
        bodyFilter(chunk, last, request, response, edge) {
          if (typeof chunk !== 'string' || chunk.includes('\\ufffd')) throw new Error('no text')
          if (request.query.has('keep')) return
          if (request.query.has('drop')) return last ? 'end' : ''
          return chunk.replace('two', 'zwei→') + (last ? response.status + response.headers.get('content-type') : '')
        } }`,
      )
      const changed = `${plain.replace('two', 'zwei→')}200text/plain`
      assert.equal((await node.request('/text')).text, changed)
      assert.equal((await node.request('/text?pieces')).text, changed)
      assert.equal((await node.request('/text?pieces&keep')).text, plain)
      assert.equal((await node.request('/text?pieces&drop')).text, 'end')
      await remove('text')
    },
  )

  await t.test('what is stored is not filtered, and is filtered at each hit', async () => {
    await node.deploy(
      'count',
      `let n = 0
      export default { paths: ['/kept'], chunks: 'text', bodyFilter: (chunk, last) => last ? chunk + 'run ' + ++n : undefined }`,
    )
    const runs: number[] = []
    for (let i = 0; i < 3; i++) {
      const { text, headers } = await node.request('/kept')
      assert.equal(text.slice(0, plain.length), plain)
      runs.push(Number(/run (\d+)$/.exec(text)![1]))
      if (i > 0) assert.match(String(headers['cache-status']), /hit/)
    }
    assert.deepEqual(runs, [1, 2, 3])
    const match = await node.request('/kept', { headers: { 'if-none-match': 'W/"v1"' } })
    assert.deepEqual([match.status, match.headers.etag, match.text], [304, 'W/"v1"', ''])
    const head = await node.request('/kept', { method: 'HEAD' })
    assert.deepEqual(
      [head.status, head.headers['content-length'], head.headers.etag],
      [200, undefined, 'W/"v1"'],
    )
    const range = await node.request('/kept', { headers: { range: 'bytes=0-3' } })
    assert.equal(range.status, 200)
    await remove('count')
    await eventually(async () => (await node.request('/kept')).text === plain)
  })

  await t.test("units' own answers are filtered too, and several filters run by priority", async () => {
    const filter = (letter: string, priority: number) =>
      `export default { paths: ['/own*'], priority: ${priority}, chunks: 'text', bodyFilter: (chunk, last) => last ? chunk + '${letter}' : undefined }`
    await node.deploy('b-second', filter('b', 1))
    await node.deploy('a-third', filter('a', 0))
    await node.deploy('c-first', filter('c', 2))
    await node.deploy('own', `export default { paths: ['/own'], content: () => new Response('own:') }`)
    const answer = await node.request('/own')
    assert.equal(answer.text, 'own:cba')
    assert.equal((await node.request('/own-big?bytes=300000')).text, `${'x'.repeat(300_000)}cba`)
    const head = await node.request('/own', { method: 'HEAD' })
    assert.deepEqual([head.text, head.headers['content-length']], ['', undefined])
    for (const name of ['b-second', 'a-third', 'c-first', 'own']) await remove(name)
  })

  await t.test('a body is there whole up to the buffer; a longer one passes, or is refused', async () => {
    const unit = (onError: string) =>
      `export default { paths: ['/whole'], onError: '${onError}', buffer: '64kb', chunks: 'text',
        bodyFilter: (chunk, last) => chunk.length + ' ' + last }`
    await node.deploy('whole', unit('open'))
    assert.equal((await node.request('/whole?pieces')).text, `${plain.length} true`)
    assert.equal((await node.request('/whole?bytes=65536')).text, '65536 true')
    assert.equal((await node.request('/whole?bytes=65537')).text, 'x'.repeat(65_537))
    await node.deploy('whole', unit('closed'))
    const refused = await node.request('/whole?bytes=65537')
    assert.deepEqual([refused.status, refused.headers['orla-unit-error']], [503, 'whole buffer'])
    const metrics = (await node.api('GET', '/metrics')).text
    assert.match(
      metrics,
      /orla_unit_errors_total\{(?=[^}]*unit="whole")(?=[^}]*phase="bodyFilter")[^}]*reason="buffer"/,
    )
    await remove('whole')
  })

  await t.test('what came compressed is filtered as what it is', async () => {
    await node.deploy(
      'plain',
      `export default { paths: ['/coded'], chunks: 'text', bodyFilter: (chunk, last) => chunk.replace('two', 'three') }`,
    )
    for (const coding of ['gzip', 'br', 'zstd']) {
      const answer = await node.request(`/coded?coding=${coding}`, { headers: { 'accept-encoding': coding } })
      assert.equal(answer.text, plain.replace('two', 'three'), coding)
      assert.equal(answer.headers['content-encoding'], undefined)
      assert.equal(seen.at(-1)!.headers['accept-encoding'], 'identity')
    }
    // What is not known here is left alone.
    const answer = await node.request('/coded?coding=secret')
    assert.deepEqual([answer.text, answer.headers['content-encoding']], [plain, 'secret'])
    await remove('plain')
  })

  await t.test('edge.state is there from phase to phase and from piece to piece', async () => {
    await node.deploy(
      'state',
      `export default { paths: ['/state*'], chunks: 'text',
        access(request, response, edge) { edge.state.list = ['é→ü'] },
        headerFilter(request, response, edge) { edge.state.list.push(response.status); response.headers.set('x-n', String(edge.state.list.length)) },
        bodyFilter(chunk, last, request, response, edge) {
          const state = edge.state
          state.bytes = (state.bytes ?? 0) + chunk.length
          if (last) return JSON.stringify(state)
          return ''
        },
        log(request, response, edge) { edge.log('state', edge.state.bytes) } }`,
    )
    const answer = await node.request('/state?bytes=500000')
    assert.equal(answer.text, '{"list":["é→ü",200],"bytes":500000}')
    assert.equal(answer.headers['x-n'], '2')
    await node.deploy(
      'state',
      `export default { paths: ['/state*'], access(request, response, edge) { edge.state.x = 'x'.repeat(70000) } }`,
    )
    const large = await node.request('/state')
    assert.deepEqual([large.status, large.headers['orla-unit-error']], [503, 'state throw'])
    await remove('state')
  })

  await t.test('a filter that throws in the middle: the rest passes, or the connection is cut', async () => {
    const unit = (onError: string) =>
      `export default { paths: ['/middle'], onError: '${onError}',
        bodyFilter(chunk, last, request, response, edge) {
          edge.state.n = (edge.state.n ?? 0) + chunk.length
          if (edge.state.n > 200000) throw new Error('enough')
          return new Uint8Array(chunk.length).fill(121)
        } }`
    await node.deploy('middle', unit('open'))
    const { text } = await node.request('/middle?bytes=600000')
    assert.equal(text.length, 600_000)
    assert.match(text, /^y+x+$/)
    await node.deploy('middle', unit('closed'))
    const client = await RawClient.connect(node.url)
    client.send('GET /middle?bytes=600000 HTTP/1.1\r\nhost: a\r\n\r\n')
    const got = await client.readAll()
    assert.match(got, /^HTTP\/1\.1 200 /)
    assert.ok(got.length > 1000 && !got.includes('\r\n0\r\n'), 'it was cut')
    await remove('middle')
  })

  await t.test(
    'a filter that never answers is stopped by its wall limit, and the first piece is still told',
    async () => {
      const unit = (onError: string) =>
        `export default { paths: ['/never'], onError: '${onError}', limits: { wallMs: 100 }, bodyFilter: () => new Promise(() => {}) }`
      await node.deploy('never', unit('open'))
      assert.equal((await node.request('/never')).text, plain)
      await node.deploy('never', unit('closed'))
      const answer = await node.request('/never')
      assert.deepEqual([answer.status, answer.headers['orla-unit-error']], [503, 'never wall'])
      await remove('never')
    },
  )

  await t.test('a filter that answers after the client has gone harms nobody', async () => {
    await node.deploy(
      'late',
      `export default { paths: ['/late', '/kept-late'], limits: { wallMs: 5000 }, async bodyFilter(chunk) {
        await new Promise((resolve) => setTimeout(resolve, 300))
        return chunk
      } }`,
    )
    for (const path of ['/late', '/kept-late']) {
      const client = await RawClient.connect(node.url)
      client.send(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`)
      const before = seen.length
      await eventually(() => seen.length > before)
      client.close()
    }
    const answer = await node.request('/kept-late')
    assert.equal(answer.text, plain)
    await eventually(async () => {
      const metrics = (await node.api('GET', '/metrics')).text
      return /orla_unit_runs_total\{(?=[^}]*unit="late")(?=[^}]*phase="bodyFilter")[^}]*\} 3/.test(metrics)
    })
    await remove('late')
  })

  await t.test('a sandbox that dies in the middle of a body is no end of it', async () => {
    await node.deploy(
      'steady',
      `export default { paths: ['/steady'], async bodyFilter(chunk, last, request, response, edge) {
        edge.state.n = (edge.state.n ?? 0) + chunk.length
        await new Promise((resolve) => setTimeout(resolve, 20))
        if (last) return 'n=' + edge.state.n
        return ''
      } }`,
    )
    const answer = node.request('/steady?bytes=2000000')
    await new Promise((resolve) => setTimeout(resolve, 60))
    const { sandboxes } = node.processes()
    for (const pid of sandboxes) process.kill(pid, 'SIGKILL')
    assert.equal((await answer).text, 'n=2000000')
    await remove('steady')
  })
})

test('a slow client pauses the filter and the origin', async (t) => {
  let sent = 0
  const piece = Buffer.alloc(64 * 1024, 'x')
  const origin = await startRawOrigin(t, (socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${piece.length * 4096}\r\n\r\n`)
      const push = () => {
        while (sent < 4096 && socket.write(piece)) sent += 1
      }
      socket.on('drain', push)
      push()
    })
  })
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url, cache: {} }] },
    units: { pass: `export default { bodyFilter(chunk) { return chunk } }` },
  })
  const client = await RawClient.connect(node.url)
  client.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
  await client.readUntil('\r\n\r\n')
  client.socket.pause()
  let before = -1
  await eventually(async () => {
    const isStill = sent === before
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 300))
    return isStill
  })
  // Of 256 MiB some socket buffers and a piece or two have gone.
  assert.ok(sent < 512, `${sent} pieces were sent`)
  client.close()
})
