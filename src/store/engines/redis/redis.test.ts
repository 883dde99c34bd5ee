import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import * as v from 'valibot'
import {
  redisIsMissing,
  sharedBy,
  type RedisCluster,
  type RedisServer,
  startRedis,
  startRedisCluster,
  startReplica,
} from '../../../../test/harness/redis.ts'
import { type RedisStoreConfig, StoreSchema } from '../../../config/store-schema.ts'
import { EdgeError } from '../../../base/errors.ts'
import type { ErrorCode } from '../../../base/error-codes.ts'
import { KV_BUCKETS, kvLog } from '../../../contract/shared-log.ts'
import type { Effect } from '../../../contract/store.ts'
import { chain, follow } from '../../chain.ts'
import { sharedLogContract } from '../../shared-log.contract.ts'
import { LogWriter } from '../../testing/log-writer.ts'
import { openEngine } from '../open-engine.ts'

const config = (input: object): RedisStoreConfig =>
  v.parse(StoreSchema, { kind: 'redis', ...input }) as RedisStoreConfig

let stores = 0

const set = (key: string, value = 'x'): Effect => ({ operation: 'SET', key, value })

async function refuses(work: Promise<unknown>, code: ErrorCode, ...words: string[]): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof EdgeError, String(error))
    assert.equal(error.code, code, error.message)
    for (const word of words) assert.ok(error.message.includes(word), error.message)
    return true
  })
}

