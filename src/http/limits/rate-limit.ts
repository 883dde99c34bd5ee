/** So many in so much time: the requests of a key, counted in a region that all workers share. */
import { machineMoment, machineNow } from '../../base/machine-clock.ts'
import { parseIp } from '../../base/ip-address.ts'
import { openSharedWords } from '../../base/shared-words.ts'
import type { RateLimitConfig } from '../../config/schema.ts'
import type { LimitTop, ServedLimit } from '../../contract/limits.ts'
import { limiterPlanOf } from '../../limit/configured-plan.ts'
import type { Decision } from '../../limit/limiter.ts'
import { SharedLimiter } from '../../limit/shared-limiter.ts'
import type { Exchange } from '../exchange.ts'
import { rateFields } from './limit-fields.ts'
import type { LimitParts, NamedLimit } from './limit-kinds.ts'
import { type LimitKey, type RequestKey, requestKey } from './limit-keys.ts'
import { LimitHitters } from './limit-hitters.ts'
import { LimitScope } from './limit-scope.ts'
import type { LimitCounts, LimitFields, RequestLimit } from './request-limit.ts'

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
  readonly allows: string
  private readonly limiter: SharedLimiter
  private readonly counter: RateCounter
  private readonly scope: LimitScope
  private readonly hitters: LimitHitters
  private readonly key: RequestKey | undefined

  constructor({ site, path }: ServedLimit, config: RateLimitConfig, parts: LimitParts) {
    const { name, key, rate, prefixes } = config
    this.name = name
    this.site = site
    this.config = config
    this.counts = parts.counts
    // Whom nobody refuses is told of no quota.
    this.fields = config.dryRun ? undefined : rateFields(config)
    this.allows = `${rate.count} in ${rate.windowMs / 1000} s`
    this.limiter = new SharedLimiter(limiterPlanOf(config), openSharedWords(path!), { worker: parts.worker })
    this.counter = this.limiter
    this.scope = new LimitScope(config)
    const lengthsOf = (levels: typeof prefixes.v4) => levels.map(({ length }) => length)
    this.hitters = new LimitHitters({ v4: lengthsOf(prefixes.v4), v6: lengthsOf(prefixes.v6) })
    const lengths = { v4: prefixes.v4[0]!.length, v6: prefixes.v6[0]!.length }
    this.key = key && requestKey(key, lengths, parts.networkOf)
  }

  get request(): RequestLimit | undefined {
    return this.key === undefined ? undefined : this
  }

  ask(exchange: Exchange): Decision | undefined | Promise<Decision | undefined> {
    if (!this.scope.isAll && !this.scope.has(exchange)) return undefined
    const { of, beside } = this.key!
    const now = machineMoment(exchange.startedMs)
    return this.count(of(exchange), beside?.(exchange), this.config.cost, now)
  }

  take(key: string, cost: number): Decision | Promise<Decision> {
    const decision = this.count(parseIp(key) ?? `u${key}`, undefined, cost, machineNow())
    const note = ({ allowed }: Decision): void => {
      if (cost > 0) this.counts[allowed ? 'allowed' : 'refused'] += 1
    }
    if (decision instanceof Promise) void decision.then(note)
    else note(decision)
    return decision
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
