/** What the stages need of the node: put together in `compose.ts`. */
import type { Clock } from '../base/clock.ts'
import type { ChallengeMaterial } from '../contract/tls.ts'
import type { UnitRunner } from '../contract/unit-runner.ts'
import type { SpanSink } from '../contract/telemetry.ts'
import type { UnitVersion } from '../contract/unit.ts'
import type { Banning } from './banning.ts'
import type { AccessLog } from './access-log/access-log.ts'
import type { DohService } from './doh-stage.ts'
import type { HttpMetrics } from './http-metrics.ts'
import type { NetworkOf } from './limits/limit-keys.ts'
import type { RequestLimit } from './limits/request-limit.ts'
import type { UnitLimits } from './limits/unit-limits.ts'
import type { RequestIdUse } from './request-id.ts'
import type { Siblings } from './siblings/siblings.ts'
import type { SiteTable } from './sites.ts'
import type { Upgrades } from './upgrade/upgrades.ts'

export interface HttpNode extends Clock {
  readonly sites: SiteTable
  readonly runner: UnitRunner
  readonly metrics: HttpMetrics
  /** What an ACME authority asks for at the moment; mostly nothing. */
  readonly challenges: ChallengeMaterial
  /** Where `redirectHttps` leads unless it says so itself. */
  readonly httpsPort: number
  readonly upgrades: Upgrades
  /** Told whom limits refuse; absent where nobody is banned by that. */
  readonly banning?: Pick<Banning, 'refused'> | undefined
  /** The network that an address is in, where there is a table that knows it. */
  readonly networkOf: NetworkOf
  /** Over all sites; those of a site have them, too. */
  readonly limits: readonly RequestLimit[]
  readonly unitLimits: UnitLimits
  /** Versions that `onError: "lastGood"` falls back to, of the live set. */
  readonly lastGood: Readonly<Record<string, UnitVersion>>
  /** Who is told the ids of requests. */
  readonly requestId: RequestIdUse
  /** The share of traces begun here that is sampled; undefined: `traceparent` passes as it came. */
  readonly traceSample: number | undefined
  /** Takes the spans of sampled requests; undefined where nobody asks for them. */
  readonly tracer: SpanSink | undefined
  /** This node in `CDN-Loop`. */
  readonly loopMark: string
  readonly isDraining: boolean
  /** The other workers of the node; absent where there are none. */
  readonly siblings?: Siblings | undefined
  /** Where requests are noted that have no site, or whose site says nothing else. */
  readonly accessLog: AccessLog | undefined
  /** Tells the operator. */
  warn(line: string): void
  /** Answers DNS over HTTPS; absent where that is not asked for. */
  readonly doh?: DohService | undefined
  /** Bytes of a request's body that a `content` unit reads at most. */
  readonly unitBodyBytes: number
}
