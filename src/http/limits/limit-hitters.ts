/**
 * Who asks most of a limit, in this worker: every request that is refused, and of those that are allowed so many a second; of more one of some,
 * counted as that many. So what is told is exact while little happens, and costs nearly nothing when much does.
 *
 * Of an address all prefixes are noted that the limit counts by.
 */
import { HeavyHitters } from '../../limit/heavy-hitters.ts'
import type { LimitTop } from '../../contract/limits.ts'
import { type LimitKey, shownKey } from './limit-keys.ts'

/** So many that are allowed are noted each second, and of more one of `SAMPLE`, on average. */
const NOTED_A_SECOND = 500
const SAMPLE = 16
/** Characters that are kept of each end of a longer key: headers may have many thousands, and tokens often begin alike. */
const END_LENGTH = 64

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
  /** Those that are still to be left out. */
  private skipped = 0

  constructor(lengths: HitterLengths) {
    this.lengths = lengths
  }

  note(key: LimitKey, beside: string | undefined, isAllowed: boolean, now: number): void {
    if (!isAllowed) this.add(key, beside, 1, now)
    else if (this.skipped > 0) this.skipped -= 1
    else this.add(key, beside, this.weight(now), now)
  }

  /** What one that is noted stands for. */
  private weight(now: number): number {
    if (now - this.since >= 1000) {
      this.since = now
      this.noted = 0
    }
    if (this.noted < NOTED_A_SECOND) {
      this.noted += 1
      return 1
    }
    // By chance: whoever comes in step with others would be noted always, or never.
    this.skipped = Math.floor(Math.random() * (2 * SAMPLE - 1))
    return SAMPLE
  }

  private add(key: LimitKey, beside: string | undefined, count: number, now: number): void {
    const { hitters, lengths } = this
    if (typeof key === 'string') hitters.add(shortened(shownKey(key)), count, now)
    else if (beside !== undefined) hitters.add(`${shownKey(key)} ${shortened(shownKey(beside))}`, count, now)
    else
      for (const length of key.family === 4 ? lengths.v4 : lengths.v6)
        hitters.addAddress(key, length, count, now)
  }

  top(most: number, now: number): readonly LimitTop[] {
    return this.hitters.top(most, now)
  }
}

const shortened = (text: string): string =>
  text.length <= 2 * END_LENGTH ? text : `${text.slice(0, END_LENGTH)}…${text.slice(-END_LENGTH)}`
