/** All that units can ask of their worker, by kind. */
import type { HostAnswer, HostCall, HostCalls } from '../contract/host-calls.ts'
import type { BanAsking } from '../contract/bans.ts'
import { BanCalls } from './ban-calls.ts'
import { CryptoCalls } from './crypto-calls.ts'
import type { Clock } from '../base/clock.ts'
import { FetchCalls } from './fetch/fetch-calls.ts'
import type { FetchConfig } from './fetch/destinations.ts'
import { KvCalls, type KvCallsOptions } from './kv-calls.ts'
import { LimitCalls, type NamedLimits } from './limit-calls.ts'
import { PurgeCalls, type AskUnitPurge } from './purge-calls.ts'
import { RedisCalls, type RedisSources } from './redis-calls.ts'
import { startInShadow } from './shadow-calls.ts'

export interface WorkerCalls extends HostCalls {
  readonly kv: KvCalls
  readonly purge: PurgeCalls
  /** What fetches from now on may do; those under way go on as they began. */
  useFetch(config: FetchConfig): void
  /** Where commands to Redis go from now on. */
  useSources(sources: RedisSources): void
  close(): void
}

export interface HostCallsOptions extends KvCallsOptions {
  readonly fetch: FetchConfig
  readonly sources: RedisSources
  readonly askPurge: AskUnitPurge
  readonly limits: NamedLimits
  readonly bans: BanAsking
  readonly clock: Clock
}

export function createHostCalls(options: HostCallsOptions): WorkerCalls {
  const kv = new KvCalls(options)
  const fetch = new FetchCalls(options.fetch, options.clock)
  const crypto = new CryptoCalls()
  const redis = new RedisCalls(options.sources, options.clock)
  const purge = new PurgeCalls(options.askPurge)
  const limits = new LimitCalls(options.limits)
  const bans = new BanCalls(options.bans)
  const real: HostCalls = {
    start(call: HostCall, answer: (answer: HostAnswer) => void) {
      switch (call.kind) {
        case 'fetch':
          return fetch.start(call, answer)
        case 'crypto.verify':
          return crypto.start(call, answer)
        case 'redis.read':
        case 'redis.write':
          return redis.start(call, answer)
        case 'purge':
          return purge.start(call, answer)
        case 'limit.take':
          return limits.start(call, answer)
        case 'ban':
          return bans.start(call, answer)
        default:
          return kv.start(call, answer)
      }
    },
  }
  return {
    kv,
    purge,
    useFetch: (config) => fetch.use(config),
    useSources: (sources) => redis.use(sources),
    start: (call, answer) =>
      call.unit.shadow === undefined ? real.start(call, answer) : startInShadow(real, call, answer),
    close() {
      fetch.close()
      redis.close()
      kv.close()
    },
  }
}
