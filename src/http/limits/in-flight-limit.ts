/** Requests in flight at once: counted by all workers together, from the head of a request to the last byte of its answer. */
import { openSharedWords } from '../../base/shared-words.ts'
import type { ConcurrencyLimitConfig } from '../../config/schema.ts'
import type { ServedLimit } from '../../contract/limits.ts'
import { InFlight } from '../../limit/in-flight.ts'
import type { Decision } from '../../limit/limiter.ts'
import type { Exchange } from '../exchange.ts'
import { limitFields } from './limit-fields.ts'
import type { LimitParts, NamedLimit } from './limit-kinds.ts'
import { type RequestKey, requestKey } from './limit-keys.ts'
import { LimitScope } from './limit-scope.ts'
import type { LimitCounts, LimitFields, RequestLimit } from './request-limit.ts'

/** An address is counted by its longest prefix: one host of IPv4, one network of IPv6. */
const LENGTHS = { v4: 32, v6: 64 }
/** Nobody knows when another request ends. */
const RETRY_MS = 1000

export class InFlightLimit implements RequestLimit, NamedLimit {
  readonly name: string
  readonly site: string
  readonly config: ConcurrencyLimitConfig
  readonly counts: LimitCounts
  readonly fields: LimitFields
  readonly status: number
  readonly allows: string
  private readonly inFlight: InFlight
  private readonly scope: LimitScope
  private readonly key: RequestKey

  constructor({ site, path }: ServedLimit, config: ConcurrencyLimitConfig, parts: LimitParts) {
    const { name, max, keysMax, key, status } = config
    this.name = name
    this.site = site
    this.config = config
    this.counts = parts.counts
    // `qu` is the unit of a quota: draft-ietf-httpapi-ratelimit-headers-11 §2.1.
    this.fields = limitFields(name, `q=${max};qu="concurrent-requests"`, false)
    this.status = status
    this.allows = `${max} requests at once`
    this.inFlight = new InFlight({ keysMax, workers: parts.workers }, openSharedWords(path!), parts.place)
    this.scope = new LimitScope(config)
    this.key = requestKey(key, LENGTHS, parts.networkOf)
  }

  get request(): RequestLimit {
    return this
  }

  ask(exchange: Exchange): Decision | undefined {
    if (!this.scope.has(exchange)) return undefined
    const { inFlight, config } = this
    this.hash(exchange)
    const ticket = inFlight.enter(config.max)
    if (ticket === undefined)
      return { allowed: false, remaining: 0, retryAfterMs: RETRY_MS, resetMs: RETRY_MS }
    exchange.whenOver(() => inFlight.leave(ticket))
    return { allowed: true, remaining: config.max - inFlight.before - 1, retryAfterMs: 0, resetMs: 0 }
  }

  private hash(exchange: Exchange): void {
    const { hash } = this.inFlight
    const key = this.key.of(exchange)
    if (typeof key === 'string') return hash.ofText(key, 0)
    let kind = 0
    const beside = this.key.beside?.(exchange)
    if (beside !== undefined) {
      hash.ofText(beside, 1)
      kind = hash.high
    }
    const isV4 = key.family === 4
    hash.ofPrefix(key.words, isV4 ? 3 : 0, isV4 ? LENGTHS.v4 : LENGTHS.v6, kind ^ key.family)
  }
}