describe('redis', { skip: redisIsMissing }, () => {
  const owner = sharedBy(after)
  let server: RedisServer
  before(async () => {
    server = await startRedis(owner)
  })
  sharedLogContract({
    engine: 'redis',
    open: async () => {
      const prefix = `store-${++stores}`
      return () => openEngine(config({ url: server.url, prefix }))
    },
  })

  /** A log of five entries in a store of its own, and what its keys are called. */
  async function filled(t: TestContext) {
    const prefix = `store-${++stores}`
    const engine = await openEngine(config({ url: server.url, prefix }))
    t.after(() => engine.close())
    const log = engine.log('units')
    const writer = await LogWriter.at(log)
    const start = writer.position
    for (const key of ['a', 'b', 'c', 'd', 'e']) await writer.append([set(key)])
    const at = (id: number) => follow(start, writer.entries.slice(0, id))
    const ids = async (after: number) => {
      const page = await log.read(at(after), 100)
      return page === 'reset' ? page : page.map(({ id }) => id)
    }
    const key = (part: string) => `{${prefix}:units}:${part}`
    return { log, writer, at, ids, key }
  }

  test('a stream that somebody trimmed is a reset for those who are behind, and goes on for the others', async (t) => {
    const { ids, key, writer } = await filled(t)
    await server.cli('XTRIM', key('entries'), 'MAXLEN', '2')
    assert.deepEqual(await Promise.all([0, 1, 2].map(ids)), ['reset', 'reset', 'reset'])
    assert.deepEqual(await ids(4), [5])
    assert.deepEqual(await ids(5), [])
    await writer.append([set('f')])
    assert.deepEqual(await ids(4), [5, 6])
  })

  test('a stream that somebody deleted is a reset for those who are behind, and the log goes on', async (t) => {
    const { ids, at, key, writer, log } = await filled(t)
    await server.cli('DEL', key('entries'))
    assert.deepEqual(await Promise.all([0, 3, 4].map(ids)), ['reset', 'reset', 'reset'])
    assert.deepEqual(await ids(5), [])
    await writer.append([set('f')])
    // Nothing shows any more that entry 6 follows the fifth that a reader knows.
    assert.deepEqual(await ids(5), 'reset')
    await writer.append([set('g')])
    const last = await log.read(at(6), 100)
    assert.deepEqual(last, writer.entries.slice(6))
    assert.equal((await log.snapshot()).entries.size, 7)
  })

  test('an entry that somebody took out, or wrote anew, is a reset and no gap', async (t) => {
    const { ids, key } = await filled(t)
    await server.cli('XDEL', key('entries'), '3-0')
    assert.deepEqual(await Promise.all([0, 1, 2].map(ids)), ['reset', 'reset', 'reset'])
    assert.deepEqual(await ids(4), [5])
  })

  test('a head that somebody deleted or wrote over is a reset, and no append goes behind it', async (t) => {
    const { ids, key, log, at } = await filled(t)
    await server.cli('HSET', key('head'), 'id', '3', 'hash', at(3).hash)
    assert.equal(await ids(5), 'reset')
    assert.equal(await log.append(at(5), chain(at(5), [set('f')], 1)), 'conflict')
    // The stream is ahead of it, and Redis takes no id twice.
    await refuses(log.append(at(3), chain(at(3), [set('f')], 1)), 'store-refused', 'XADD')
    await server.cli('DEL', key('head'))
    assert.equal(await ids(5), 'reset')
    assert.equal(await log.append(at(5), chain(at(5), [set('f')], 1)), 'conflict')
    const head = await log.head()
    assert.deepEqual([head.id, head.log === at(5).log], [0, false])
    assert.deepEqual(await log.snapshot(), { position: head, entries: new Map() })
  })

  test('a state that somebody thinned out is neither given out nor written on, until it is replaced', async (t) => {
    const { key, log, at } = await filled(t)
    const whole = await log.snapshot()
    await server.cli('HDEL', key('state'), 'c')
    await refuses(log.snapshot(), 'store-corrupt', key('state'))
    await refuses(log.append(at(5), chain(at(5), [set('f')], 1)), 'store-corrupt')
    assert.equal(await log.replace(at(5), whole), 'replaced')
    assert.deepEqual(await log.snapshot(), whole)
    assert.equal(await log.append(at(5), chain(at(5), [set('f')], 1)), 'appended')
  })

  test('entries of somebody else in the stream stop appends with words, and nothing is half done', async (t) => {
    const { key, log, at, ids } = await filled(t)
    await server.cli('XADD', key('entries'), '6-0', 'some', 'thing')
    await refuses(log.append(at(5), chain(at(5), [set('f'), set('g')], 1)), 'store-refused', 'XADD')
    assert.deepEqual(await ids(0), [1, 2, 3, 4, 5])
    assert.equal((await log.snapshot()).entries.size, 5)
  })

  test('keys of another program are refused with words', async (t) => {
    const { key, log } = await filled(t)
    await server.cli('SET', key('head'), 'x')
    await refuses(log.head(), 'store-refused', 'WRONGTYPE')
  })

  test('a large state is replaced in parts, and what was staged is gone afterwards', async (t) => {
    const { key, log, at } = await filled(t)
    const entries = new Map(Array.from({ length: 5000 }, (_, n) => [`key ${n}`, 'v'.repeat(500)]))
    const position = { log: 'ab'.repeat(16), id: 70, hash: 'cd'.repeat(32) }
    assert.equal(await log.replace(at(4), { position, entries }), 'conflict')
    assert.equal(await log.replace(at(5), { position, entries }), 'replaced')
    assert.deepEqual(await log.snapshot(), { position, entries })
    assert.equal(await server.cli('TTL', key('state')), '-1')
    assert.equal(await server.cli('KEYS', `${key('staged').replaceAll(/[{}]/g, '?')}*`), '')
  })

  test('a change waits for replicas: where they are missing it says so, and sent again it counts once they have it', async (t) => {
    const master = await startRedis(t)
    const engine = await openEngine(config({ url: master.url, waitReplicas: 1, timeout: '2s' }))
    t.after(() => engine.close())
    const log = engine.log('units')
    const start = await log.head()
    const entries = chain(start, [set('a')], 1)
    const words = ['the change is in the log', '0 of 1 replicas']
    await refuses(log.append(start, entries), 'store-unavailable', ...words)
    assert.equal((await log.head()).id, 1)
    await refuses(log.append(start, entries), 'store-unavailable', ...words)
    assert.match((await engine.status()).problem ?? '', /0 replicas are online, and a change waits for 1/)
    const replica = await startReplica(t, master)
    assert.equal(await log.append(start, entries), 'appended')
    assert.equal(await replica.cli('HGET', '{orla:units}:head', 'id'), '1')
    // One that is there and stands still has not taken it.
    replica.signal('SIGSTOP')
    const next = chain(await log.head(), [set('b')], 1)
    await refuses(log.append(follow(start, entries), next), 'store-unavailable', '0 of 1 replicas')
    replica.signal('SIGCONT')
    assert.equal(await log.append(follow(start, entries), next), 'appended')
    const { members, problem } = await engine.status()
    assert.equal(problem, undefined)
    assert.deepEqual(
      members.map(({ role, address, isHealthy }) => [role, address, isHealthy]),
      [
        ['master', master.address, true],
        ['replica', replica.address, true],
      ],
    )
    assert.equal(typeof members[1]!.lag, 'number')
  })

  test('that Redis throws keys away, or keeps no append-only file, is said once', async (t) => {
    const careless = await startRedis(t, { args: ['--maxmemory-policy', 'allkeys-lru'] })
    const careful = await startRedis(t, { appendOnly: true })
    const warnings: string[] = []
    for (const url of [careless.url, careful.url]) {
      const engine = await openEngine(config({ url }), { onWarning: (message) => warnings.push(message) })
      t.after(() => engine.close())
      await Promise.all([engine.log('units').head(), engine.log('kv-0').snapshot(), engine.status()])
      await (await LogWriter.at(engine.log('units'))).append([set('a')])
    }
    assert.equal(warnings.length, 2)
    assert.match(warnings[0]!, /allkeys-lru/)
    assert.match(warnings[1]!, /append-only/)
  })

  test('a URL with a user, a password and a database, and an address without them', async (t) => {
    const prefix = `store-${++stores}`
    const url = server.url.replace('//', '//default:any@')
    const engine = await openEngine(config({ url: `${url}/3`, prefix }))
    t.after(() => engine.close())
    await server.cli('CONFIG', 'SET', 'requirepass', 'any')
    t.after(() => server.cli('-a', 'any', 'CONFIG', 'SET', 'requirepass', ''))
    await engine.log('units').head()
    assert.equal(engine.address, server.url)
    assert.equal(await server.cli('-a', 'any', '-n', '3', 'EXISTS', `{${prefix}:units}:head`), '1')
  })

  test('where the configuration wants a Cluster and there is none, it is said', async (t) => {
    const engine = await openEngine(config({ url: server.url, cluster: true }))
    t.after(() => engine.close())
    await refuses(engine.log('units').head(), 'store-refused', 'is no Cluster')
  })
})

