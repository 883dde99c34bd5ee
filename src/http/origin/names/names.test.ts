import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startDns, type Zone } from '../../../../test/harness/dns-server.ts'
import type { Origin } from '../../../contract/origin.ts'
import { ask, originOf, type OriginOptions } from '../testing/ask.ts'
import { namedServer, type NamedServer } from '../testing/named-server.ts'
import { until } from '../testing/raw-server.ts'
import { addressesInHosts } from './hosts-file.ts'

/** Servers on one port of several loopback addresses, and an origin that knows them by the name `app.example`. */
async function namedPool(
  t: TestContext,
  zone: (hosts: readonly string[]) => Zone,
  options: OriginOptions = {},
) {
  const first = await namedServer('1', { host: '127.0.0.1' })
  const servers = [first]
  for (const last of ['2', '3'])
    servers.push(await namedServer(last, { host: `127.0.0.${last}`, port: first.port }))
  const hosts = servers.map(({ name }) => `127.0.0.${name}`)
  const dns = await startDns(t, { 'app.example': zone(hosts) })
  const warnings: string[] = []
  const origin = originOf(
    [`http://app.example:${first.port}`],
    { resolver: dns.address, ...options },
    { warn: (line) => warnings.push(line) },
  )
  t.after(() => {
    origin.close()
    for (const server of servers) server.close()
  })
  return { servers, dns, origin, warnings, port: first.port }
}

const addressesOf = (origin: Origin): string =>
  origin
    .state()
    .endpoints.map(({ address, state }) => `${address.split(':')[0]} ${state}`)
    .join(', ')

test('every address of a name is an endpoint; requests that come before the answer wait for it', async (t) => {
  const { origin, port, servers } = await namedPool(t, ([one, two]) => ({ a: [one!, two!] }))
  const bodies = await Promise.all(Array.from({ length: 6 }, async () => (await ask(origin).over).body))
  assert.equal(bodies.toSorted().join(''), '111222')
  assert.match((servers[0] as NamedServer).connections[0]!.received, /\r\nhost: example\.org\r\n/)
  const { endpoint, address } = origin.state().endpoints[0]!
  assert.equal(endpoint, `http://app.example:${port}`)
  assert.equal(address, `127.0.0.1:${port}`)
})

test('a name is asked for again when its TTL has passed; what comes is used, what goes is drained', async (t) => {
  const { servers, dns, origin } = await namedPool(t, ([one]) => ({ a: [one!], ttl: 1 }))
  assert.equal((await ask(origin).over).body, '1')
  let finish = (): void => {}
  servers[0]!.behaves = ({ socket }) => {
    finish = () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate')
  }
  const slow = ask(origin)
  await until('it is under way', () => servers[0]!.requests.length === 2)
  dns.zones.set('app.example', { a: ['127.0.0.2', '127.0.0.3'], ttl: 1 })
  await until(
    'the new ones are known',
    () => addressesOf(origin) === '127.0.0.2 up, 127.0.0.3 up, 127.0.0.1 leaving',
  )
  for (let i = 0; i < 4; i++) assert.match((await ask(origin).over).body, /[23]/)
  finish()
  assert.equal((await slow.over).body, 'late')
  await until('the old connection is closed', () => servers[0]!.connections.every(({ isClosed }) => isClosed))
  assert.equal(addressesOf(origin), '127.0.0.2 up, 127.0.0.3 up')
})

test('a TTL is kept to: nobody is asked before it has passed', async (t) => {
  const { dns, origin } = await namedPool(t, ([one]) => ({ a: [one!], ttl: 3600 }))
  await ask(origin).over
  await until('both families were asked for', () => new Set(dns.questions).size === 2)
  // A resolver that does not hear in time asks again by itself: from here on it has its answers.
  const { length } = dns.questions
  for (let i = 0; i < 3; i++) await ask(origin).over
  assert.equal(dns.questions.length, length)
})

