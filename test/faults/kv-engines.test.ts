/** Key/value data of two control planes on real engines: exact counters, merged ones and keys that one of them takes; and an engine that is away for a while. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import * as v from 'valibot'
import { systemClock } from '../../src/base/clock.ts'
import { StoreSchema, type RedisStoreConfig } from '../../src/config/store-schema.ts'
import { kvLog } from '../../src/contract/shared-log.ts'
import type { KvOperation } from '../../src/contract/kv.ts'
import { type KvKeeper, openKeeper } from '../../src/kv/keeper.ts'
import { KvReader } from '../../src/kv/reader.ts'
import { KV_WORDS } from '../../src/kv/versions.ts'
import { type EngineConfig, openEngine } from '../../src/store/engines/open-engine.ts'
import { etcdConfig, etcdIsMissing, startEtcd } from '../harness/etcd.ts'
import { eventually } from '../harness/eventually.ts'
import { redisIsMissing, startRedis } from '../harness/redis.ts'

const limits = { keysMax: 1000, bytesMax: 1_000_000, keyBytesMax: 64, valueBytesMax: 1000 }
const increment = (key: string): KvOperation => ({ op: 'increment', namespace: 'u', key, by: 1, ttlMs: 0 })
const take = (key: string, value: string): KvOperation => ({
  op: 'compareAndSet',
  namespace: 'u',
  key,
  expected: null,
  value: Buffer.from(value),
  ttlMs: 0,
})

interface Plane {
  readonly keeper: KvKeeper
  get(key: string): string | undefined
}

async function plane(t: TestContext, config: EngineConfig, name: string): Promise<Plane> {
  const engine = await openEngine(config)
  const folder = mkdtempSync(join(tmpdir(), `orla-kv-${name}-`))
  const place = { path: join(folder, 'kv.db'), words: new Int32Array(KV_WORDS), clock: systemClock }
  const log = (bucket: number) => engine.log(kvLog(bucket))
  const keeper = openKeeper(
    { kind: 'shared', log, onProblem: () => {} },
    { ...place, limits, strongTimeoutMs: 3000 },
  )
  await keeper.start?.()
  const reader = new KvReader({ name: 'kv', ...place })
  t.after(async () => {
    reader.close()
    keeper.close()
    await engine.close()
    rmSync(folder, { recursive: true })
  })
  return { keeper, get: (key) => reader.get('u', key) }
}

interface Kind {
  readonly name: string
  readonly skip: string | false
  start(
    t: TestContext,
  ): Promise<{ readonly config: EngineConfig; stop(): Promise<unknown>; again(): Promise<unknown> }>
}

const KINDS: readonly Kind[] = [
  {
    name: 'Redis',
    skip: redisIsMissing,
    async start(t) {
      const server = await startRedis(t, { appendOnly: true })
      const config = v.parse(StoreSchema, {
        kind: 'redis',
        url: server.url,
        timeout: '1s',
      }) as RedisStoreConfig
      return { config, stop: () => server.kill(), again: () => server.start() }
    },
  },
  {
    name: 'etcd',
    skip: etcdIsMissing,
    async start(t) {
      const { members, urls } = await startEtcd(t)
      const [member] = members as [(typeof members)[number]]
      return {
        config: etcdConfig(urls, { timeout: 1000 }),
        stop: () => member.kill(),
        again: () => member.start(),
      }
    },
  },
]

for (const { name, skip, start } of KINDS) {
  test(
    `${name}: two control planes count together, and one of all who try takes a key`,
    { skip },
    async (t) => {
      const { config, stop, again } = await start(t)
      const planes = [await plane(t, config, 'one'), await plane(t, config, 'two')]
      const keepers = planes.map(({ keeper }) => keeper)
      const strong = async (keeper: KvKeeper, operation: KvOperation) =>
        (await keeper.strong!([operation]))[0]!
      await eventually(async () => 'value' in (await strong(keepers[0]!, increment('warm'))))

      const exact = await Promise.all(
        Array.from({ length: 40 }, (_, i) => strong(keepers[i % 2]!, increment('exact'))),
      )
      const numbers = exact.map((result) => ('value' in result ? result.value : result.message))
      assert.deepEqual(
        numbers.toSorted((a, b) => Number(a) - Number(b)),
        Array.from({ length: 40 }, (_, i) => i + 1),
      )
      for (let i = 0; i < 100; i++) keepers[i % 2]!.apply([increment('merged')], false)
      const takers = Array.from({ length: 10 }, (_, i) => strong(keepers[i % 2]!, take('lock', String(i))))
      const won = (await Promise.all(takers)).flatMap((result, i) =>
        'value' in result && result.value === 1 ? [String(i)] : [],
      )
      assert.equal(won.length, 1)
      await eventually(() => planes.every(({ get }) => get('merged') === '100' && get('lock') === won[0]))

      await stop()
      keepers[0]!.apply([increment('merged')], true)
      assert.equal(planes[0]!.get('merged'), '101', 'seen here at once')
      const refused = await strong(keepers[1]!, increment('exact'))
      assert.ok('code' in refused && refused.code === 'kv-unavailable', JSON.stringify(refused))
      assert.equal(planes[1]!.get('exact'), '40')
      await again()
      await eventually(() => planes.every(({ get }) => get('merged') === '101'))
      const next = await strong(keepers[0]!, increment('exact'))
      assert.ok('value' in next && (next.value === 41 || next.value === 42), JSON.stringify(next))
    },
  )
}
