/** So many in so much time: the requests of a key, counted in a region that all workers share. */
import { machineMoment, machineNow } from '../../base/machine-clock.ts'
import { parseIp } from '../../base/ip-address.ts'
import { openSharedWords } from '../../base/shared-words.ts'
import type { RateLimitConfig } from '../../config/schema.ts'
import type { LimitTop, ServedLimit } from '../../contract/limits.ts'
import { clusterPlanOf } from '../../limit/cluster/plan.ts'
import { limiterPlanOf } from '../../limit/configured-plan.ts'
import type { Decision } from '../../limit/limiter.ts'
import { SharedLimiter } from '../../limit/shared-limiter.ts'
import { rateFields } from './limit-fields.ts'
import type { LimitParts, NamedLimit } from './limit-kinds.ts'
import { type LimitKey, type RequestKey, requestKey } from './limit-keys.ts'
import { LimitHitters } from './limit-hitters.ts'
import { LimitScope } from './limit-scope.ts'
import type { LimitCounts, LimitedRequest, LimitFields, RequestLimit } from './request-limit.ts'

/** Where a rate is counted: here, or by all nodes together. */
export interface RateCounter {
  /** `now` on the machine's clock; `beside` as in `RequestKey`. A promise never rejects. */
  take(key: LimitKey, cost: number, now: number, beside?: string): Decision | Promise<Decision>
}

export class RateLimit implements RequestLimit, NamedLimit {
  readonly name: string
  readonly site: string
  readonly config: RateLimitConfig
  readonly counts: LimitCounts
  readonly fields: LimitFields | undefined
  readonly status: number
  readonly allows: string
  private readonly limiter: SharedLimiter
  private readonly counter: RateCounter
  private readonly scope: LimitScope
  private readonly hitters: LimitHitters
  private readonly key: RequestKey

  constructor({ site, path }: ServedLimit, config: RateLimitConfig, parts: LimitParts) {
    const { name, key, rate, prefixes } = config
    this.name = name
    this.site = site
    this.config = config
    this.counts = parts.counts
    // Whom nobody refuses is told of no quota.
    this.fields = config.dryRun ? undefined : rateFields(config)
    this.status = config.status
    this.allows = `${rate.count} in ${rate.windowMs / 1000} s`
    this.limiter = new SharedLimiter(limiterPlanOf(config), openSharedWords(path!), { worker: parts.worker })
    const isShared = config.scope === 'cluster' && parts.cluster !== undefined
    this.counter = isShared ? parts.cluster.limiter(clusterPlanOf(site, config), this.limiter) : this.limiter
    this.scope = new LimitScope(config)
    const lengthsOf = (levels: typeof prefixes.v4) => levels.map(({ length }) => length)
    this.hitters = new LimitHitters({ v4: lengthsOf(prefixes.v4), v6: lengthsOf(prefixes.v6) })
    const lengths = { v4: prefixes.v4[0]!.length, v6: prefixes.v6[0]!.length }
    this.key = requestKey(key ?? ['address'], lengths, parts.networkOf)
  }

  get request(): RequestLimit | undefined {
    return this.config.key === undefined ? undefined : this
  }

  get forUnits(): RequestLimit {
    return this
  }

  ask(request: LimitedRequest): Decision | undefined | Promise<Decision | undefined> {
    if (!this.scope.isAll && !this.scope.has(request)) return undefined
    const { of, beside } = this.key
    const now = machineMoment(request.startedMs)
    return this.count(of(request), beside?.(request), this.config.cost, now)
  }

  take(key: string, cost: number): Decision | Promise<Decision> {
    const ip = parseIp(key)
    if (ip !== undefined && this.scope.exempts(ip)) return this.untouched
    const decision = this.count(ip ?? `u${key}`, undefined, cost, machineNow())
    if (cost === 0) return decision
    return decision instanceof Promise ? decision.then(this.told) : this.told(decision)
  }

  /** What an exempt address is told: nothing of it is counted. */
  private get untouched(): Decision {
    return { allowed: true, remaining: this.config.rate.count, retryAfterMs: 0, resetMs: 0 }
  }

  /** A dry run refuses no unit either. */
  private readonly told = (decision: Decision): Decision => {
    const { counts, config } = this
    const waits = decision.waitMs !== undefined && decision.waitMs > 0
    if (decision.allowed) counts[waits ? 'waited' : 'allowed'] += 1
    else if (config.dryRun) counts.dry_run += 1
    else counts.refused += 1
    return config.dryRun && !decision.allowed ? { ...decision, allowed: true, retryAfterMs: 0 } : decision
  }

  private count(
    key: LimitKey,
    beside: string | undefined,
    cost: number,
    now: number,
  ): Decision | Promise<Decision> {
    const decision = this.counter.take(key, cost, now, beside)
    // Who only looks has asked for nothing.
    if (cost === 0) return decision
    if (!(decision instanceof Promise)) this.hitters.note(key, beside, decision.allowed, now)
    else void decision.then(({ allowed }) => this.hitters.note(key, beside, allowed, now))
    return decision
  }

  top(count: number): readonly LimitTop[] {
    return this.hitters.top(count, machineNow())
  }
}
