/**
 * The origin of a site: chooses an endpoint for each call, and another one where that failed and it is safe to ask again.
 *
 * An endpoint in the configuration that is a name stands for all its addresses, each an endpoint of the pool; who is in the
 * pool is `membership.ts`, who of them takes requests `pool.ts`, and which one of these `balance/`.
 */
import type { Clock } from '../../base/clock.ts'
import type { ErrorCode } from '../../base/error-codes.ts'
import { EdgeError } from '../../base/errors.ts'
import type { OriginConfig } from '../../config/schema.ts'
import type { MetricSample } from '../../contract/messages.ts'
import type { Origin, OriginHandler, OriginRequest, OriginState, SentCall } from '../../contract/origin.ts'
import { createBalancer, type Choose } from './balance/balancer.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { Call, type Attempts } from './call.ts'
import type { OverflowReason } from './endpoint-stats.ts'
import { RETRY_REASONS, type Member } from './member.ts'
import { Membership } from './membership.ts'
import { breakerSamples, originSamples, RetryCounts } from './origin-samples.ts'
import { Pool } from './pool.ts'
import { RetryBudget } from './retry-budget.ts'

export interface OriginDeps {
  readonly clock: Clock
  /** 0 to 1. */
  readonly random?: () => number
  /** Tells the operator: an endpoint is down, ejected, up again; a name cannot be resolved. */
  readonly warn?: (line: string) => void
}

export function createOrigin(config: OriginConfig, deps: OriginDeps): Origin {
  return new PooledOrigin(config, { random: Math.random, warn: () => {}, ...deps })
}

/** Errors that say nothing of the origin: it was not asked. */
const NOT_ASKED: ReadonlySet<ErrorCode> = new Set(['origin-busy', 'origin-down', 'origin-left-alone'])

class PooledOrigin implements Origin, Attempts {
  readonly endpoints: readonly string[]
  private readonly config: OriginConfig
  private readonly clock: Clock
  private readonly pool: Pool
  private readonly membership: Membership
  private readonly choose: Choose
  private readonly budget: RetryBudget
  private readonly breaker: CircuitBreaker | undefined
  private readonly retryOn: ReadonlySet<string | number>
  private readonly retries = new RetryCounts()

  constructor(config: OriginConfig, deps: Required<OriginDeps>) {
    this.endpoints = config.endpoints.map(({ name }) => name)
    this.config = config
    this.clock = deps.clock
    this.pool = new Pool(config)
    this.choose = createBalancer(config, deps.random)
    this.budget = new RetryBudget(config.retries.budget)
    this.breaker =
      config.circuitBreaker &&
      new CircuitBreaker(config.circuitBreaker, (what) =>
        deps.warn(`the circuit breaker of ${this.endpoints.join(', ')} is ${what}`),
      )
    this.retryOn = new Set<string | number>(config.retries.on)
    this.membership = new Membership(config, this.pool, deps, (call) =>
      this.place(call, this.clock.monotonic()),
    )
  }

  send(request: OriginRequest, handler: OriginHandler): SentCall {
    const call = new Call(request, handler, this, this.clock)
    this.budget.onRequest(call.startedAt)
    if (this.breaker === undefined || this.breaker.admit(call.startedAt)) this.place(call, call.startedAt)
    else this.refuse(call, this.leftAlone(this.breaker.restMs(call.startedAt)))
    return call
  }

  // ── where a call goes ───────────────────────────────────────────────────────────────────────────────────────────

  private place(call: Call, nowMs: number): void {
    const member = this.chooseFor(call, nowMs)
    if (member !== undefined) {
      call.goTo(member)
      return
    }
    if (this.membership.mayYetCome(call.request.endpoint)) {
      this.membership.wait(call)
      return
    }
    this.refuse(call, this.nowhere(call))
  }

  /** The caller must have its call in hand before it hears of it. */
  private refuse(call: Call, error: EdgeError): void {
    process.nextTick(() => call.fail(error))
  }

  private leftAlone(restMs: number): EdgeError {
    const seconds = Math.ceil(restMs / 1000)
    return new EdgeError('origin-left-alone', `the circuit breaker is open, for another ${seconds} s`)
  }

  /** An endpoint that has room, and where the call has not been. */
  private chooseFor(call: Call, nowMs: number): Member | undefined {
    const { request, tried } = call
    let candidates = this.pool.candidates(nowMs)
    if (request.endpoint !== undefined) candidates = this.pinned(candidates, request.endpoint)
    if (tried.length > 0 || call.member !== undefined)
      candidates = candidates.filter((member) => member !== call.member && !tried.includes(member))
    if (candidates.length === 0) return undefined
    const isEven = this.pool.isEven && request.endpoint === undefined
    const chosen = this.choose(candidates, isEven, request)
    const overflow = chosen.overflow(call.isUpload)
    if (overflow === undefined) return chosen
    chosen.stats.overflows[overflow] += 1
    const free = candidates.filter((member) => member.overflow(call.isUpload) === undefined)
    return free.length === 0 ? undefined : this.choose(free, isEven, request)
  }

