/** Authorities that were added to the system are trusted by all that connects outwards and names none of its own. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { certificateMaker } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'

test("an authority of the system's is trusted for origins, fetch, ACME and telemetry", async (t) => {
  const { cert, key } = certificateMaker(t).make('company', ['localhost', '127.0.0.1'])
  const asked = new Set<string>()
  const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
    asked.add(request.url!)
    response.end(`company saw ${request.url}`)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const node = await startNode(t, {
    // As OpenSSL is told where the system's are.
    env: { SSL_CERT_FILE: cert },
    config: {
      edge: {
        listen: ['127.0.0.1:0', { address: '127.0.0.1:0', tls: {} }],
        fetch: { allowPrivate: true },
        acme: { directory: `${url}/dir`, names: ['localhost'] },
      },
      telemetry: { otlp: { endpoint: url, metrics: { every: '1s' } } },
      sites: [{ origin: url }],
    },
    units: {
      fetching: `export default { paths: ['/unit'], content: async () => new Response(await (await fetch('${url}/fetched')).text()) }`,
    },
  })
  assert.equal((await node.request('/')).text, 'company saw /')
  assert.equal((await node.request('/unit')).text, 'company saw /fetched')
  await eventually(() => asked.has('/dir') && asked.has('/v1/metrics'))
})
