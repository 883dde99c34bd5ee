import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Origin } from '../../contract/origin.ts'
import { ask, originOf, type OriginOptions } from './testing/ask.ts'
import { namedServer, type NamedServer } from './testing/named-server.ts'
import { until } from './testing/raw-server.ts'

/** Servers by these names, and an origin over all of them that ends with the test. */
async function poolOf(
  t: TestContext,
  names: string,
  options: OriginOptions = {},
  settings: Readonly<Record<string, object>> = {},
): Promise<{ servers: NamedServer[]; origin: Origin; warnings: string[] }> {
  const servers = await Promise.all([...names].map((name) => namedServer(name)))
  const warnings: string[] = []
  const endpoints = servers.map(({ url, name }) => ({ url, name, ...settings[name] }))
  const origin = originOf(endpoints, options, { warn: (line) => warnings.push(line) })
  t.after(() => {
    origin.close()
    for (const server of servers) server.close()
  })
  return { servers, origin, warnings }
}

/** Who answers the next requests: names, or codes of errors and statuses. */
async function answersOf(origin: Origin, count: number): Promise<string> {
  const names: string[] = []
  for (let i = 0; i < count; i++) {
    const { error, head, body } = await ask(origin).over
    names.push(error?.code ?? (head!.status === 200 ? body : String(head!.status)))
  }
  return names.join('')
}

const statesOf = (origin: Origin): string =>
  origin
    .state()
    .endpoints.map(({ endpoint, state }) => `${endpoint} ${state}`)
    .join(', ')

/** No checks between those a test waits for, and none that is late. */
const CHECKS = { path: '/up', every: '20ms', timeout: '5s', healthy: 2, unhealthy: 3 }

test('the first check decides alone; after it, thresholds hold in both directions', async (t) => {
  const { servers, origin, warnings } = await poolOf(t, 'ab', { health: CHECKS, passive: false })
  const [a, b] = servers as [NamedServer, NamedServer]
  b.behaves = 500
  await until('b is down', () => statesOf(origin) === 'a up, b down')
  assert.ok(b.requests.length <= 2, `${b.requests.length} checks were needed`)
  assert.equal(await answersOf(origin, 4), 'aaaa')
  assert.match(origin.state().endpoints[1]!.reason!, /GET \/up was answered with 500/)
  assert.match(
    warnings.join('\n'),
    /the endpoint b \(127\.0\.0\.1:\d+\) is down: a check failed: GET \/up was answered with 500/,
  )
  const before = b.requests.length
  b.behaves = 204
  await until('b is up', () => statesOf(origin) === 'a up, b up')
  assert.ok(b.requests.length - before >= 2)
  assert.match(warnings.at(-1)!, /the endpoint b .* is up again/)
  assert.deepEqual([...new Set(a.requests.filter((target) => target !== '/'))], ['/up'])
  const sorted = [...(await answersOf(origin, 4)).replaceAll('204', 'b')].toSorted().join('')
  assert.equal(sorted, 'aabb')
})

test('an endpoint whose checks flap stays what it is', async (t) => {
  const { servers, origin, warnings } = await poolOf(t, 'a', { health: CHECKS })
  const [a] = servers as [NamedServer]
  await until('it was checked', () => a.requests.length > 0)
  // Two of three fail: never three in a row.
  let count = 0
  a.behaves = ({ socket }) => {
    count += 1
    socket.write(`HTTP/1.1 ${count % 3 === 0 ? 200 : 503} X\r\ncontent-length: 0\r\n\r\n`)
  }
  await until('there were many checks', () => count > 12)
  assert.equal(statesOf(origin), 'a up')
  assert.deepEqual(warnings, [])
  // Every other one fails: when it is down, never two good ones in a row.
  a.behaves = 503
  await until('it is down', () => statesOf(origin) === 'a down')
  count = 0
  a.behaves = ({ socket }) => {
    count += 1
    socket.write(`HTTP/1.1 ${count % 2 === 0 ? 200 : 503} X\r\ncontent-length: 0\r\n\r\n`)
  }
  await until('there were many checks', () => count > 12)
  assert.equal(statesOf(origin), 'a down')
})

