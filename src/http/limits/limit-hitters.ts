/**
 * Who asks most of a limit, in this worker: every request that is refused, and of those that are allowed so many a second; of more one of some,
 * counted as that many. So what is told is exact while little happens, and costs nearly nothing when much does.
 *
 * Of an address all prefixes are noted that the limit counts by.
 */
import { HeavyHitters } from '../../limit/heavy-hitters.ts'
import type { LimitTop } from '../../contract/limits.ts'
import { type LimitKey, shownKey } from './limit-keys.ts'

/** So many that are allowed are noted each second, and of more one of `SAMPLE`. */
const NOTED_A_SECOND = 500
const SAMPLE = 8

/** Prefix lengths, by family. */
export interface HitterLengths {
  readonly v4: readonly number[]
  readonly v6: readonly number[]
}

export class LimitHitters {
  private readonly hitters = new HeavyHitters()
  private readonly lengths: HitterLengths
  private since = 0
  private noted = 0

  constructor(lengths: HitterLengths) {
    this.lengths = lengths
  }

  note(key: LimitKey, beside: string | undefined, isAllowed: boolean, now: number): void {
    if (!isAllowed) this.add(key, beside, 1, now)
    else if (this.isQuiet(now)) this.add(key, beside, 1, now)
    else if (Math.random() < 1 / SAMPLE) this.add(key, beside, SAMPLE, now)
  }

  private isQuiet(now: number): boolean {
    if (now - this.since >= 1000) {
      this.since = now
      this.noted = 0
    }
    if (this.noted === NOTED_A_SECOND) return false
    this.noted += 1
    return true
  }

  private add(key: LimitKey, beside: string | undefined, count: number, now: number): void {
    const { hitters, lengths } = this
    if (typeof key === 'string') hitters.add(shownKey(key), count, now)
    else if (beside !== undefined) hitters.add(`${shownKey(key)} ${shownKey(beside)}`, count, now)
    else
      for (const length of key.family === 4 ? lengths.v4 : lengths.v6)
        hitters.addAddress(key, length, count, now)
  }

  top(most: number, now: number): readonly LimitTop[] {
    return this.hitters.top(most, now)
  }
}
