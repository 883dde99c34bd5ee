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
  private readonly key: RequestKey | undefined

  constructor({ site, path }: ServedLimit, config: RateLimitConfig, parts: LimitParts) {
    const { name, key, rate, prefixes } = config
    this.name = name
    this.site = site
    this.config = config
    this.counts = parts.counts
    this.fields = rateFields(config)
    this.allows = `${rate.count} in ${rate.windowMs / 1000} s`
    this.limiter = new SharedLimiter(limiterPlanOf(config), openSharedWords(path!), { worker: parts.worker })
    this.counter = this.limiter
    this.scope = new LimitScope(config)
    const lengths = { v4: prefixes.v4[0]!.length, v6: prefixes.v6[0]!.length }
    this.key = key && requestKey(key, lengths, parts.networkOf)
  }

  get request(): RequestLimit | undefined {
    return this.key === undefined ? undefined : this
  }

  ask(exchange: Exchange): Decision | undefined | Promise<Decision | undefined> {
    if (!this.scope.has(exchange)) return undefined
    const key = this.key!
    const now = machineMoment(exchange.startedMs)
    return this.counter.take(key.of(exchange), this.config.cost, now, key.beside?.(exchange))
  }

  take(key: string, cost: number): Decision | Promise<Decision> {
    return this.counter.take(parseIp(key) ?? `u${key}`, cost, machineNow())
  }

  top(_count: number): readonly LimitTop[] {
    return []
  }
}
