/**
 * Brings reports of one signal to a collector, one after the other: tries again what may come through later, with longer and longer waits,
 * counts what became of the items in them, and tells the operator once when it begins to fail and once when that is over.
 */
import type { MetricSample } from '../contract/messages.ts'
import type { CollectorSettings } from '../contract/telemetry.ts'
import { Collector, type Delivery } from './collector.ts'
import type { Signal } from './encoding.ts'

/** Why items did not arrive. */
export type DropReason =
  /** More came than left. */
  | 'full'
  /** The collector could not be reached, or asked for patience, for too long. */
  | 'unreachable'
  /** It refused the report. */
  | 'refused'
  /** It took the report, but not these. */
  | 'rejected'
  /** The node ended, or its configuration changed, before they had left. */
  | 'closed'

const REASONS: readonly DropReason[] = ['full', 'unreachable', 'refused', 'rejected', 'closed']

const WAIT_FIRST_MS = 1000
const WAIT_MAX_MS = 30_000
/**
 * A collector may ask for no less and no more: `Retry-After: 0`, or a date that our clock has passed, would have it asked without a pause
 * by every worker.
 */
const ASKED_WAIT_MIN_MS = 1000
const ASKED_WAIT_MAX_MS = 5 * 60_000

export interface CourierDeps {
  readonly signal: Signal
  readonly random: () => number
  /** Tells the operator. */
  readonly warn: (line: string) => void
}

/** What became of the items of a signal. It outlives the couriers that a reload replaces: totals never go back. */
export class DeliveryCounts {
  readonly #signal: Signal
  sent = 0
  readonly #dropped: Record<DropReason, number> = {
    full: 0,
    unreachable: 0,
    refused: 0,
    rejected: 0,
    closed: 0,
  }

  constructor(signal: Signal) {
    this.#signal = signal
  }

  drop(reason: DropReason, items: number): void {
    this.#dropped[reason] += items
  }

  samples(): MetricSample[] {
    const signal = this.#signal
    return [
      { name: 'orla_telemetry_sent_total', labels: { signal }, value: this.sent },
      ...REASONS.map((reason) => ({
        name: 'orla_telemetry_dropped_total',
        labels: { signal, reason },
        value: this.#dropped[reason],
      })),
    ]
  }
}

export class Courier {
  readonly #deps: CourierDeps
  readonly #counts: DeliveryCounts
  readonly #collector: Collector
  /** The address without what may be secret in it. */
  readonly #place: string
  #isFailing = false
  #isRejecting = false
  #isClosing = false
  #waitMs = 0
  #notBefore = 0
  /** It was the collector that said so. */
  #wasAsked = false
  #wake: (() => void) | undefined

  constructor(settings: CollectorSettings, contentType: string, counts: DeliveryCounts, deps: CourierDeps) {
    this.#deps = deps
    this.#counts = counts
    this.#collector = new Collector(settings, contentType)
    const { origin, pathname } = new URL(settings.url)
    this.#place = origin + pathname
  }

  /** Resolves when the report has arrived, or is given up after `forMs`. Never rejects. */
  async deliver(report: Buffer, items: number, forMs: number): Promise<void> {
    const deadline = performance.now() + forMs
    for (let now = performance.now(); now < deadline; now = performance.now()) {
      if (now < this.#notBefore) {
        if (this.#isClosing) break
        await this.#pause(Math.min(this.#notBefore, deadline) - now)
        continue
      }
      if (this.#settle(await this.#attempt(report), items)) return
    }
    this.#counts.drop(this.#isClosing ? 'closed' : 'unreachable', items)
  }

  async #attempt(report: Buffer): Promise<Delivery> {
    try {
      return await this.#collector.send(report)
    } catch (error) {
      return { kind: 'refused', why: (error as Error).message }
    }
  }

  /** False: to be tried again. */
  #settle(delivery: Delivery, items: number): boolean {
    if (delivery.kind === 'accepted') {
      const rejected = Math.min(items, delivery.rejected)
      this.#counts.sent += items - rejected
      this.#counts.drop('rejected', rejected)
      this.#waitMs = 0
      this.#succeeded(rejected, delivery.message)
      return true
    }
    this.#failed(delivery.why)
    if (delivery.kind === 'refused') {
      this.#counts.drop('refused', items)
      return true
    }
    this.#waitMs = Math.min(WAIT_MAX_MS, this.#waitMs * 2 || WAIT_FIRST_MS)
    // Half of it by chance: nodes that lost the same collector do not come back together.
    const ownMs = this.#waitMs * (0.5 + this.#deps.random() / 2)
    const { afterMs } = delivery
    this.#wasAsked = afterMs !== undefined
    const waitMs =
      afterMs === undefined ? ownMs : Math.min(ASKED_WAIT_MAX_MS, Math.max(ASKED_WAIT_MIN_MS, afterMs))
    this.#notBefore = performance.now() + waitMs
    return false
  }

  /** So long, or until it is to hurry. */
  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }

  /** From now on a report is tried once, and only where the collector did not ask for patience. */
  hurry(): void {
    this.#isClosing = true
    if (!this.#wasAsked) this.#notBefore = 0
    this.#wake?.()
  }

  close(): void {
    this.hurry()
    this.#collector.close()
  }

  #failed(why: string): void {
    if (this.#isFailing || this.#isClosing) return
    this.#isFailing = true
    this.#deps.warn(
      `telemetry: ${this.#deps.signal} do not reach ${this.#place} (${why}). Requests are served; what cannot be sent is dropped and counted`,
    )
  }

  #succeeded(rejected: number, message: string): void {
    if (this.#isFailing) {
      this.#isFailing = false
      this.#deps.warn(`telemetry: ${this.#deps.signal} reach ${this.#place} again`)
    }
    if (rejected > 0 && !this.#isRejecting)
      this.#deps.warn(
        `telemetry: ${this.#place} does not take some ${this.#deps.signal}${message === '' ? '' : `: ${message}`}`,
      )
    this.#isRejecting = rejected > 0
  }
}
