/** A request that a limit lets go on later: parked, with nothing but a timer. */
import type { Exchange } from '../exchange.ts'

/** The longest that a timer can wait; beyond it, it would not wait at all. */
const WAIT_MAX_MS = 2 ** 31 - 1

/**
 * Calls `goOn` after so many milliseconds, if the client is there by then. How many may wait is the limiter's bound.
 *
 * A client that goes away takes all of its request along: its turn may be days ahead, and with a key of his own for each request somebody
 * could leave any number behind.
 */
export function waitThen(
  exchange: Pick<Exchange, 'gone' | 'whenOver'>,
  waitMs: number,
  goOn: () => void,
): void {
  const timer = setTimeout(
    () => {
      if (!exchange.gone) goOn()
    },
    Math.min(waitMs, WAIT_MAX_MS),
  )
  exchange.whenOver(() => clearTimeout(timer))
}
