/** What breaks off right behind its head: while the head is still held, the client can be told so in words. */
import assert from 'node:assert/strict'
import { connect } from 'node:http2'
import { test } from 'node:test'
import { askHttp2 } from '../harness/http2-client.ts'
import { H2C_EDGE, siteNamed, startNode } from '../harness/node.ts'
import { answerWith, startRawOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

/** Both in one packet. */
const BAD_CHUNK =
  'HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n'

test('a head whose body breaks off before any of it was sent becomes an error in words', async (t) => {
  const origin = await startRawOrigin(t, answerWith(BAD_CHUNK))
  const site = (name: string, more?: object) => siteNamed(name, origin.url, more)
  const node = await startNode(t, {
    config: {
      edge: H2C_EDGE,
      sites: [
        site('plain'),
        site('cached', { cache: {} }),
        site('compressed', { compress: {} }),
        site('filtered', { compress: {} }),
        site('passed'),
        site('stands-in', { cache: {} }),
      ],
    },
    units: {
      // The head waits for a call of the host, and the origin breaks off meanwhile.
      filter: `export default { hosts: ['filtered.example.org'], limits: { cpuMs: 1000, wallMs: 60000 },
        async headerFilter(request, response, edge) {
          await edge.kv.get('nothing')
          response.headers.append('x-filtered', String(response.status)) } }`,
      pass: `export default { hosts: ['passed.example.org'], limits: { cpuMs: 1000, wallMs: 60000 },
        content: () => fetch('${origin.url}/') }`,
      'stand-in': `export default { hosts: ['stands-in.example.org'], limits: { cpuMs: 1000, wallMs: 60000 },
        origin: () => fetch('${origin.url}/') }`,
    },
  })
  const session = connect(node.url)
  t.after(() => session.destroy())

  for (const [name, status] of [
    ['plain', 502],
    ['cached', 502],
    ['compressed', 502],
    ['filtered', 502],
    ['passed', 503],
    // Its unit fails open: the origin is asked.
    ['stands-in', 502],
  ] as const) {
    await t.test(`${name}, over HTTP/1.0, 1.1 and 2`, async () => {
      const authority = `${name}.example.org`
      for (const version of ['1.0', '1.1']) {
        const client = await RawClient.connect(node.url)
        client.send(
          `GET / HTTP/${version}\r\nhost: ${authority}\r\naccept-encoding: gzip\r\nconnection: close\r\n\r\n`,
        )
        const answer = await client.readAll()
        const [head, body] = answer.split('\r\n\r\n') as [string, string]
        assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), answer)
        assert.match(head, /content-length: \d+/)
        assert.doesNotMatch(head, /transfer-encoding|200 OK/)
        assert.equal(Number(/content-length: (\d+)/.exec(head)![1]), body.length)
        if (name === 'filtered') assert.match(head, /x-filtered: 502/)
        if (name === 'passed') assert.match(head, /orla-unit-error: .* throw/)
        else assert.match(head, /proxy-status: orla; error=http_protocol_error/)
      }
      const answer = await askHttp2(session, { ':authority': authority, ':path': '/' })
      assert.equal(answer.headers[':status'], status)
      assert.equal(Number(answer.headers['content-length']), answer.body.length)
    })
  }
})
