import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { ControlClient } from './control-client.ts'

/** A control plane that refuses so many calls with this code. */
async function stand(t: TestContext, { refusals, code }: { refusals: number; code: string }) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    if (asked.length > refusals) return void response.end('{"right":true}')
    response.writeHead(429, { 'content-type': 'application/problem+json', 'retry-after': '0' })
    response.end(JSON.stringify({ code, detail: 'wait', status: 429 }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  return { asked, client: new ControlClient(new URL(`http://127.0.0.1:${port}`), 'token') }
}

test('whoever asks too much waits, and asks again', async (t) => {
  const { asked, client } = await stand(t, { refusals: 2, code: 'too-many-requests' })
  assert.deepEqual(await client.call('PUT', '/v1/x', { body: {} }), { right: true })
  assert.deepEqual(asked, ['PUT /v1/x', 'PUT /v1/x', 'PUT /v1/x'])
})

test('some times, and not for ever', async (t) => {
  const { asked, client } = await stand(t, { refusals: 100, code: 'too-many-requests' })
  await assert.rejects(client.call('GET', '/v1/x'), { code: 'too-many-requests', message: 'wait' })
  assert.equal(asked.length, 5)
})

test('a wrong token is not sent again', async (t) => {
  const { asked, client } = await stand(t, { refusals: 1, code: 'too-many-attempts' })
  await assert.rejects(client.call('GET', '/v1/x'), { code: 'too-many-attempts' })
  assert.equal(asked.length, 1)
})
