/** Certificates from a real ACME authority (pebble) on a control plane and its edges: one orders, all of them answer and serve. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from 'node:tls'
import type { ConfigInput } from '../../src/config/schema.ts'
import { type Authority, ordersOf, serialOf, startAuthority } from '../harness/acme-authority.ts'
import { certificatesOf } from '../harness/certificates.ts'
import { startDns } from '../harness/dns-server.ts'
import { startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'

const NAME = 'tv.example.org'
const LISTEN = ['127.0.0.1:0', { address: '127.0.0.1:0', tls: {} }]

const configFor = (pebble: Authority, acme: object = {}): ConfigInput => ({
  edge: {
    listen: LISTEN,
    acme: { directory: pebble.directory, ca: pebble.ca, names: [NAME], ...acme },
  },
})

for (const challenge of ['http-01', 'tls-alpn-01'] as const) {
  test(`the authority asks an edge alone by ${challenge}, and every node serves what the control plane ordered`, async (t) => {
    const pebble = await startAuthority(t)
    const dns = await startDns(t, { [NAME]: { a: ['127.0.0.1'] } })
    const control = await startNode(t, { config: configFor(pebble, { challenge }) })
    const edges = [
      await startEdge(t, control, 'a', { config: { edge: { listen: LISTEN, workers: 2 } } }),
      await startEdge(t, control, 'b', { config: { edge: { listen: LISTEN } } }),
    ]
    const [a] = edges
    // The ports are those of the first edge: nobody else is asked.
    await pebble.start(t, a!, { dns: dns.address })
    const serial = await eventually(() => serialOf(control, NAME))
    for (const edge of edges)
      await eventually(async () => (await serialOf(edge, NAME)) === serial, { what: 'the edge serves it' })
    await eventually(() => ordersOf(control) > 0)
    assert.equal(ordersOf(control), 1)
    for (const edge of edges) {
      assert.equal(ordersOf(edge), 0)
      assert.ok(!existsSync(join(edge.folder, 'data', 'acme')))
      assert.deepEqual(
        (await certificatesOf(edge)).map(({ name, source, state }) => [name, source, state]),
        [[NAME, 'acme', 'valid']],
      )
    }
    // Challenges are over on all of them.
    for (const node of [control, ...edges])
      await eventually(async () => !(await node.api('GET', '/v1/snapshot')).text.includes('acme-challenge/'))

    // What an edge has on its disk is enough.
    await control.stop()
    await a!.stop()
    const store = { kind: 'replica', control: control.control, token: 'none' } as const
    const again = await startNode(t, {
      folder: a!.folder,
      config: { node: { name: 'a' }, store, edge: { listen: LISTEN } },
    })
    assert.equal(await serialOf(again, NAME), serial)
    await again.stop()
  })
}

test('a renewed certificate is served by every edge, without a connection dropped', async (t) => {
  const pebble = await startAuthority(t)
  const dns = await startDns(t, { [NAME]: { a: ['127.0.0.1'] } })
  const control = await startNode(t, { config: configFor(pebble) })
  const edge = await startEdge(t, control, 'a', {
    // What an edge says of ACME counts for nothing.
    config: configFor(pebble),
  })
  assert.match(edge.stderr(), /an edge orders no certificates; it takes those that http:\/\/\S+ has got/)
  await pebble.start(t, edge, { dns: dns.address, more: { certificateValidityPeriod: 9 } })
  const first = await eventually(() => serialOf(edge, NAME))
  const kept = connect({
    port: Number(new URL(edge.urls[1]!).port),
    host: '127.0.0.1',
    rejectUnauthorized: false,
  })
  await once(kept, 'secureConnect')
  const next = await eventually(async () => {
    const serial = await serialOf(edge, NAME)
    return serial !== first && serial
  })
  await eventually(async () => (await serialOf(control, NAME)) === next)
  assert.equal(ordersOf(edge), 0)
  kept.setEncoding('latin1').write(`GET / HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`)
  assert.match(String((await once(kept, 'data'))[0]), /^HTTP\/1\.1 404 /)
  kept.destroy()
})
