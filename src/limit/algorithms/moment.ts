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
  return behind > 0 && behind <= STEP_BACK_MS && Number.isInteger(behind) ? word - 1 : now
}

/** What a word counts, from 0 to `most`; `most` where it holds anything else, for it errs to the stricter side. */
export const counted = (word: number, most: number): number =>
  word >= 0 && word <= most && Number.isInteger(word) ? word : most

/**
 * What a clock says, in whole milliseconds.
 * @throws RangeError where it says no such time
 */
export function momentOn(clock: () => number): number {
  const now = Math.floor(clock())
  if (!(now >= 0 && now <= MOMENT_MAX))
    throw new RangeError(`clock: expected milliseconds from 0 to ${MOMENT_MAX}, not ${String(now)}`)
  return now
}
