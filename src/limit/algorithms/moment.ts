/**
 * How a state keeps time. One word of it holds the last moment it was asked at, plus one, so that zero means never.
 *
 * Clocks do not only grow: they are set, and two processes that share a state read theirs a little apart. What is up to `STEP_BACK_MS`
 * behind counts as the moment that was already seen: going back to it would give the same milliseconds twice. What is further behind is a
 * clock that was set: what was used stays used, and time goes on from there.
 */
export const STEP_BACK_MS = 10_000

/** The latest moment that can be asked at, that of the latest `Date`: windows added to it stay whole numbers. */
export const MOMENT_MAX = 8_640_000_000_000_000

/** The moment that counts, where `word` is what the state holds and `now` is what the clock says. */
export function momentOf(word: number, now: number): number {
  const behind = word - 1 - now
  return behind > 0 && behind <= STEP_BACK_MS ? word - 1 : now
}

/** Milliseconds that have passed since the state was last asked; 0 where it never was, or the clock stepped back. */
export const passedMs = (word: number, now: number): number =>
  word > 0 && now > word - 1 ? now - word + 1 : 0