  /** Whoever names an endpoint means it: it is asked also where checks say that it is down. */
  private pinned(candidates: readonly Member[], endpoint: string): readonly Member[] {
    const own = (member: Member): boolean => member.settings.name === endpoint
    const available = candidates.filter(own)
    return available.length > 0 ? available : this.pool.members.filter(own)
  }

  /** Why there is no endpoint for a call. */
  private nowhere({ request: { endpoint }, isUpload }: Call): EdgeError {
    if (endpoint !== undefined && !this.endpoints.includes(endpoint))
      return new EdgeError('origin-unreachable', `the origin has no endpoint ${JSON.stringify(endpoint)}`)
    const { members } = this.pool
    if (members.length === 0) return this.membership.unresolvedError()
    const full = members.find((member) => member.overflow(isUpload) !== undefined)
    const isUp = this.pool.candidates(this.clock.monotonic()).length > 0
    if (isUp && full !== undefined) {
      const { requestsMax, connectionsMax } = this.config
      const { counts, uploadsMax } = full.endpoint
      const inUse = `all ${connectionsMax} connections in use, and ${counts.waiting} requests wait`
      const bounds: Record<OverflowReason, string> = {
        requests: `as many requests as it may have (${requestsMax})`,
        uploads: `as many requests whose bodies are still to come as it may have (${uploadsMax})`,
        connections: inUse,
        pending: inUse,
      }
      const bound = bounds[full.overflow(isUpload)!]
      return new EdgeError('origin-busy', `every endpoint is full: ${full.settings.name} has ${bound}`)
    }
    const reasons = members.map((member) => `${member.label} is ${member.describe()}`)
    return new EdgeError('origin-down', `no endpoint is up: ${reasons.join('; ')}`)
  }

  // ── once more ───────────────────────────────────────────────────────────────────────────────────────────────────

  failOver(call: Call, error: EdgeError): boolean {
    const reason = RETRY_REASONS[error.code]
    if (reason === undefined) return false
    // What was not sent cannot have been done, nor has it cost the origin anything.
    const isFree = reason === 'connect'
    if (!isFree && !call.isSafeToRepeat) return false
    return this.tryAgain(call, reason, isFree, reason === 'timeout')
  }

  onStatus(call: Call, status: number): boolean {
    if (!this.retryOn.has(status)) return false
    return this.tryAgain(call, status, false, true)
  }

  onOutcome(call: Call, outcome: number | EdgeError): void {
    const { breaker } = this
    if (breaker === undefined) return
    const now = this.clock.monotonic()
    if (typeof outcome === 'number') breaker.onAnswer(outcome, call.startedAt, now)
    else if (!NOT_ASKED.has(outcome.code)) breaker.onFailure(outcome.message, call.startedAt, now)
  }

  /** `mayStay`: where there is no other endpoint, the same may do better a second time. */
  private tryAgain(call: Call, reason: string | number, isFree: boolean, mayStay: boolean): boolean {
    if (!this.retryOn.has(reason) || call.retries >= this.config.retries.max) return false
    const now = this.clock.monotonic()
    const next = this.chooseFor(call, now) ?? (mayStay ? this.stay(call) : undefined)
    if (next === undefined) return false
    if (!isFree && !this.budget.take(now)) {
      this.retries.overBudget += 1
      return false
    }
    this.retries.count(String(reason))
    call.countRetry(reason)
    if (typeof reason === 'number') call.dropAnswer()
    call.goTo(next)
    return true
  }

  private stay(call: Call): Member | undefined {
    const { member } = call
    const isFree = member?.isLeaving === false && member.overflow(call.isUpload) === undefined
    return isFree ? member : undefined
  }

  // ── for others ──────────────────────────────────────────────────────────────────────────────────────────────────

  state(): OriginState {
    const now = this.clock.monotonic()
    this.pool.candidates(now)
    return {
      balance: this.config.balance,
      endpoints: this.membership.all().map((member) => member.state(now)),
      unresolved: this.membership.unresolved(),
      ...(this.breaker !== undefined && { circuit: this.breaker.state(now) }),
    }
  }

  samples(site: string): MetricSample[] {
    const now = this.clock.monotonic()
    this.pool.candidates(now)
    return [
      ...originSamples(site, this.membership, this.pool, this.retries, now),
      ...(this.breaker === undefined ? [] : breakerSamples(site, this.breaker, now)),
    ]
  }

  close(): void {
    this.membership.close()
  }
}
