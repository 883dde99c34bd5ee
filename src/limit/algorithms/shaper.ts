/**
 * (r, t) shaping: time is cut into frames of length t, and no frame sends more than r. What comes when the frame has sent its share waits for
 * the first frame that has room, in the order in which it came, where fewer than `queue` wait; else it is refused.
 *
 * Looser than a leaky queue, which lets one through after the other: a frame's share may leave at once. The price: nothing larger than r can ever be
 * sent, and around the boundary of two frames up to 2·r leave close together. Frames stand side by side on the clock. What does not fit into
 * the rest of a frame goes into the next as a whole, and nothing overtakes it.
 *
 * A stream that is so is called (r, T)-smooth: S. J. Golestani, "A stop-and-go queueing framework for congestion management" (SIGCOMM 1990), whose
 * r is a rate, r·T a frame; with r a frame, as here, in N. Feamster's course on computer networks (Georgia Tech CS 6250, "Rate limiting and
 * traffic shaping"). Two words: the start of the frame, and what it and the frames after it were given.
 */
import type { Decision } from '../limiter.ts'
import type { Algorithm } from './algorithm.ts'
import { counted } from './moment.ts'
import { queueOf, type RatePlan } from './plan.ts'
import { laterStart, startAt, startOf, windowsPassed } from './window-start.ts'

export class ShaperAlgorithm implements Algorithm {
  readonly name = 'shaper'
  readonly words = 2
  readonly layout: string
  readonly costMax: number
  readonly #frameMs: number
  readonly #startMs: number
  /** What this frame and those after it can be given. */
  readonly #most: number

  constructor(plan: RatePlan) {
    this.costMax = plan.count
    this.#frameMs = plan.windowMs
    this.#startMs = plan.startMs ?? 0
    this.#most = plan.count + queueOf(plan)
    // What was given to frames to come is counted in shares of frames.
    this.layout = `${this.name}/${plan.windowMs}/${plan.count}`
  }

  take(state: Float64Array, at: number, cost: number, now: number): Decision {
    const start = startAt(state[at]!, now, this.#frameMs, this.#startMs)
    const given = this.#given(state, at, now)
    const place = this.#place(given, cost)
    // A frame's share that is there now is given whatever may wait.
    const allowed = cost === 0 || (cost <= this.costMax && place + cost <= this.#most)
    const after = allowed && cost > 0 ? place + cost : given
    if (cost > 0) {
      state[at] = start + 1
      state[at + 1] = after
    }
    const until = (frames: number): number => start + frames * this.#frameMs - now
    const over = (place + cost - this.#most) / this.costMax
    const decision = {
      allowed,
      remaining: this.#most - after,
      retryAfterMs: allowed ? 0 : cost > this.costMax ? Infinity : until(Math.ceil(over)),
      resetMs: after === 0 ? 0 : until(Math.ceil(after / this.costMax)),
    }
    const frame = Math.floor(place / this.costMax)
    const waitMs = allowed && cost > 0 && frame > 0 ? until(frame) : 0
    return waitMs > 0 ? { ...decision, waitMs } : decision
  }

  isIdle(state: Float64Array, at: number, now: number): boolean {
    return this.#given(state, at, now) === 0
  }

  used(state: Float64Array, at: number, now: number): number {
    return this.#given(state, at, now)
  }

  load(state: Float64Array, at: number, used: number, now: number): void {
    state[at] = startOf(now, this.#frameMs, this.#startMs) + 1
    state[at + 1] = Math.min(used, this.#most)
  }

  merge(state: Float64Array, at: number, words: Float64Array, other: number, now: number): void {
    const given = Math.max(this.#given(state, at, now), this.#given(words, other, now))
    state[at] = laterStart(state[at]!, words[other]!, now, this.#frameMs, this.#startMs) + 1
    state[at + 1] = given
  }

  /** Where a cost begins, behind what was given: in a frame that has room for all of it. */
  #place(given: number, cost: number): number {
    const into = given % this.costMax
    return into + cost > this.costMax ? given - into + this.costMax : given
  }

  /** What the frame that counts at `now` and those after it were given. */
  #given(state: Float64Array, at: number, now: number): number {
    const given = counted(state[at + 1]!, this.#most)
    return Math.max(0, given - windowsPassed(state[at]!, now, this.#frameMs) * this.costMax)
  }
}
