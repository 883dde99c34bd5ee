/** The Redis of limits over all nodes that dies, stands still, refuses or forgets: limits go on here, nobody waits for it twice, and it is found again. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { decidedBy, planOf, startWorker } from '../../src/limit/cluster/cluster.support.ts'
import { certificateMaker } from '../harness/certificates.ts'
import { eventually } from '../harness/eventually.ts'
import { startFaultProxy } from '../harness/fault-proxy.ts'
import { freePort } from '../harness/ports.ts'
import {
  redisIsMissing,
  type RedisServer,
  startRedis,
  startRedisCluster,
  startReplica,
} from '../harness/redis.ts'

const HOUR_MS = 3_600_000
const rate = { algorithm: 'token-bucket', count: 10, windowMs: HOUR_MS } as const
/** Nothing of it is used up. */
const ample = { algorithm: 'fixed-window', count: 1_000_000, windowMs: HOUR_MS } as const

const AWAY =
  /^limits: Redis does not answer \(.+\): limits for all nodes are counted by this node alone until it is back$/
const BACK = 'limits: Redis answers again, and limits are counted for all nodes'

const IMPOSTORS: Readonly<Record<string, (socket: Socket) => void>> = {
  'speaks HTTP': (socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  'says OK to everything': (socket) => socket.on('data', () => socket.write('+OK\r\n')),
  'says numbers': (socket) => socket.on('data', () => socket.write(':1\r\n:2\r\n:3\r\n')),
  'says no to all but scripts, and nonsense to them': (socket) =>
    socket.on('data', (data: Buffer) => socket.write(data.includes('EVAL') ? '+OK\r\n' : '-ERR no\r\n')),
  'sends rubbish': (socket) =>
    socket.on('data', () => socket.write(Buffer.from([0, 255, 13, 10, 36, 45, 57, 13, 10, 1]))),
  'talks without being asked': (socket) => socket.write('hello\r\n'),
  'hangs up': (socket) => socket.destroy(),
  'says nothing': () => {},
}

async function stand(t: TestContext, servers: readonly RedisServer[], settings: object = {}) {
  const worker = await startWorker(t, servers, { timeout: '500ms', ...settings })
  const limiter = worker.limiter(planOf(rate))
  await worker.limits.ready()
  return { ...worker, ...limiter, by: (who: 'cluster' | 'local') => decidedBy(worker.limits, who) }
}

/** Asks again and again, a few at a time, until told to stop; the longest that one of them took. */
function underLoad(take: (key: string) => unknown, atOnce = 5) {
  let isOver = false
  let slowestMs = 0
  let decided = 0
  const loops = Array.from({ length: atOnce }, async (_, n) => {
    while (!isOver) {
      const startedMs = performance.now()
      const decision = (await take(`client ${n}`)) as { allowed: boolean }
      assert.equal(typeof decision.allowed, 'boolean')
      slowestMs = Math.max(slowestMs, performance.now() - startedMs)
      decided += 1
      // Others have their turn.
      await new Promise(setImmediate)
    }
  })
  return {
    get decided() {
      return decided
    },
    async end() {
      isOver = true
      await Promise.all(loops)
      return slowestMs
    },
  }
}

describe('the Redis of limits', { skip: redisIsMissing }, () => {
  test('one that is not there: limits are decided here from the first request on, and by all once it comes', async (t) => {
    const redis = await startRedis(t)
    await redis.kill()
    const { limits, take, lines, by } = await stand(t, [redis])
    assert.equal(limits.state, 'away')
    const decision = take('eli')
    assert.ok(!(decision instanceof Promise) && decision.allowed)
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, AWAY)
    assert.match(lines[0]!, /ECONNREFUSED/)
    await redis.start()
    await eventually(() => limits.state === 'there')
    assert.deepEqual(lines.slice(1), [BACK])
    assert.equal((await take('eli')).remaining, 9)
    assert.deepEqual([by('local'), by('cluster')], [1, 1])
  })

  test('one that is killed under load: no request fails, the counter here knows what was used, and one line a change is told', async (t) => {
    const redis = await startRedis(t)
    const { limits, take, local, lines, limiter } = await stand(t, [redis])
    for (let n = 0; n < 6; n++) await take('eli')
    assert.equal(local.taken, 6)
    const other = limiter(planOf(ample, { id: 'ample' }))
    const load = underLoad(other.take)
    for (let round = 0; round < 3; round++) {
      await redis.kill()
      await eventually(() => limits.state === 'away')
      const before = load.decided
      await eventually(() => load.decided > before + 50)
      await redis.start()
      await eventually(() => limits.state === 'there')
    }
    await load.end()
    assert.equal(lines.length, 6)
    for (const [n, line] of lines.entries())
      if (n % 2 === 0) assert.match(line, AWAY)
      else assert.equal(line, BACK)
    await redis.kill()
    await eventually(() => limits.state === 'away')
    // Ten were allowed; six of them were used while Redis counted.
    const decisions = Array.from({ length: 6 }, () => take('eli'))
    assert.deepEqual(
      decisions.map((decision) => !(decision instanceof Promise) && decision.allowed),
      [true, true, true, true, false, false],
    )
  })

  test('one that stands still: who asked waits for the time that is set, and those after it not at all', async (t) => {
    const redis = await startRedis(t)
    const { limits, take, lines, by } = await stand(t, [redis], { timeout: '200ms' })
    await take('eli')
    redis.signal('SIGSTOP')
    const startedMs = performance.now()
    const waited = await Promise.all(Array.from({ length: 50 }, () => take('eli')))
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs >= 190, `${tookMs}`)
    assert.equal(waited.filter(({ allowed }) => allowed).length, 9)
    assert.equal(by('local'), 50)
    for (let n = 0; n < 20; n++) assert.ok(!(take('eli') instanceof Promise))
    assert.equal(limits.state, 'away')
    assert.match(lines[0]!, /no answer within 200 ms/)
    redis.signal('SIGCONT')
    await eventually(() => limits.state === 'there')
    assert.ok(take('other') instanceof Promise)
  })

  test('one that is always too slow is not used, and told so once', async (t) => {
    const redis = await startRedis(t)
    const proxy = await startFaultProxy(t, { target: { port: redis.port } })
    const slow = { url: `redis://${proxy.address}` } as RedisServer
    // Some bytes of each answer come later than the time that an answer has; a connection has a second for all of it.
    proxy.set({ kind: 'slow', bytesPerSecond: 900 }, 'toClient')
    const { limits, take, lines } = await stand(t, [slow], { timeout: '10ms' })
    assert.equal(limits.state, 'away')
    assert.ok(!(take('eli') instanceof Promise))
    const attempts = proxy.counts.accepted
    await eventually(() => proxy.counts.accepted >= attempts + 2)
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /no answer within \d+ ms/)
    proxy.set({ kind: 'pass' })
    await eventually(() => limits.state === 'there')
  })

  test('connections that are cut again and again', async (t) => {
    const redis = await startRedis(t)
    const proxy = await startFaultProxy(t, { target: { port: redis.port } })
    const { limits, limiter } = await stand(t, [{ url: `redis://${proxy.address}` } as RedisServer])
    const { take } = limiter(planOf(ample, { id: 'ample' }))
    const load = underLoad(take)
    for (let round = 0; round < 5; round++) {
      proxy.cut(round % 2 === 0 ? 'reset' : 'end')
      await eventually(() => limits.state === 'away')
      await eventually(() => limits.state === 'there')
    }
    await load.end()
  })

  test('a password that is wrong, and one that is right; neither is shown', async (t) => {
    const redis = await startRedis(t, { args: ['--requirepass', 'seven seas'] })
    const { limits, take, lines } = await stand(t, [redis], { password: 'seven rivers' })
    assert.equal(limits.state, 'away')
    assert.ok(!(take('eli') instanceof Promise))
    assert.match(lines[0]!, /WRONGPASS|invalid/)
    assert.doesNotMatch(lines[0]!, /seven/)
    const none = await stand(t, [redis])
    assert.match(none.lines[0]!, /NOAUTH/)
    const right = await stand(t, [redis], { password: 'seven seas' })
    assert.deepEqual([right.limits.state, right.lines.length], ['there', 0])
  })

  test('one whose memory is full, and one that lets this user do nothing', async (t) => {
    const redis = await startRedis(t, { args: ['--maxmemory', '3mb'] })
    const { limits, take, lines } = await stand(t, [redis])
    await take('eli')
    await redis.cli('SET', 'large', 'x')
    await redis.cli('CONFIG', 'SET', 'maxmemory', '1')
    assert.equal((await take('eli')).remaining, 8)
    assert.equal(limits.state, 'away')
    assert.match(lines[0]!, /OOM/)
    await redis.cli('CONFIG', 'SET', 'maxmemory', '0')
    await eventually(() => limits.state === 'there')
    await redis.cli('ACL', 'SETUSER', 'default', '-evalsha')
    assert.equal((await take('eli')).allowed, true)
    assert.equal(limits.state, 'away')
    assert.match(lines[2]!, /NOPERM/)
    await redis.cli('ACL', 'SETUSER', 'default', '+@all')
    await eventually(() => limits.state === 'there')
  })

  test('a key that somebody else wrote makes that one decision a local one', async (t) => {
    const redis = await startRedis(t)
    const { limits, take, by } = await stand(t, [redis])
    await take('eli')
    const key = (await redis.cli('KEYS', '*')).split('\n').find((one) => !one.includes('probe'))!
    await redis.cli('DEL', key)
    await redis.cli('RPUSH', key, 'x')
    assert.equal((await take('eli')).allowed, true)
    assert.deepEqual([by('local'), limits.state], [1, 'there'])
    assert.equal((await take('other')).allowed, true)
    assert.equal(by('cluster'), 2)
  })

  for (const [what, onConnection] of Object.entries(IMPOSTORS))
    test(`what ${what} is no Redis`, async (t) => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined)
        onConnection(socket)
      })
      t.after(() => server.close())
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const { port } = server.address() as AddressInfo
      const url = `redis://127.0.0.1:${port}`
      const { limits, take, lines } = await stand(t, [{ url } as RedisServer], { timeout: '100ms' })
      assert.equal(limits.state, 'away')
      const decision = take('eli')
      assert.ok(!(decision instanceof Promise) && decision.allowed)
      assert.equal(lines.length, 1)
    })

  test('behind TLS it is trusted by the authority that is named, and by no other', async (t) => {
    const { make } = certificateMaker(t)
    const ca = make('authority', ['authority.example'])
    const { cert, key } = make('server', ['127.0.0.1'], { ca })
    const port = await freePort()
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca.cert]
    await startRedis(t, { args: ['--tls-port', String(port), ...files] })
    const server = { url: `rediss://127.0.0.1:${port}` } as RedisServer
    const tls = { ca: ca.cert, ...make('client', ['orla'], { ca }) }
    const { limits, take, by } = await stand(t, [server], { tls, timeout: '10s' })
    assert.deepEqual([(await take('eli')).remaining, by('local'), limits.state], [9, 0, 'there'])
    const stranger = await stand(t, [server])
    assert.equal(stranger.limits.state, 'away')
    assert.match(stranger.lines[0]!, /certificate/)
  })

  test('shares: who waits for more when it dies is answered here, and no request fails', async (t) => {
    const redis = await startRedis(t)
    const { limits, limiter, by } = await stand(t, [redis], { settle: '20ms' })
    const { take } = limiter(planOf(ample, { id: 'ample', mode: 'batched' }))
    const load = underLoad(take, 20)
    for (let round = 0; round < 3; round++) {
      const asked = by('cluster')
      await eventually(() => by('cluster') > asked + 200)
      if (round === 1) redis.signal('SIGSTOP')
      else await redis.kill()
      await eventually(() => limits.state === 'away')
      const here = by('local')
      await eventually(() => by('local') > here + 200)
      if (round === 1) redis.signal('SIGCONT')
      else await redis.start()
      await eventually(() => limits.state === 'there')
    }
    await load.end()
  })

  test('a replica takes its place: limits go on there, with what it had taken over', async (t) => {
    const master = await startRedis(t)
    const replica = await startReplica(t, master)
    const { limits, take, limiter } = await stand(t, [replica, master])
    for (let n = 0; n < 8; n++) assert.equal((await take('eli')).allowed, true)
    await eventually(
      async () => (await replica.info('slave_repl_offset')) === (await master.info('master_repl_offset')),
    )
    const load = underLoad(limiter(planOf(ample, { id: 'ample' })).take)
    await master.kill()
    await replica.cli('REPLICAOF', 'NO', 'ONE')
    await eventually(() => limits.state === 'there')
    const left = await Promise.all(Array.from({ length: 4 }, () => take('eli')))
    assert.equal(left.filter(({ allowed }) => allowed).length, 2)
    // Both change places once more, without anybody dying.
    await master.start()
    await replica.cli('REPLICAOF', '127.0.0.1', String(master.port))
    await eventually(async () => (await replica.info('master_link_status')) === 'up')
    await eventually(async () => Number(await master.cli('DBSIZE')) >= 5)
    assert.equal(limits.state, 'there')
    await load.end()
  })

  describe('in a Cluster', () => {
    test('masters that die under load take only their own keys along, until their replicas have them', async (t) => {
      const cluster = await startRedisCluster(t, { nodeTimeoutMs: 1000 })
      // By default all of a Cluster is down where one master is.
      for (const member of cluster.members)
        await member.cli('CONFIG', 'SET', 'cluster-require-full-coverage', 'no')
      const { limits, take, limiter, lines } = await stand(t, cluster.members)
      assert.equal(limits.state, 'there')
      const keys = Array.from({ length: 60 }, (_, n) => `client ${n}`)
      await Promise.all(keys.map((key) => take(key, 7)))
      const ofMasters = await Promise.all(cluster.members.slice(0, 3).map((one) => one.cli('DBSIZE')))
      assert.ok(
        ofMasters.every((size) => Number(size) > 5),
        String(ofMasters),
      )
      await cluster.settled()
      const load = underLoad(limiter(planOf(ample, { id: 'ample' })).take, 20)
      await cluster.members[1]!.kill()
      await eventually(() => limits.state === 'partly')
      const decisions = keys.map((key) => take(key))
      const asked = decisions.filter((decision) => decision instanceof Promise)
      assert.ok(asked.length > 20 && asked.length < 60, `${asked.length}`)
      // Here or there, seven of ten were used.
      for (const { remaining } of await Promise.all(decisions)) assert.equal(remaining, 2)
      await eventually(() => limits.state === 'there')
      await load.end()
      assert.equal(lines.length, 2)
      assert.match(lines[0]!, /: what is counted there is counted by this node alone until it is back$/)
      assert.equal(lines[1], BACK)
      const later = await Promise.all(keys.map((key) => take(key)))
      assert.ok(later.every(({ allowed }) => allowed))
      assert.ok(keys.every((key) => take(key) instanceof Promise))
    })

    test('a master hands its place over: limits go on at the other', async (t) => {
      const cluster = await startRedisCluster(t)
      const { limits, limiter, lines, by } = await stand(t, cluster.members.slice(0, 3), { timeout: '10s' })
      const { take } = limiter(planOf(ample, { id: 'ample' }))
      const load = underLoad(take, 20)
      await eventually(() => load.decided > 200)
      await cluster.members[3]!.cli('CLUSTER', 'FAILOVER')
      await eventually(async () => (await cluster.members[3]!.info('role')) === 'master')
      const before = load.decided
      await eventually(() => load.decided > before + 200)
      await load.end()
      await eventually(() => limits.state === 'there')
      assert.ok(by('cluster') > 400)
      assert.ok(lines.length % 2 === 0, lines.join('\n'))
    })

    test('a slot moves from one master to another, and no decision is made elsewhere meanwhile', async (t) => {
      const cluster = await startRedisCluster(t)
      const { limits, take, lines, by } = await stand(t, cluster.members, { timeout: '10s' })
      assert.equal((await take('eli')).remaining, 9)
      const masters = cluster.members.slice(0, 3)
      const keys = await Promise.all(masters.map(async (one) => (await one.cli('KEYS', '*')).split('\n')))
      const key = keys.flat().find((one) => one !== '' && !one.includes('probe'))!
      const from = await cluster.masterOf(key)
      const to = masters.find((one) => one !== from)!
      const slot = await from.cli('CLUSTER', 'KEYSLOT', key)
      const [fromId, toId] = await Promise.all([from, to].map((one) => one.cli('CLUSTER', 'MYID')))
      await to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId!)
      await from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId!)
      assert.equal((await take('eli')).remaining, 8)
      await from.cli('MIGRATE', '127.0.0.1', String(to.port), key, '0', '5000')
      // Asked at the one, and sent to the other for this once.
      assert.equal((await take('eli')).remaining, 7)
      for (const one of [to, from]) await one.cli('CLUSTER', 'SETSLOT', slot, 'NODE', toId!)
      for (const remaining of [6, 5, 4]) assert.equal((await take('eli')).remaining, remaining)
      assert.deepEqual([by('local'), limits.state, lines], [0, 'there', []])
    })
  })
})
