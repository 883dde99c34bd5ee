/**
 * Limits that all nodes count together, in Redis or Valkey: for one worker, over one connection (of a Cluster, one to each master).
 *
 * What speaks to Redis is loaded with the first such limit, and not before. Until it is connected, and whenever Redis is not there, each limit is
 * decided by this node alone; no request ever fails for it, and none waits longer than `timeout`.
 */
import type { Clock } from '../../base/clock.ts'
import { readTlsFiles } from '../../base/tls-files.ts'
import type { Timers } from '../../base/timers.ts'
import type { LimitsRedisConfig } from '../../config/limit-schema.ts'
import { redisAddress } from '../../config/redis-address.ts'
import type { MetricSample } from '../../contract/messages.ts'
import { BatchedLimiter } from './batched-limiter.ts'
import type { ClusterLimiter, CounterServers, DecisionCounts, LocalCounter } from './cluster-limiter.ts'
import type { CounterLink, Reply } from './counter-link.ts'
import type { Counters, CountersOptions, CountersState } from './counters.ts'
import { ExactLimiter } from './exact-limiter.ts'
import { LevelKeys } from './level-keys.ts'
import { Participants } from './participants.ts'
import type { ClusterPlan } from './plan.ts'
import type { Script } from './scripts.ts'

export interface ClusterPlatform {
  readonly clock: Clock
  readonly timers: Timers
  /** 0 to 1. */
  readonly random: () => number
  /** Tells the operator. */
  readonly warn: (line: string) => void
}

/** A node that starts waits for Redis no longer. */
const READY_MS = 2_000

export class ClusterLimits implements CounterServers {
  readonly #config: LimitsRedisConfig
  readonly #platform: ClusterPlatform
  readonly #participants: Participants
  readonly #countsById = new Map<string, DecisionCounts>()
  #counters: Counters | undefined
  #opened: Promise<void> | undefined
  #isClosed = false

  constructor(config: LimitsRedisConfig, platform: ClusterPlatform) {
    this.#config = config
    this.#platform = platform
    const { clock, timers } = platform
    const id = `${process.pid}.${Math.floor(platform.random() * 2 ** 48).toString(36)}`
    this.#participants = new Participants({ counters: this, prefix: config.prefix, id, clock, timers })
  }

  get state(): CountersState | undefined {
    return this.#opened === undefined ? undefined : (this.#counters?.state ?? 'connecting')
  }

  /**
   * @throws RangeError where the plan cannot be counted by all nodes together
   * @throws EdgeError `file-unreadable` for files of `tls`
   */
  limiter(plan: ClusterPlan, local: LocalCounter): ClusterLimiter {
    const { prefix, settle } = this.#config
    const keys = new LevelKeys(plan, prefix)
    const { clock, timers } = this.#platform
    this.#opened ??= this.#open(optionsOf(this.#config))
    const parts = { counters: this, keys, local, counts: this.#countsOf(plan.id), clock, timers }
    if (plan.mode === 'exact') return new ExactLimiter(parts)
    this.#participants.start()
    const { startFull = false } = plan.rate
    return new BatchedLimiter({ ...parts, settleMs: settle, participants: this.#participants, startFull })
  }

  /** Resolves once it is known whether Redis is there, or that takes too long; at once where no limit needs it. */
  async ready(): Promise<void> {
    if (this.#opened === undefined) return
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const callOff = this.#platform.timers.later(READY_MS, resolve)
    await Promise.race([this.#opened, late])
    callOff()
  }

  get isAway(): boolean {
    return this.#counters?.isAway !== false
  }

  linkOf(tag: string): CounterLink | undefined {
    return this.#counters?.linkOf(tag)
  }

  run(link: CounterLink, script: Script, keys: readonly string[], args: readonly string[]): Promise<Reply> {
    return this.#counters!.run(link, script, keys, args)
  }

  samples(): MetricSample[] {
    const { state } = this
    if (state === undefined) return []
    const samples: MetricSample[] = [{ name: 'orla_limit_redis_state', labels: { state }, value: 1 }]
    for (const [id, counts] of this.#countsById) {
      const [site = '', limit = ''] = id.split('\n')
      for (const by of ['cluster', 'local'] as const)
        samples.push({
          name: 'orla_limit_redis_decisions_total',
          labels: { site, limit, by },
          value: counts[by],
        })
    }
    return samples
  }

  close(): void {
    this.#isClosed = true
    this.#participants.close()
    this.#counters?.close()
  }

  async #open(options: CountersOptions): Promise<void> {
    const { Counters } = await import('./counters.ts')
    if (this.#isClosed) return
    this.#counters = new Counters(options, this.#platform)
    await this.#counters.start()
  }

  #countsOf(id: string): DecisionCounts {
    let counts = this.#countsById.get(id)
    if (counts === undefined) {
      counts = { cluster: 0, local: 0 }
      this.#countsById.set(id, counts)
    }
    return counts
  }
}

/** What stands in `edge.limitsRedis` wins over what stands in its first URL. */
function optionsOf(config: LimitsRedisConfig): CountersOptions {
  const addresses = config.url.map(redisAddress)
  const { username, password, database } = addresses[0]!
  const isTls = config.tls !== undefined || addresses.some((address) => address.isTls)
  return {
    addresses: addresses.map(({ host, port }) => `${host}:${port}`),
    prefix: config.prefix,
    username: config.username ?? username,
    password: config.password ?? password,
    database: database > 0 ? database : undefined,
    tls: isTls ? readTlsFiles('edge.limitsRedis.tls', config.tls ?? {}) : undefined,
    timeoutMs: config.timeout,
  }
}
