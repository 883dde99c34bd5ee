/** What every limiter is, whatever it counts by: asked with a key, it decides, and remembers what it gave. */

/** The outcome of one question. Times are whole milliseconds, from the moment of the question. */
export interface Decision {
  readonly allowed: boolean
  /** What the key could still take now, whole units; 0 where nothing is left. */
  readonly remaining: number
  /** When the same question would be allowed, if nobody asks in between; 0 where it was allowed, `Infinity` where it never is. */
  readonly retryAfterMs: number
  /** When all of the key's allowance is there again. */
  readonly resetMs: number
  /** Of a limiter that shapes: how long to wait before what is allowed goes on. Absent: at once. */
  readonly waitMs?: number
}

export interface Limiter<Key = string> {
  /**
   * Takes `cost` (a whole number from 0; 0 only looks, and is always allowed) of what `key` may take at `now` (whole milliseconds on a clock of the caller's
   * choice, the same for all calls). Where the clock steps back by up to ten seconds, it counts as the time it stepped from until it has caught up;
   * where it is set back further, what was used stays used, and time goes on from there. What is refused takes nothing.
   * Throws a RangeError where cost or time are no whole numbers in their range.
   */
  take(key: Key, cost?: number, now?: number): Decision
}
