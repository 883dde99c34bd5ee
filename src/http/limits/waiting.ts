/** A request that a limit lets go on later: parked, with nothing but a timer. */
import type { Exchange } from '../exchange.ts'

/** Calls `goOn` after so many milliseconds, if the client is there by then. How many may wait is the limiter's bound. */
export function waitThen(exchange: Exchange, waitMs: number, goOn: () => void): void {
  setTimeout(() => {
    if (!exchange.gone) goOn()
  }, waitMs)
}
