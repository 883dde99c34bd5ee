const FIRST_MS = 100
const MAX_MS = 10_000

/** What is waited for before the next attempt, after so many that failed: ever longer, with chance in it, so that many do not come at once. */
export const backOffMs = (failures: number, random: () => number): number =>
  Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(failures, 20)) * (0.5 + random() / 2)
