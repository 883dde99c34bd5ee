/** What a filter kept of a body goes to the client without a copy: so it has to be what it was when a slow client comes to it. */
import assert from 'node:assert/strict'
import { connect as connectHttp2 } from 'node:http2'
import { get } from 'node:http'
import type { Readable } from 'node:stream'
import { test } from 'node:test'
import { H2C_EDGE, startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

/** No two lines are alike. */
const LINES = Array.from({ length: 60_000 }, (_, n) => `line ${n} ${(n * 7919) % 10_007} word ${n}`)
const TEXT = LINES.join('\n')

async function slowly(stream: Readable): Promise<string> {
  const pieces: Buffer[] = []
  let n = 0
  for await (const piece of stream) {
    pieces.push(piece as Buffer)
    if (++n % 8 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return Buffer.concat(pieces).toString()
}

test('a body that is filtered in parts comes whole to many slow clients at a time, from origin, cache and unit', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'max-age=600' })
    response.end(TEXT)
  })
  const node = await startNode(t, {
    config: {
      edge: H2C_EDGE,
      sites: [
        { hosts: ['cached.example.org'], origin: origin.url, cache: {} },
        { hosts: ['*'], origin: origin.url },
      ],
    },
    units: {
      // One word of each piece is changed, so that most of it is kept.
      filter: `export default { limits: { cpuMs: 1000, wallMs: 60000 }, chunks: 'text',
        bodyFilter: (piece) => piece.replace('word', 'OTHER') }`,
      pass: `export default { hosts: ['passed.example.org'], limits: { cpuMs: 1000, wallMs: 60000 },
        content: () => fetch('${origin.url}/') }`,
    },
  })
  const session = connectHttp2(node.url)
  t.after(() => session.destroy())
  const one = (host: string) =>
    new Promise<string>((resolve, reject) =>
      get(`${node.url}/`, { headers: { host }, agent: false }, (answer) => resolve(slowly(answer))).on(
        'error',
        reject,
      ),
    )
  const two = (host: string) => slowly(session.request({ ':authority': host, ':path': '/' }))
  for (const host of [
    'cached.example.org',
    'cached.example.org',
    'origin.example.org',
    'passed.example.org',
  ]) {
    const answers = await Promise.all([one, two, one, two].map((ask) => ask(host)))
    for (const answer of answers) {
      assert.match(answer.slice(0, 100), /OTHER/)
      assert.ok(answer.replaceAll('OTHER', 'word') === TEXT, `${host}: not what it was`)
    }
  }
})
