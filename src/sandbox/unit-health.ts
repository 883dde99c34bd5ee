/**
 * How a version fares: its breaker, and whether it is quarantined, which ends only with a new version.
 *
 * What ends a process is quarantined at once. What is cut off for CPU or memory again and again, within a minute, is so
 * too: each such time costs everybody else.
 */
import { Breaker } from './breaker.ts'
import type { FailureReason } from '../contract/unit.ts'

const CUTS_MAX = 3
const CUTS_WITHIN_MS = 60_000

export class UnitHealth {
  readonly breaker: Breaker
  /** When runs of it were cut off lately. */
  readonly #cutsAt: number[] = []

  constructor(random: () => number) {
    this.breaker = new Breaker(random)
  }

  /** A run was cut off. True where that is once too often. */
  cutOff(reason: FailureReason, now: number): boolean {
    if (reason !== 'cpu' && reason !== 'memory') return false
    this.#cutsAt.push(now)
    while (this.#cutsAt.length > 0 && now - this.#cutsAt[0]! > CUTS_WITHIN_MS) this.#cutsAt.shift()
    return this.#cutsAt.length >= CUTS_MAX
  }
}
