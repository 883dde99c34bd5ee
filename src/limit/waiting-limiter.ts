/**
 * A limiter whose items may wait: `handle` keeps them until it is their turn, and hands them on in the order in which they came.
 *
 * One timer runs, for the first that is due. What is due leaves before anything that comes: also where the timer is late, nothing is overtaken.
 */
import { KEYS_MAX } from '../base/rate.ts'
import { systemTimers, type Timers } from '../base/timers.ts'
import type { AlgorithmName } from './algorithms/algorithm.ts'
import { STEP_BACK_MS } from './algorithms/moment.ts'
import { told, whole } from './algorithms/plan.ts'
import { DueQueue } from './due-queue.ts'
import type { LimiterOptions, WaitingOptions } from './limiter-options.ts'
import type { Decision } from './limiter.ts'
import { MemoryLimiter } from './memory-limiter.ts'

const WAITING_DEFAULT = 100_000
/** `setTimeout` takes a little more. A timer that ends before its item is due is set anew. */
const TIMER_MAX_MS = 2 ** 30

export abstract class WaitingLimiter<Item = unknown> extends MemoryLimiter<Item> {
  readonly #queue = new DueQueue<Item>()
  readonly #waitingMax: number
  readonly #timers: Timers
  #seenMs = 0
  #timerMs = Infinity
  #callOffTimer = (): void => undefined

  protected constructor(name: AlgorithmName, options: LimiterOptions<Item> & WaitingOptions) {
    super(name, options)
    const { waitingMax = WAITING_DEFAULT, timers = systemTimers } = options
    whole('waitingMax', waitingMax, 1, KEYS_MAX)
    if (typeof timers?.later !== 'function')
      throw new TypeError(`timers: expected an object with later(ms, work), not ${told(timers)}`)
    this.#waitingMax = waitingMax
    this.#timers = timers
  }

  /** Items that wait. */
  get waiting(): number {
    return this.#queue.size
  }

  /**
   * Gives an item to `forward` at once, or when it is its turn, or to `drop` where too many wait. `waitMs` of the decision says how long it has to wait.
   * An item that waits keeps the process alive.
   */
  override handle(item: Item): Decision {
    const now = this.now()
    this.#forwardDue(now)
    if (this.#queue.size >= this.#waitingMax) return this.#refuse(item, now)
    const decision = this.decide(item, now)
    if (!decision.allowed) this.drop(item, decision)
    else if (decision.waitMs === undefined) this.forward(item)
    else {
      this.#queue.push(item, now + decision.waitMs)
      this.#setTimer(now)
    }
    return decision
  }

  /** Takes back all that wait, in the order in which they would have left. None of them is forwarded. */
  callOff(): Item[] {
    const items: Item[] = []
    while (this.#queue.size > 0) items.push(this.#queue.shift())
    this.#setTimer(0)
    return items
  }

  /** There is no room for anything that may have to wait. */
  #refuse(item: Item, now: number): Decision {
    const decision = { allowed: false, remaining: 0, retryAfterMs: this.#queue.nextMs - now, resetMs: 0 }
    this.drop(item, decision)
    return decision
  }

  #forwardDue(now: number): void {
    // Where the clock was set back, who waits goes on to wait as long as before.
    if (now < this.#seenMs - STEP_BACK_MS) this.#queue.advance(this.#seenMs - now)
    this.#seenMs = now < this.#seenMs - STEP_BACK_MS ? now : Math.max(this.#seenMs, now)
    try {
      while (this.#queue.nextMs <= now) this.forward(this.#queue.shift())
    } finally {
      // Also where `forward` threw: the others still wait.
      this.#setTimer(now)
    }
  }

  /** Sets the timer for the first that is due, where it is not set for that already. */
  #setTimer(now: number): void {
    const dueMs = this.#queue.nextMs
    if (dueMs === this.#timerMs) return
    this.#callOffTimer()
    this.#timerMs = dueMs
    if (dueMs === Infinity) return
    const waitMs = Math.min(TIMER_MAX_MS, Math.max(1, dueMs - now))
    this.#callOffTimer = this.#timers.later(waitMs, () => {
      this.#timerMs = Infinity
      this.#forwardDue(this.now())
    })
  }
}
