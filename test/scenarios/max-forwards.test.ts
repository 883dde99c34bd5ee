/** `Max-Forwards`: an OPTIONS that asks about a hop, and not about the origin. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

test('an OPTIONS with no hop left is answered here, one with more goes on with one less', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.end(`origin ${request.method} ${request.headers['max-forwards']}`)
  })
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })
  const ask = (method: string, value: string) =>
    node.request('/', { method, headers: { 'max-forwards': value } })
  const last = await ask('OPTIONS', '0')
  assert.equal(last.status, 204)
  assert.match(String(last.headers['allow']), /OPTIONS/)
  assert.deepEqual(origin.requests, [])
  assert.equal((await ask('OPTIONS', '1')).text, 'origin OPTIONS 0')
  assert.equal((await ask('OPTIONS', '10')).text, 'origin OPTIONS 9')
  // Of another method, or no number: it passes as it came.
  assert.equal((await ask('GET', '0')).text, 'origin GET 0')
  assert.equal((await ask('OPTIONS', 'many')).text, 'origin OPTIONS many')
  assert.equal((await ask('TRACE', '0')).status, 405)
})
