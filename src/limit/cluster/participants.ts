/**
 * How many workers of all nodes count together: each says once a second that it is there, and hears how many are.
 *
 * Shares that are given away before anybody was asked are a fraction of the allowance, divided by that number; so it must never be too small. One that
 * comes waits for two beats before it gives any, so that all others have heard of it; and whoever has heard nothing for two beats gives none.
 */
import type { Clock } from '../../base/clock.ts'
import { every, type Timers } from '../../base/timers.ts'
import type { CounterServers } from './cluster-limiter.ts'
import { JOIN } from './scripts.ts'

const BEAT_MS = 1_000
/** In Redis a beat counts for longer than whoever made it relies on it. */
const BELIEVED_MS = 3 * BEAT_MS

export interface ParticipantsOptions {
  readonly counters: CounterServers
  readonly prefix: string
  /** Of this worker: no other has it. */
  readonly id: string
  readonly clock: Clock
  readonly timers: Timers
}

export class Participants {
  readonly #options: ParticipantsOptions
  #count = 1
  #joinedMs = Infinity
  #heardMs = -Infinity
  #callOff: (() => void) | undefined

  constructor(options: ParticipantsOptions) {
    this.#options = options
  }

  /** At least 1: this one. */
  get count(): number {
    return this.#count
  }

  /** Whether the number can be relied on. */
  get isSettled(): boolean {
    const nowMs = this.#options.clock.monotonic()
    return nowMs - this.#joinedMs >= 2 * BEAT_MS && nowMs - this.#heardMs < 2 * BEAT_MS
  }

  start(): void {
    this.#callOff ??= every(this.#options.timers, BEAT_MS, () => void this.#beat())
    void this.#beat()
  }

  close(): void {
    this.#callOff?.()
    this.#callOff = undefined
  }

  async #beat(): Promise<void> {
    const { counters, prefix, id, clock } = this.#options
    const tag = 'workers'
    const link = counters.linkOf(tag)
    const askedMs = clock.monotonic()
    try {
      if (link === undefined) throw new Error('nobody to ask')
      const count = Number(await counters.run(link, JOIN, [`${prefix}{${tag}}`], [id, String(BELIEVED_MS)]))
      const nowMs = clock.monotonic()
      // Who was silent for so long may have been forgotten: it comes anew.
      if (askedMs - this.#heardMs >= 2 * BEAT_MS) this.#joinedMs = nowMs
      this.#count = Math.max(1, count)
      this.#heardMs = askedMs
    } catch {
      // Nothing was heard: see `isSettled`.
    }
  }
}
