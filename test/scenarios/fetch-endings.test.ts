/** How bodies end that units fetch and pass on: whatever ends first, nobody keeps the other side waiting. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:http2'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { H2C_EDGE, PATIENT, startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

const LIMITS = 'limits: { cpuMs: 1000, wallMs: 60000 }'
const passes = (origin: string, more = '') => `export default { paths: ['/pass/*'], ${LIMITS}, ${more}
  content: (request) => fetch('${origin}' + request.path) }`

test('what a unit passes on ends with whoever ends first', async (t) => {
  const open = new Map<string, ServerResponse>()
  const origin = await startOrigin(t, (request, response) => {
    open.set(request.url!, response)
    // Its head waits until the test lets it go.
    if (request.url!.includes('late')) return
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
  })
  const node = await startNode(t, {
    config: {
      edge: { ...H2C_EDGE, limits: { ...PATIENT, drain: '1s' } },
      sites: [{ origin: origin.url, compress: { types: ['text/*', 'text/event-stream'] } }],
    },
    units: {
      passes: passes(origin.url),
      upper: `export default { paths: ['/pass/upper/*'], ${LIMITS}, chunks: 'text', bodyFilter: (piece) => piece.toUpperCase() }`,
      slow: `export default { paths: ['/pass/slow/*'], ${LIMITS},
        async headerFilter(request, response, edge) { await new Promise((resolve) => setTimeout(resolve, 1000)) } }`,
      again: `export default { paths: ['/again/*'], ${LIMITS},
        async content(request) {
          const answer = await fetch('${origin.url}' + request.path)
          throw new Error('and does not pass it on') } }`,
    },
  })
  const ask = async (path: string, more = '') => {
    const client = await RawClient.connect(node.url)
    client.send(`GET ${path} HTTP/1.1\r\nhost: example.org\r\n${more}\r\n`)
    return client
  }
  const opened = (path: string) => eventually(() => open.get(path))

  await t.test(
    'a client that leaves before the head, or while a unit looks at it, ends the call',
    async () => {
      const client = await ask('/pass/late')
      const server = await opened('/pass/late')
      client.socket.resetAndDestroy()
      await eventually(async () =>
        /^orla_http_aborted_total.* 1$/m.test((await node.api('GET', '/metrics')).text),
      )
      server.writeHead(200).write('a')
      await eventually(() => server.destroyed)

      const other = await ask('/pass/slow/one')
      const call = await opened('/pass/slow/one')
      call.write('a')
      other.socket.resetAndDestroy()
      await eventually(() => call.destroyed)
    },
  )

  await t.test('a unit that fails after its fetch gives the body up', async () => {
    const client = await ask('/again/one')
    const server = await opened('/again/one')
    await eventually(() => server.destroyed)
    await client.readUntil('the unit again failed (throw)')
    client.close()
  })

  await t.test('through a filter and a coding, over HTTP/2 too, what breaks off is cut', async () => {
    const client = await ask('/pass/upper/cut', 'accept-encoding: gzip\r\n')
    const server = await opened('/pass/upper/cut')
    server.write('part')
    await client.readUntil('content-encoding: gzip\r\n')
    await client.readUntil('\r\n\r\n')
    server.socket!.destroy()
    assert.doesNotMatch(await client.readAll(), /\r\n0\r\n\r\n$/)

    const session = connect(node.url)
    const stream = session.request({ ':path': '/pass/upper/two', ':authority': 'example.org' })
    const two = await opened('/pass/upper/two')
    two.write('part')
    let text = ''
    stream.on('data', (piece) => (text += String(piece)))
    await eventually(() => text === 'PART')
    const error = new Promise((resolve) => stream.on('error', resolve))
    two.socket!.destroy()
    assert.match(String(await error), /INTERNAL_ERROR/)

    const left = session.request({ ':path': '/pass/upper/left', ':authority': 'example.org' })
    left.on('error', () => {})
    const third = await opened('/pass/upper/left')
    third.write('part')
    await new Promise((resolve) => left.once('data', resolve))
    left.close(8)
    await eventually(() => third.destroyed)
    session.destroy()
  })

  await t.test('it goes on over a deploy and the removal of its unit, and ends with the node', async () => {
    const client = await ask('/pass/events')
    const server = await opened('/pass/events')
    server.write('one')
    await client.readUntil('one')
    await node.deploy('passes', passes(origin.url, 'priority: 1,'))
    server.write('two')
    await client.readUntil('two')
    assert.equal((await node.orla('remove', 'passes')).code, 0)
    server.write('three')
    await client.readUntil('three')
    await node.stop()
    await eventually(() => server.destroyed)
    assert.doesNotMatch(client.received, /0\r\n\r\n$/)
  })
})