describe('redis cluster', { skip: redisIsMissing }, () => {
  const owner = sharedBy(after)
  let cluster: RedisCluster
  before(async () => {
    cluster = await startRedisCluster(owner, { nodeTimeoutMs: 5000 })
  })
  sharedLogContract({
    engine: 'redis cluster',
    open: async () => {
      const prefix = `store-${++stores}`
      return () => openEngine(config({ url: cluster.urls[0], prefix, waitReplicas: 1 }))
    },
  })
  test('logs are spread over the masters, and watched through any member', async (t) => {
    const prefix = `store-${++stores}`
    const engine = await openEngine(config({ url: cluster.urls, prefix }))
    t.after(() => engine.close())
    const names = Array.from({ length: KV_BUCKETS }, (_, bucket) => kvLog(bucket))
    const told = new Set<string>()
    const all = Promise.withResolvers<void>()
    const writers = await Promise.all(names.map((name) => LogWriter.at(engine.log(name))))
    for (const [n, name] of names.entries()) {
      const stop = engine.log(name).watch(() => {
        if (writers[n]!.position.id > 0) told.add(name)
        if (told.size === names.length) all.resolve()
      })
      t.after(stop)
    }
    await Promise.all(writers.map((writer) => writer.append([set('a')])))
    await all.promise
    const masters = await Promise.all(names.map((name) => cluster.masterOf(`{${prefix}:${name}}:head`)))
    assert.ok(new Set(masters).size > 1)
  })

  test('its status has the slots of masters, the masters of replicas and the epoch', async (t) => {
    const engine = await openEngine(config({ url: cluster.urls[5] }))
    t.after(() => engine.close())
    const { members, term, isHealthy, problem } = await engine.status()
    assert.deepEqual([isHealthy, problem], [true, undefined])
    assert.ok(term! >= 6, String(term))
    const masters = members.filter(({ role }) => role === 'master')
    const slots = ['slots 0-5460', 'slots 5461-10922', 'slots 10923-16383']
    assert.deepEqual(masters.map(({ note }) => note).toSorted(), slots.toSorted())
    const replicas = members.filter(({ role }) => role === 'replica')
    assert.deepEqual(
      replicas.map(({ note }) => note).toSorted(),
      masters.map(({ name }) => `of ${name}`).toSorted(),
    )
    for (const { lag, isHealthy } of replicas) assert.deepEqual([typeof lag, isHealthy], ['number', true])
  })

  test('where the configuration wants no Cluster and there is one, it is said', async (t) => {
    const engine = await openEngine(config({ url: cluster.urls[0], cluster: false }))
    t.after(() => engine.close())
    await refuses(engine.log('units').head(), 'store-refused', 'is a Cluster')
    assert.equal((await engine.status()).isHealthy, false)
  })
})
