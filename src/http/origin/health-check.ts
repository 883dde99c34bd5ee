/**
 * Asks one endpoint from time to time whether it is well, on a connection of its own, so that accepting is checked too.
 *
 * Every worker checks for itself: what it cannot reach is what counts for its requests, it needs nobody to tell it, and a
 * check is one small request in some seconds. Thresholds in both directions keep an endpoint that flaps from flapping here;
 * only the first check decides alone, so that a node that starts does not send requests to what has long been down.
 */
import type { Clock } from '../../base/clock.ts'
import type { OriginConfig } from '../../config/schema.ts'
import { Call, type Attempts } from './call.ts'
import { Endpoint } from './endpoint.ts'
import type { Member } from './member.ts'

type HealthConfig = NonNullable<OriginConfig['health']>

/** Of an answer to a check, so many bytes are read, and no more. */
const BODY_MAX = 64 * 1024
/** How far a wait may be off, so that workers and nodes do not all check at once. */
const JITTER = 0.1
/** The first check comes within this time. */
const FIRST_WITHIN_MS = 200

const ONCE: Attempts = { failOver: () => false, onStatus: () => false }

export interface HealthCheckDeps {
  readonly clock: Clock
  readonly random: () => number
}

export class HealthCheck {
  private readonly member: Member
  private readonly config: HealthConfig
  private readonly good: ReadonlySet<number>
  private readonly deps: HealthCheckDeps
  private timer: NodeJS.Timeout
  private stopCheck: (() => void) | undefined
  private isFirst = true
  /** Results in a row that speak against what is believed. */
  private against = 0

  constructor(member: Member, config: HealthConfig, deps: HealthCheckDeps) {
    this.member = member
    this.config = config
    this.good = new Set(config.status)
    this.deps = deps
    this.timer = this.after(deps.random() * Math.min(FIRST_WITHIN_MS, config.every))
  }

  stop(): void {
    clearTimeout(this.timer)
    this.stopCheck?.()
  }

  private after(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.check(), ms).unref()
  }

  private check(): void {
    const { clock } = this.deps
    const { address } = this.member
    const { path, host, timeout } = this.config
    const timeouts = { connect: timeout, response: timeout, idle: timeout }
    const endpoint = new Endpoint({ address, timeouts, connectionsMax: 1, pendingMax: 0, clock })
    let bytes = 0
    const request = {
      method: 'GET',
      target: path,
      headers: ['host', host ?? address.authority, 'user-agent', 'orla-health-check', 'accept', '*/*'],
      body: 'none' as const,
    }
    const finish = (problem: string): void => {
      clearTimeout(timer)
      this.stopCheck = undefined
      call.abort()
      endpoint.close()
      this.onResult(problem)
    }
    let status = 0
    const judge = (): void => finish(this.good.has(status) ? '' : `GET ${path} was answered with ${status}`)
    const call = new Call(
      request,
      {
        onHead: (head) => void (status = head.status),
        onData(chunk) {
          bytes += chunk.length
          if (bytes > BODY_MAX) judge()
          return true
        },
        onEnd: judge,
        onError: (error) => finish(error.message),
        onDrain() {},
      },
      ONCE,
      clock,
    )
    // The whole of it: an answer that drips is none.
    const timer = setTimeout(() => {
      finish(`GET ${path} took longer than ${timeout} ms`)
    }, timeout).unref()
    this.stopCheck = () => {
      clearTimeout(timer)
      call.abort()
      endpoint.close()
    }
    endpoint.take(call, false)
  }

  private onResult(problem: string): void {
    const { member, config, deps } = this
    const isGood = problem === ''
    member.stats.checks[isGood ? 'ok' : 'failed'] += 1
    this.against = isGood === member.isUp ? 0 : this.against + 1
    const needed = this.isFirst ? 1 : isGood ? config.healthy : config.unhealthy
    this.isFirst = false
    if (this.against >= needed) {
      this.against = 0
      if (isGood) member.onUp(deps.clock.monotonic())
      else member.onDown(`a check failed: ${problem}`)
    }
    this.timer = this.after(config.every * (1 - JITTER + 2 * JITTER * deps.random()))
  }
}