test('a check fails that is refused, closed, garbage, late, or dripping', async (t) => {
  const late = { ...CHECKS, timeout: '60ms' }
  const { servers, origin } = await poolOf(t, 'abcd', { health: late, passive: false })
  const [a, b, c, d] = servers as [NamedServer, NamedServer, NamedServer, NamedServer]
  a.close()
  b.behaves = ({ socket }) => socket.end()
  c.behaves = ({ socket }) => socket.write('SSH-2.0-OpenSSH_9.2p1\r\n')
  d.behaves = ({ socket }) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')
    const drip = setInterval(() => socket.write('x'), 5)
    socket.on('close', () => clearInterval(drip))
  }
  await until('all are down', () => statesOf(origin) === 'a down, b down, c down, d down')
  const reasons = origin.state().endpoints.map(({ reason }) => reason!)
  assert.match(reasons[0]!, /refused the connection/)
  assert.match(reasons[1]!, /was closed before it answered/)
  assert.match(reasons[2]!, /not HTTP/)
  assert.match(reasons[3]!, /took longer than 60 ms/)
})

test('a check brings the configured host and path, on a connection of its own each time', async (t) => {
  const { servers, origin } = await poolOf(t, 'a', {
    health: { ...CHECKS, host: 'www.example.org', status: [418] },
  })
  const [a] = servers as [NamedServer]
  a.behaves = 418
  await until('it was checked twice', () => a.connections.length >= 2)
  assert.match(
    a.connections[0]!.received,
    /^GET \/up HTTP\/1\.1\r\nhost: www\.example\.org\r\nuser-agent: orla-health-check\r\n/,
  )
  assert.equal(statesOf(origin), 'a up')
  await until('the connection is closed', () => a.connections[0]!.isClosed)
})

test('when checks say that all are down, requests are refused at once with the reason; failOpen asks all the same', async (t) => {
  const closed = await poolOf(t, 'ab', { health: CHECKS })
  const open = await poolOf(t, 'ab', { health: { ...CHECKS, failOpen: true }, passive: false })
  for (const { servers, origin } of [closed, open]) {
    for (const server of servers)
      server.behaves = ({ socket, received }) =>
        socket.write(`HTTP/1.1 ${received.includes('/up') ? 503 : 200} X\r\ncontent-length: 1\r\n\r\n!`)
    await until('both are down', () => statesOf(origin) === 'a down, b down')
  }
  const { error } = await ask(closed.origin).over
  assert.equal(error?.code, 'origin-down')
  assert.equal(error.status, 503)
  assert.match(error.message, /no endpoint is up: a \(.*\) is down \(a check failed: GET \/up .* 503\); b/)
  assert.equal((await ask(open.origin).over).body, '!')
})

test('backups are asked while no other endpoint is available, and only then', async (t) => {
  const { servers, origin } = await poolOf(
    t,
    'abz',
    { health: CHECKS, passive: false },
    { z: { backup: true } },
  )
  const [a, b] = servers as [NamedServer, NamedServer]
  await until('all were checked', () => servers.every(({ requests }) => requests.length > 0))
  assert.ok(!(await answersOf(origin, 6)).includes('z'))
  a.behaves = 500
  await until('a is down', () => statesOf(origin) === 'a down, b up, z up')
  assert.equal(await answersOf(origin, 3), 'bbb')
  b.behaves = 500
  await until('b is down', () => statesOf(origin) === 'a down, b down, z up')
  assert.equal(await answersOf(origin, 3), 'zzz')
  a.behaves = 200
  await until('a is up', () => statesOf(origin) === 'a up, b down, z up')
  assert.equal(await answersOf(origin, 3), 'aaa')
})

test('an endpoint that only fails is left out, and asked again when its time is over', async (t) => {
  const { servers, origin, warnings } = await poolOf(t, 'abc', {
    passive: { failures: 2, eject: '200ms' },
    retries: { max: 0 },
  })
  const [a] = servers as [NamedServer]
  a.behaves = 503
  const first = await answersOf(origin, 12)
  assert.equal(first.split('503').length - 1, 2, first)
  assert.equal(statesOf(origin), 'a ejected, b up, c up')
  assert.match(
    warnings.join(),
    /the endpoint a .* is left out for \d+ ms: the last failure was that it answered 503/,
  )
  a.behaves = 200
  await until('it is back', () => statesOf(origin) === 'a up, b up, c up')
  assert.ok((await answersOf(origin, 6)).includes('a'))
  const sample = origin
    .samples('s')
    .find(({ name, labels }) => name.endsWith('ejections_total') && labels['endpoint'] === 'a')
  assert.equal(sample?.value, 1)
})

