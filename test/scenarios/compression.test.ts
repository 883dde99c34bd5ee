/** Compression on a real node: what is compressed, for whom, how often, and what is left alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliDecompressSync, gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

const DECODE: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: (bytes) => gunzipSync(bytes),
  br: (bytes) => brotliDecompressSync(bytes),
  zstd: (bytes) => zstdDecompressSync(bytes),
}

interface Got {
  readonly status: string
  readonly head: string
  /** Out of its framing, as it was sent. */
  readonly bytes: Buffer
  header(name: string): string | undefined
}

test('a site that compresses', async (t) => {
  const text = 'the quick brown fox jumps over the lazy dog\n'.repeat(100)
  const seen: { url: string; headers: Record<string, unknown> }[] = []
  let release: (() => void) | undefined
  const origin = await startOrigin(t, (request, response) => {
    seen.push({ url: request.url!, headers: request.headers })
    const url = new URL(request.url!, 'http://origin')
    const { searchParams } = url
    response.setHeader('content-type', searchParams.get('type') ?? 'text/html; charset=utf-8')
    response.setHeader(
      'cache-control',
      searchParams.get('control') ?? (url.pathname.startsWith('/kept') ? 'max-age=60' : 'no-store'),
    )
    response.setHeader('accept-ranges', 'bytes')
    if (searchParams.has('etag')) response.setHeader('etag', '"v1"')
    if (searchParams.has('vary')) response.setHeader('vary', searchParams.get('vary')!)
    if (searchParams.has('gzip')) {
      response.setHeader('content-encoding', 'gzip')
      response.end(gzipSync(text))
    } else if (request.headers.range !== undefined) {
      response.writeHead(206, { 'content-range': `bytes 0-9/${text.length}`, 'content-length': '2000' })
      response.end('x'.repeat(2000))
    } else if (searchParams.has('slow')) {
      response.write('first')
      release = () => void response.end('second')
    } else if (searchParams.has('pieces')) {
      response.write(text)
      response.end(text)
    } else {
      const body = searchParams.has('bytes') ? 'x'.repeat(Number(searchParams.get('bytes'))) : text
      response.setHeader('content-length', body.length)
      response.end(body)
    }
  })
  const node = await startNode(t, {
    config: {
      sites: [
        { origin: origin.url, cache: {}, compress: true },
        { hosts: ['off.example.org'], origin: origin.url, cache: {} },
        {
          hosts: ['own.example.org'],
          origin: origin.url,
          compress: { types: ['text/event-stream'], minBytes: '0b', algorithms: ['gzip'], level: 9 },
        },
      ],
    },
  })

  async function get(path: string, encoding: string | undefined, more = '', method = 'GET'): Promise<Got> {
    const client = await RawClient.connect(node.url)
    const accept = encoding === undefined ? '' : `accept-encoding: ${encoding}\r\n`
    const host = /host:/.test(more) ? '' : 'host: a\r\n'
    client.send(`${method} ${path} HTTP/1.1\r\n${host}${accept}${more}connection: close\r\n\r\n`)
    const whole = Buffer.from(await client.readAll(), 'latin1')
    const end = whole.indexOf('\r\n\r\n') + 4
    const head = whole.toString('latin1', 0, end)
    const header = (name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1]
    const rest = whole.subarray(end)
    const bytes = header('transfer-encoding') === 'chunked' ? unchunk(rest) : rest
    return { status: head.slice(9, 12), head, bytes, header }
  }

  await t.test('each coding, from the origin and from the cache', async () => {
    for (const coding of ['gzip', 'br', 'zstd']) {
      for (const path of [
        '/fresh?etag',
        `/kept?etag&c=${coding}`,
        `/kept?etag&c=${coding}`,
        '/fresh?pieces',
      ]) {
        const got = await get(path, coding)
        const expected = path.includes('pieces') ? text + text : text
        assert.equal(got.header('content-encoding'), coding, `${path} ${got.head}`)
        assert.equal(DECODE[coding]!(got.bytes).toString(), expected)
        assert.equal(got.header('vary'), 'Accept-Encoding', `${path} ${got.head}`)
        assert.equal(got.header('accept-ranges'), undefined)
        if (path.includes('etag')) assert.equal(got.header('etag'), 'W/"v1"')
      }
    }
    assert.equal(seen.at(-1)!.headers['accept-encoding'], 'identity')
  })

  await t.test('one copy from the origin serves all, compressed or not', async () => {
    const before = seen.length
    for (const encoding of [
      'gzip',
      'br',
      'zstd',
      undefined,
      'identity',
      'gzip, br',
      'nonsense;q=x',
      '*;q=0',
    ]) {
      const got = await get('/kept?one&vary=Accept-Encoding', encoding)
      const coding = got.header('content-encoding')
      const body = coding === undefined ? got.bytes : DECODE[coding]!(got.bytes)
      assert.equal(body.toString(), text)
      assert.equal(got.header('vary')!.toLowerCase(), 'accept-encoding')
      if (got.header('cache-status')!.includes('hit'))
        assert.equal(got.header('content-length'), String(got.bytes.length))
    }
    assert.equal(seen.length, before + 1)
    const again = await get('/kept?one&vary=Accept-Encoding', 'gzip')
    assert.equal(again.header('age') !== undefined, true)
  })

  await t.test('what is left alone', async () => {
    const alone = [
      '?type=image/png',
      '?bytes=1023',
      '?control=no-store,no-transform',
      '?type=text/event-stream',
      '?type=',
    ]
    for (const query of alone) {
      const got = await get(`/alone${query}`, 'gzip')
      assert.deepEqual([got.header('content-encoding'), got.header('vary')], [undefined, undefined], query)
    }
    assert.equal((await get('/edge?bytes=1024', 'gzip')).header('content-encoding'), 'gzip')
    // RFC 9111 §5.2.1.6: the client does not want its answer touched.
    assert.equal(
      (await get('/asked', 'gzip', 'cache-control: no-transform\r\n')).header('content-encoding'),
      undefined,
    )
    assert.equal((await get('/small?bytes=10', 'gzip, identity;q=0')).header('content-encoding'), 'gzip')
    assert.equal(
      (await get('/off', 'gzip', 'host: off.example.org\r\n')).header('content-encoding'),
      undefined,
    )
    assert.equal(seen.at(-1)!.headers['accept-encoding'], 'gzip')
  })

  await t.test('never twice, and not what the client cannot read', async () => {
    const twice = await get('/kept?gzip', 'gzip, br')
    assert.equal(twice.header('content-encoding'), 'gzip')
    assert.equal(gunzipSync(twice.bytes).toString(), text)
    for (let i = 0; i < 2; i++) {
      const plain = await get('/kept?gzip', 'identity')
      assert.equal(plain.header('content-encoding'), undefined)
      assert.equal(plain.bytes.toString(), text)
      const other = await get('/kept?gzip', 'br')
      assert.equal(brotliDecompressSync(other.bytes).toString(), text)
    }
  })

  await t.test('HEAD, conditions and ranges', async () => {
    await get('/kept?head&etag', 'gzip')
    const hit = await get('/kept?head&etag', 'gzip')
    const head = await get('/kept?head&etag', 'gzip', '', 'HEAD')
    assert.deepEqual(
      ['content-encoding', 'vary', 'etag', 'content-length'].map((name) => head.header(name)),
      ['gzip', 'Accept-Encoding', 'W/"v1"', hit.header('content-length')],
      head.head,
    )
    assert.equal(head.bytes.length, 0)
    const missed = await get('/fresh?etag', 'gzip', '', 'HEAD')
    assert.deepEqual(
      [missed.header('content-encoding'), missed.header('content-length')],
      ['gzip', undefined],
    )
    const match = await get('/kept?head&etag', 'gzip', 'if-none-match: W/"v1"\r\n')
    assert.deepEqual(
      [match.status, match.header('etag'), match.header('vary')],
      ['304', 'W/"v1"', 'Accept-Encoding'],
    )
    assert.equal(match.bytes.length, 0)
    const part = await get('/kept?head&etag', 'gzip', 'range: bytes=0-9\r\n')
    assert.deepEqual(
      [part.status, part.header('content-encoding'), part.bytes.length],
      ['206', undefined, 10],
    )
  })

  await t.test('pieces leave as they come', async () => {
    for (const [type, host] of [
      ['text/plain', 'a'],
      ['text/event-stream', 'own.example.org'],
    ]) {
      const client = await RawClient.connect(node.url)
      client.send(`GET /slow?slow&type=${type} HTTP/1.1\r\nhost: ${host}\r\naccept-encoding: gzip\r\n\r\n`)
      assert.match(await client.readUntil('\r\n\r\n'), /content-encoding: gzip/)
      // Two chunks at most: gzip's own head, and `first`, before the origin sends the rest.
      const size = Number.parseInt(await client.readUntil('\r\n'), 16)
      let bytes = Buffer.from((await client.readBytes(size + 2)).slice(0, -2), 'latin1')
      while (!partly(bytes).includes('first')) {
        const next = Number.parseInt(await client.readUntil('\r\n'), 16)
        bytes = Buffer.concat([bytes, Buffer.from((await client.readBytes(next + 2)).slice(0, -2), 'latin1')])
      }
      release!()
      client.close()
    }
  })

  await t.test("units' answers and filtered bodies are compressed, and headerFilter is heard", async () => {
    await node.deploy(
      'page',
      `export default { paths: ['/page*'],
        content: (request) => new Response('é'.repeat(+request.query.get('n')), { headers: { 'Content-Type': 'text/plain', 'ETag': '"u"' } }) }`,
    )
    for (const n of [2000, 20_000]) {
      const got = await get(`/page?n=${n}`, 'br')
      assert.equal(brotliDecompressSync(got.bytes).toString(), 'é'.repeat(n))
      assert.equal(got.header('etag'), 'W/"u"')
    }
    await node.deploy(
      'filter',
      `export default { paths: ['/page*', '/kept-filter'], chunks: 'text', bodyFilter: (chunk, last) => last ? chunk + 'end' : undefined,
        headerFilter(request, response) { response.headers.set('x-saw', String(response.headers.get('content-encoding'))) } }`,
    )
    const filtered = await get('/page?n=2000', 'gzip')
    assert.equal(gunzipSync(filtered.bytes).toString(), `${'é'.repeat(2000)}end`)
    for (let i = 0; i < 2; i++) {
      const kept = await get('/kept-filter', 'gzip')
      assert.equal(gunzipSync(kept.bytes).toString(), `${text}end`)
      assert.equal(kept.header('x-saw'), 'null')
    }
    await node.deploy(
      'head',
      `export default { paths: ['/kept-head'], headerFilter(request, response) { if (request.query.has('no')) response.headers.set('cache-control', 'no-transform') } }`,
    )
    await get('/kept-head', 'gzip')
    const hit = await get('/kept-head', 'gzip')
    assert.equal(gunzipSync(hit.bytes).toString(), text)
    assert.equal(hit.header('content-length'), String(hit.bytes.length))
    await get('/kept-head?no', 'gzip')
    assert.equal((await get('/kept-head?no', 'gzip')).header('content-encoding'), undefined)
  })

  await t.test('a large stored body is compressed once for all who ask at a time', async () => {
    await get('/kept?bytes=3000000', undefined)
    const all = await Promise.all(Array.from({ length: 20 }, () => get('/kept?bytes=3000000', 'zstd')))
    for (const got of all) {
      assert.equal(zstdDecompressSync(got.bytes).length, 3_000_000)
      assert.equal(got.header('content-length'), String(got.bytes.length))
    }
  })
})

function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const end = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16)
    assert.ok(end > 0 && size >= 0, 'the body is not cut')
    if (size === 0) return Buffer.concat(parts)
    parts.push(bytes.subarray(end + 2, end + 2 + size))
    at = end + 4 + size
  }
}

/** What can be read of a gzip stream so far. */
function partly(bytes: Buffer): string {
  try {
    return gunzipSync(bytes, { finishFlush: 2 }).toString()
  } catch {
    return ''
  }
}
