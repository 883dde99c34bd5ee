/** Bytes a second of the body of an answer. It refuses nobody: the way back to the client gets a pace. */
import type { BandwidthLimitConfig } from '../../config/schema.ts'
import type { ServedLimit } from '../../contract/limits.ts'
import type { Decision } from '../../limit/limiter.ts'
import type { Exchange } from '../exchange.ts'
import type { LimitParts, NamedLimit } from './limit-kinds.ts'
import { LimitScope } from './limit-scope.ts'
import { PacedConnection } from './paced-connection.ts'
import type { LimitCounts, RequestLimit } from './request-limit.ts'

export class BandwidthLimit implements RequestLimit, NamedLimit {
  readonly name: string
  readonly site: string
  readonly config: BandwidthLimitConfig
  readonly counts: LimitCounts
  readonly fields = undefined
  readonly status = 429
  readonly allows: string
  private readonly scope: LimitScope

  constructor({ site }: ServedLimit, config: BandwidthLimitConfig, { counts }: LimitParts) {
    this.name = config.name
    this.site = site
    this.config = config
    this.counts = counts
    this.allows = `${config.bytesPerSecond} bytes a second`
    this.scope = new LimitScope(config)
  }

  get request(): RequestLimit {
    return this
  }

  ask(exchange: Exchange): Decision | undefined {
    if (!this.scope.has(exchange)) return undefined
    const { bytesPerSecond, after, dryRun } = this.config
    if (!dryRun)
      exchange.connection = new PacedConnection(exchange.connection, exchange, { bytesPerSecond, after })
    return { allowed: true, remaining: bytesPerSecond, retryAfterMs: 0, resetMs: 0 }
  }
}
