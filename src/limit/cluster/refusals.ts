/**
 * Refusals that still hold: a key that was told to come back in a while is not asked for again until then.
 *
 * What was refused stays refused until the time it was told, whatever others do, since they can only take more. So this changes no decision; it
 * keeps a client that hammers from hammering at Redis, too. It is believed for a second at most: somebody may have changed the limit, or taken
 * the key out of Redis by hand.
 */
import type { Decision } from '../limiter.ts'

const BELIEVED_MS = 1_000
const KEYS_MAX = 10_000

interface Refusal {
  readonly cost: number
  readonly remaining: number
  readonly untilMs: number
  readonly retryAtMs: number
  readonly resetAtMs: number
}

export class Refusals {
  readonly #believedMs: number
  readonly #byKey = new Map<string, Refusal>()

  constructor(believedMs = BELIEVED_MS) {
    this.#believedMs = Math.min(believedMs, BELIEVED_MS)
  }

  /** `askedMs`: before Redis decided, so that the wait it told has begun no earlier. */
  note(key: string, cost: number, { remaining, retryAfterMs, resetMs }: Decision, askedMs: number): void {
    const untilMs = askedMs + Math.min(retryAfterMs, this.#believedMs)
    this.#byKey.delete(key)
    if (this.#byKey.size >= KEYS_MAX) this.#byKey.delete(this.#byKey.keys().next().value!)
    const times = { untilMs, retryAtMs: askedMs + retryAfterMs, resetAtMs: askedMs + resetMs }
    this.#byKey.set(key, { cost, remaining, ...times })
  }

  find(key: string, cost: number, nowMs: number): Decision | undefined {
    if (this.#byKey.size === 0) return undefined
    const refusal = this.#byKey.get(key)
    if (refusal === undefined) return undefined
    if (nowMs >= refusal.untilMs) {
      this.#byKey.delete(key)
      return undefined
    }
    if (cost < refusal.cost) return undefined
    const { remaining, retryAtMs, resetAtMs } = refusal
    return {
      allowed: false,
      remaining,
      retryAfterMs: Math.max(1, Math.ceil(retryAtMs - nowMs)),
      resetMs: Math.max(1, Math.ceil(resetAtMs - nowMs)),
    }
  }
}
