/** Certificates from a real ACME authority (pebble) for control planes that share an engine. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { type Authority, ordersOf, serialOf, startAuthority } from '../harness/acme-authority.ts'
import { certificatesOf } from '../harness/certificates.ts'
import { startDns } from '../harness/dns-server.ts'
import { startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { redisIsMissing, startRedis } from '../harness/redis.ts'

const NAME = 'tv.example.org'
const OTHER = 'radio.example.org'
const LISTEN = ['127.0.0.1:0', { address: '127.0.0.1:0', tls: {} }]

const configFor = (pebble: Authority, names: readonly string[] = [NAME]): ConfigInput => ({
  edge: {
    listen: LISTEN,
    acme: { directory: pebble.directory, ca: pebble.ca, names: [...names] },
  },
})

test(
  'of two control planes on one engine one orders, and another goes on when that one is gone',
  { skip: redisIsMissing },
  async (t) => {
    const pebble = await startAuthority(t)
    const dns = await startDns(t, { [NAME]: { a: ['127.0.0.1'] } })
    const { url } = await startRedis(t, { appendOnly: true })
    // What one of them seals, the other opens.
    const env = { ORLA_SECRET_KEY: randomBytes(32).toString('hex') }
    const store = { kind: 'redis', url } as const
    const start = (name: string) =>
      startNode(t, { env, config: { ...configFor(pebble), node: { name }, store } })
    const [one, other] = [await start('one'), await start('other')]
    const edge = await startEdge(t, other, 'edge', {
      through: [other.control, one.control],
      config: { edge: { listen: LISTEN } },
    })
    await pebble.start(t, edge, { dns: dns.address, more: { certificateValidityPeriod: 9 } })
    const serials = new Set<string>()
    const look = async () => serials.add(await serialOf(edge, NAME))
    await eventually(look)
    // It is renewed, and once.
    await eventually(async () => {
      await look()
      return serials.size >= 2
    })
    const ordered = () => ordersOf(one) + ordersOf(other)
    await eventually(() => ordered() >= serials.size)
    assert.ok(ordered() <= serials.size + 1, `${ordered()} orders, ${serials.size} certificates seen`)
    const before = ordersOf(other)
    one.kill('SIGKILL')
    await eventually(() => ordersOf(other) > before, { what: 'the other one renews it' })
  },
)

test(
  'a control plane with another key of secrets warns, and does not order again what it cannot open',
  { skip: redisIsMissing },
  async (t) => {
    const pebble = await startAuthority(t)
    const dns = await startDns(t, { [NAME]: { a: ['127.0.0.1'] }, [OTHER]: { a: ['127.0.0.1'] } })
    const { url } = await startRedis(t, { appendOnly: true })
    const store = { kind: 'redis', url } as const
    const one = await startNode(t, { config: { ...configFor(pebble), node: { name: 'one' }, store } })
    await pebble.start(t, one, { dns: dns.address })
    const serial = await eventually(() => serialOf(one, NAME))
    const [first] = await certificatesOf(one)
    const stranger = await startNode(t, {
      config: { ...configFor(pebble, [NAME, OTHER]), node: { name: 'stranger' }, store },
      env: { ORLA_SECRET_KEY: randomBytes(32).toString('hex') },
    })
    assert.match(
      stranger.stderr(),
      /certificate\/tv\.example\.org of the store cannot be used: .*does not open with this key/,
    )
    // It comes to the second name after the first; and the authority asks the other node, which answers.
    await eventually(async () => (await serialOf(stranger, OTHER)) !== serial)
    await eventually(() => ordersOf(stranger) > 0)
    assert.equal(ordersOf(stranger), 1)
    assert.deepEqual(
      (await certificatesOf(one)).find(({ name }) => name === NAME),
      first,
    )
    assert.equal(await serialOf(one, NAME), serial)
  },
)
