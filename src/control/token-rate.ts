/**
 * How much one token may ask: a script that runs wild with a valid one must not keep the node from the others, nor fill the audit log. Each token has
 * a budget of its own, wherever it is used from. Wrong ones are slowed down by `throttle.ts`.
 */
import { PaceBudget, type Pace } from '../base/pace-budget.ts'

export interface RequestLimits {
  /** Requests at once, before `perSecond` counts. */
  readonly burst: number
  readonly perSecond: number
}

/** Tokens whose budgets are at hand before those that are full again are forgotten. */
const TOKENS_KEPT = 1000

export class TokenRate {
  readonly #now: () => number
  readonly #limits: () => RequestLimits
  readonly #budgets = new Map<string, PaceBudget>()

  /** `now` in milliseconds, monotonic. `limits` may change while the node runs. */
  constructor(now: () => number, limits: () => RequestLimits) {
    this.#now = now
    this.#limits = limits
  }

  /** Counts a request of this token. Milliseconds that it has to wait, and then it does not count; 0: it may go on. */
  take(id: string): number {
    const nowMs = this.#now()
    const { burst, perSecond } = this.#limits()
    const pace: Pace = { most: burst, everyMs: 1000 / perSecond }
    let budget = this.#budgets.get(id)
    if (budget === undefined) {
      if (this.#budgets.size >= TOKENS_KEPT) this.#forgetFull(nowMs, pace)
      this.#budgets.set(id, (budget = new PaceBudget(nowMs, pace)))
    }
    return budget.take(nowMs, pace) ? 0 : budget.waitMs(nowMs, pace)
  }

  #forgetFull(nowMs: number, pace: Pace): void {
    for (const [id, budget] of this.#budgets) if (budget.isFull(nowMs, pace)) this.#budgets.delete(id)
  }
}