test('connections that fail, break or time out count; answers with other statuses do not', async (t) => {
  const refusing = await poolOf(t, 'ab', { passive: { failures: 2, eject: '1h' }, retries: { max: 0 } })
  refusing.servers[0]!.close()
  assert.equal((await answersOf(refusing.origin, 10)).split('origin-refused').length - 1, 2)

  const silent = await poolOf(t, 'ab', {
    passive: { failures: 1, eject: '1h' },
    retries: { max: 0 },
    times: { response: 30 },
  })
  silent.servers[0]!.behaves = () => {}
  assert.equal((await answersOf(silent.origin, 6)).split('origin-timeout-response').length - 1, 1)

  const missing = await poolOf(t, 'ab', { passive: { failures: 1 } })
  missing.servers[0]!.behaves = 404
  assert.equal((await answersOf(missing.origin, 10)).split('404').length - 1, 5)
})

test('where too few would be left, nobody is left out: panic', async (t) => {
  const { servers, origin, warnings } = await poolOf(t, 'abcd', {
    passive: { failures: 1, eject: '1h', panic: 0.5 },
    retries: { max: 0 },
  })
  for (const server of servers.slice(0, 3)) server.behaves = 502
  await answersOf(origin, 8)
  // With one of four left, less than half: all are asked again.
  assert.equal(statesOf(origin), 'a ejected, b ejected, c ejected, d up')
  assert.match(warnings.at(-1)!, /it is asked all the same, since too few others are left$/)
  assert.equal((await answersOf(origin, 8)).split('502').length - 1, 6)
  assert.equal(origin.samples('s').find(({ name }) => name === 'orla_origin_panic')?.value, 1)

  const lone = await poolOf(t, 'a', { passive: { failures: 1, eject: '1h' }, retries: { max: 0 } })
  lone.servers[0]!.behaves = 502
  assert.equal(await answersOf(lone.origin, 3), '502502502')
  assert.equal(statesOf(lone.origin), 'a up')
  assert.deepEqual(lone.warnings, [])
  lone.servers[0]!.behaves = 200
  assert.equal(await answersOf(lone.origin, 2), 'aa')
})

test('an endpoint that comes back takes its share little by little', async (t) => {
  const { servers, origin } = await poolOf(t, 'ab', {
    health: CHECKS,
    passive: false,
    slowStart: '1h',
  })
  const [, b] = servers as [NamedServer, NamedServer]
  await until('both are up', () => servers.every(({ requests }) => requests.length > 0))
  assert.equal([...(await answersOf(origin, 10))].filter((name) => name === 'b').length, 5)
  b.behaves = 500
  await until('b is down', () => statesOf(origin) === 'a up, b down')
  b.behaves = 200
  await until('b is up', () => statesOf(origin) === 'a up, b up')
  const answers = await answersOf(origin, 44)
  assert.equal([...answers].filter((name) => name === 'b').length, 4, answers)

  const quick = await poolOf(t, 'ab', { health: CHECKS, passive: false, slowStart: '40ms' })
  quick.servers[1]!.behaves = 500
  await until('b is down', () => statesOf(quick.origin) === 'a up, b down')
  quick.servers[1]!.behaves = 200
  await until('b is up', () => statesOf(quick.origin) === 'a up, b up')
  await new Promise((done) => setTimeout(done, 60))
  assert.equal([...(await answersOf(quick.origin, 20))].filter((name) => name === 'b').length, 10)
})

test('weights hold on the wire, and an endpoint that was named is the one that is asked', async (t) => {
  const { origin } = await poolOf(t, 'abc', {}, { a: { weight: 3 } })
  const answers = await answersOf(origin, 20)
  assert.equal([...answers].filter((name) => name === 'a').length, 12)
  assert.deepEqual(origin.endpoints, ['a', 'b', 'c'])
  for (let i = 0; i < 3; i++) assert.equal((await ask(origin, { endpoint: 'b' }).over).body, 'b')
  assert.match((await ask(origin, { endpoint: 'd' }).over).error!.message, /no endpoint "d"/)
})

test('after close nothing is checked any more', async (t) => {
  const { servers, origin } = await poolOf(t, 'a', { health: CHECKS })
  await until('it was checked', () => servers[0]!.requests.length >= 2)
  origin.close()
  await until('connections are closed', () => servers[0]!.connections.every(({ isClosed }) => isClosed))
  const count = servers[0]!.requests.length
  await new Promise((done) => setTimeout(done, 80))
  assert.equal(servers[0]!.requests.length, count)
})
