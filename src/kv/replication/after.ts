/** Waiting, as it is injected: simulations have a time of their own. */

/** Calls `run` after so many milliseconds, unless the function that is returned was called before. */
export type After = (ms: number, run: () => void) => () => void

/** 0: once what has arrived in this turn of the event loop was looked at. */
export const afterMs: After = (ms, run) => {
  if (ms === 0) {
    const immediate = setImmediate(run)
    return () => clearImmediate(immediate)
  }
  const timer = setTimeout(run, ms)
  return () => clearTimeout(timer)
}
