/** A request that a limit lets go on later: parked, with nothing but a timer. */
import type { Exchange } from '../exchange.ts'

/** The longest that a timer can wait; beyond it, it would not wait at all. */
const WAIT_MAX_MS = 2 ** 31 - 1

/**
 * Calls `goOn` after so many milliseconds, if the client is there by then: of one that has gone nothing is kept for the days that a queue may take.
 * How many may wait is the limiter's bound.
 */
export function waitThen(exchange: Exchange, waitMs: number, goOn: () => void): void {
  const timer = setTimeout(goOn, Math.min(waitMs, WAIT_MAX_MS))
  exchange.whenOver(() => clearTimeout(timer))
}
