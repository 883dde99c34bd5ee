/** Answers that end with their head because a unit says so: the body that still comes is waited for by nobody. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

const LIMITS = 'limits: { cpuMs: 1000, wallMs: 60000 }'

test('an answer that a unit empties ends at once, however long its body goes on', async (t) => {
  const open = new Map<string, ServerResponse>()
  const origin = await startOrigin(t, (request, response) => {
    const { host } = request.headers
    assert.equal(request.method, 'GET')
    if (request.url === '/next') {
      response.end('next')
      return
    }
    open.set(`${host}${request.url}`, response)
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'max-age=60' })
    response.write('data: one\n\n')
  })
  const names = ['early', 'late', 'early-cached', 'late-cached', 'head']
  const node = await startNode(t, {
    config: {
      edge: { limits: PATIENT },
      sites: names.map((name) => ({
        hosts: [`${name}.example.org`],
        origin: origin.url,
        ...(name.endsWith('cached') ? { cache: {} } : {}),
      })),
    },
    units: {
      early: `export default { hosts: ['early.example.org', 'early-cached.example.org'], paths: ['/events'], ${LIMITS},
        originResponse(request, response) { response.status = 204 } }`,
      late: `export default { hosts: ['late.example.org', 'late-cached.example.org'], paths: ['/events'], ${LIMITS},
        headerFilter(request, response) { response.status = 204 } }`,
      head: `export default { hosts: ['head.example.org'], ${LIMITS},
        rewrite(request) { request.method = 'GET' } }`,
    },
  })
  for (const name of names) {
    await t.test(name, async () => {
      const host = `${name}.example.org`
      const client = await RawClient.connect(node.url)
      client.send(`${name === 'head' ? 'HEAD' : 'GET'} /events HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
      const head = await client.readUntil('\r\n\r\n')
      assert.match(head, name === 'head' ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 204 /)
      assert.doesNotMatch(head, /content-length|transfer-encoding/)
      client.send(`GET /next HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
      await client.readUntil('next')
      client.close()
      // What the cache gathers goes on.
      if (name === 'late-cached') return
      await eventually(() => {
        const server = open.get(`${host}/events`)!
        if (!server.destroyed) server.write('data: more\n\n')
        return server.destroyed
      })
    })
  }
})
