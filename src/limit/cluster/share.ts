/** What one worker may give of one key without asking, and what it knows of that key. */
import type { Place } from './level-keys.ts'

/** Units that Redis has counted already, and nobody has taken yet. */
export interface Lot {
  units: number
  readonly untilMs: number
  /** When Redis set it aside, by its own clock. */
  readonly at: number
}

export class Share {
  readonly place: Place
  /** Oldest first. */
  lots: Lot[] = []
  /** Given before Redis was asked, and not told yet. */
  untold = 0
  /** Taken since the last time that shares were settled, and how much is expected until the next. */
  spent = 0
  expected = 0
  /** What nobody has, as Redis said last. */
  remaining = 0
  /** When the key has all of its allowance again, if nobody takes of it; it is known as little as a new one then. */
  fullAtMs = -Infinity
  isAsking = false

  constructor(place: Place) {
    this.place = place
  }

  /** Units that may be given at this moment. */
  unitsAt(nowMs: number): number {
    let units = 0
    for (const lot of this.lots) if (lot.untilMs > nowMs) units += lot.units
    return units
  }

  /** Takes from the lots, the oldest first; false where they do not hold so much. */
  spend(cost: number, nowMs: number): boolean {
    if (this.lots.length === 0 || this.unitsAt(nowMs) < cost) return false
    let left = cost
    for (const lot of this.lots) {
      if (lot.untilMs <= nowMs) continue
      const part = Math.min(left, lot.units)
      lot.units -= part
      left -= part
    }
    this.lots = this.lots.filter(({ units }) => units > 0)
    this.spent += cost
    return true
  }
}
