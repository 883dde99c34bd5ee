/**
 * One endpoint in the pool of an origin: its connections, its share of the requests, what happened there and what is
 * therefore thought of it.
 *
 * Calls tell it when they come, are answered, fail and leave. What it thinks of itself is told to the pool by `onChange`.
 */
import type { ErrorCode } from '../../base/error-codes.ts'
import type { EdgeError } from '../../base/errors.ts'
import type { EndpointConfig, OriginConfig } from '../../config/schema.ts'
import type { EndpointState } from '../../contract/origin.ts'
import { hostAndPort, type Address } from './address.ts'
import { hashText } from './balance/consistent-hash.ts'
import type { Candidate } from './balance/balancer.ts'
import type { Call } from './call.ts'
import type { Endpoint } from './endpoint.ts'
import { EndpointStats, type OverflowReason } from './endpoint-stats.ts'
import { Outlier } from './outlier.ts'

export interface MemberDeps {
  readonly config: OriginConfig
  /** Statuses of `passive.status`. */
  readonly failing: ReadonlySet<number>
  /** There is no other, so it is never left out. */
  isAlone(): boolean
  /** It is up, down or ejected now, and was not before. */
  onChange(member: Member, what: string): void
}

/** What an endpoint gets of its share in the first moment of a slow start. */
const SLOW_START_FROM = 0.1

export class Member implements Candidate {
  readonly settings: EndpointConfig
  readonly address: Address
  readonly addressText: string
  readonly endpoint: Endpoint
  readonly stats = new EndpointStats()
  readonly outlier: Outlier | undefined
  readonly seed: number
  share: number
  credit = 0
  active = 0
  /** False: the checks fail. */
  isUp = true
  /** It takes part no more; what is under way is finished. */
  isLeaving = false
  /** When it came back, to start slowly; undefined where it is at its full share. */
  risingSinceMs: number | undefined
  private reason = ''
  private readonly deps: MemberDeps
  private readonly requestsMax: number

  constructor(settings: EndpointConfig, address: Address, endpoint: Endpoint, deps: MemberDeps) {
    const { passive, requestsMax } = deps.config
    this.settings = settings
    this.address = address
    this.addressText = hostAndPort(address)
    this.endpoint = endpoint
    this.deps = deps
    this.outlier = passive === false ? undefined : new Outlier(passive)
    this.seed = hashText(`${settings.name} ${this.addressText}`)
    this.share = settings.weight
    this.requestsMax = requestsMax ?? Number.POSITIVE_INFINITY
  }

  // ── for whoever chooses ─────────────────────────────────────────────────────────────────────────────────────────

  isEjected(nowMs: number): boolean {
    return this.outlier !== undefined && nowMs < this.outlier.ejectedUntilMs
  }

  /** The bound that keeps it from taking one more; undefined where it may. */
  overflow(isUpload: boolean): OverflowReason | undefined {
    return this.active >= this.requestsMax ? 'requests' : this.endpoint.overflow(isUpload)
  }

  /** Weight, and how much of it a slow start gives at this moment. */
  shareAt(nowMs: number): number {
    const { slowStart } = this.deps.config
    const { weight } = this.settings
    if (this.risingSinceMs === undefined || slowStart === undefined) return weight
    const risen = (nowMs - this.risingSinceMs) / slowStart
    if (risen >= 1) {
      this.risingSinceMs = undefined
      return weight
    }
    return weight * Math.max(SLOW_START_FROM, risen)
  }

  // ── told by calls ───────────────────────────────────────────────────────────────────────────────────────────────

  take(call: Call, avoidKept: boolean): void {
    this.active += 1
    this.stats.requests += 1
    this.endpoint.take(call, avoidKept)
  }

  onAnswer(status: number, connectMs: number, responseMs: number, nowMs: number): void {
    this.stats.countAnswer(status, connectMs, responseMs)
    if (this.outlier === undefined) return
    if (status >= 400 && this.deps.failing.has(status)) this.onFailure(`it answered ${status}`, nowMs)
    else this.outlier.onSuccess(nowMs)
  }

  onError(error: EdgeError, nowMs: number): void {
    this.stats.countError(error.code)
    // To be full is not to be broken.
    if (error.code !== 'origin-busy') this.onFailure(error.message, nowMs)
  }

  onLeave(call: Call): void {
    this.active -= 1
    this.endpoint.onLeave(call)
  }

  private onFailure(reason: string, nowMs: number): void {
    const { outlier } = this
    if (outlier === undefined || this.deps.isAlone() || !outlier.onFailure(nowMs)) return
    this.stats.ejections += 1
    this.reason = reason
    this.deps.onChange(
      this,
      `left out for ${Math.round(outlier.ejectedUntilMs - nowMs)} ms: the last failure was that ${reason}`,
    )
  }

  // ── told by checks ──────────────────────────────────────────────────────────────────────────────────────────────

  onUp(nowMs: number): void {
    this.isUp = true
    this.reason = ''
    this.risingSinceMs = nowMs
    this.deps.onChange(this, 'up again: its checks succeed')
  }

  onDown(reason: string): void {
    this.isUp = false
    this.reason = reason
    this.deps.onChange(this, `down: ${reason}`)
  }

  // ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** `app (10.0.0.1:9000)`; the address alone where it is the whole of the name. */
  get label(): string {
    const { name } = this.settings
    return name.endsWith(`//${this.addressText}`) ? name : `${name} (${this.addressText})`
  }

  /** In what state it is, and why. */
  describe(): string {
    return this.isUp ? 'left out after failures' : `down (${this.reason})`
  }

  health(nowMs: number): EndpointState['state'] {
    if (this.isLeaving) return 'leaving'
    if (!this.isUp) return 'down'
    return this.isEjected(nowMs) ? 'ejected' : 'up'
  }

  state(nowMs: number): EndpointState {
    const { settings, stats } = this
    const { open, waiting } = this.endpoint.counts
    const state = this.health(nowMs)
    const full = this.overflow(false) ?? this.overflow(true)
    return {
      endpoint: settings.name,
      address: this.addressText,
      state,
      weight: settings.weight,
      share: this.shareAt(nowMs),
      ...(full !== undefined && { full }),
      backup: settings.backup,
      active: this.active,
      connections: open,
      waiting,
      requests: stats.requests,
      errors: stats.errors,
      ejections: stats.ejections,
      ...(state === 'up' || this.reason === '' ? {} : { reason: this.reason }),
    }
  }
}

/** Codes of failures after which another endpoint may do better, by the word in `retries.on`. */
export const RETRY_REASONS: Partial<Record<ErrorCode, 'connect' | 'closed' | 'timeout'>> = {
  'origin-refused': 'connect',
  'origin-unreachable': 'connect',
  'origin-timeout-connect': 'connect',
  'origin-tls': 'connect',
  'origin-closed': 'closed',
  'origin-timeout-response': 'timeout',
}