test('an empty answer, a name that is gone and a server that fails keep the last good addresses', async (t) => {
  const { dns, origin, warnings } = await namedPool(t, ([one, two]) => ({ a: [one!, two!], ttl: 1 }))
  await ask(origin).over
  for (const [zone, reason] of [
    [{ ttl: 1 }, 'ENODATA'],
    [{ fails: 3 }, 'ENOTFOUND'],
    [{ fails: 2 }, 'ESERVFAIL'],
  ] as const) {
    dns.zones.set('app.example', zone)
    await until(reason, () => origin.state().unresolved[0]?.reason === reason)
    assert.equal((await ask(origin).over).error, undefined)
    assert.equal(addressesOf(origin), '127.0.0.1 up, 127.0.0.2 up')
    assert.match(warnings.at(-1)!, new RegExp(`app\\.example .*${reason}; its last addresses stay`))
    dns.zones.set('app.example', { a: ['127.0.0.1', '127.0.0.2'], ttl: 1 })
    await until('it is well again', () => origin.state().unresolved.length === 0)
  }
  assert.equal(warnings.length, 3)
})

test('one family that fails does not take the other away, nor what was known of it', async (t) => {
  const { dns, origin } = await namedPool(t, ([one]) => ({ a: [one!], ttl: 1 }))
  await ask(origin).over
  dns.zones.set('app.example', { a: ['127.0.0.1'], aaaa: ['::1'], ttl: 1 })
  await until('it was asked again', () => dns.questions.length >= 4)
  assert.match(addressesOf(origin), /127\.0\.0\.1 up/)
})

test('a name that never had an address is an error that says so, at once once it is known', async (t) => {
  const { origin, dns } = await namedPool(t, () => ({ fails: 3 }))
  const { error } = await ask(origin).over
  assert.equal(error?.code, 'origin-unresolved')
  assert.equal(error.status, 502)
  assert.match(error.message, /http:\/\/app\.example:\d+ cannot be resolved: ENOTFOUND/)
  assert.equal((await ask(origin).over).error?.code, 'origin-unresolved')
  dns.zones.set('app.example', { a: ['127.0.0.1'] })
  await until('it is there', () => addressesOf(origin) === '127.0.0.1 up')
  assert.equal((await ask(origin).over).body, '1')
})

test('while DNS is silent, requests wait as long as a connect may take, and no longer', async (t) => {
  const { origin } = await namedPool(t, () => ({ fails: 'silent' }), { times: { connect: 80 } })
  const started = performance.now()
  const [one, two] = [ask(origin), ask(origin)]
  two.call.abort()
  const { error } = await one.over
  assert.equal(error?.code, 'origin-unresolved')
  assert.match(error.message, /no answer of DNS within 80 ms/)
  // A resolver of its own would try for longer.
  assert.ok(performance.now() - started < 20_000)
  assert.deepEqual(two.told, [])
})

test('a request that waits for DNS is served although its origin was replaced meanwhile', async (t) => {
  const { origin, servers } = await namedPool(t, ([one]) => ({ a: [one!], ttl: 1 }))
  const answer = ask(origin)
  origin.close()
  assert.equal((await answer.over).body, '1')
  await until('nothing is kept', () => servers[0]!.connections.every(({ isClosed }) => isClosed))
})

test('a request goes elsewhere when one of the addresses refuses', async (t) => {
  const { servers, origin } = await namedPool(t, (hosts) => ({ a: hosts }))
  servers[1]!.close()
  for (let i = 0; i < 6; i++) assert.match((await ask(origin, { method: 'POST' }).over).body, /[13]/)
})

test('the hosts file is read as others read it', () => {
  const text =
    '127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # me\n# 10.0.0.9 app\n10.0.0.1 App app.internal\nbad app\n'
  assert.deepEqual(addressesInHosts('localhost', text), ['127.0.0.1', '::1'])
  assert.deepEqual(addressesInHosts('app', text), ['10.0.0.1'])
  assert.deepEqual(addressesInHosts('APP.INTERNAL', text), ['10.0.0.1'])
  assert.deepEqual(addressesInHosts('me', text), [])
})
