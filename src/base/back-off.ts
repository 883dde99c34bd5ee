/** What is waited for before the next attempt. */
export interface BackOff {
  readonly firstMs: number
  readonly maxMs: number
}

const USUAL: BackOff = { firstMs: 100, maxMs: 10_000 }

/**
 * Milliseconds to wait after so many attempts in a row that failed, from 1 on: twice as long after each, and with chance in it (half of it up to all),
 * so that many do not come at once. `random` gives 0 up to 1.
 */
export const backOffMs = (failures: number, random: () => number, { firstMs, maxMs } = USUAL): number =>
  Math.min(maxMs, firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 30)) * (0.5 + random() / 2)
