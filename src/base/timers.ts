/** Work that is done later. Injected beside the clock, so that a simulation holds it in its hand. */
export interface Timers {
  /** Does the work so many milliseconds later. Returns how to call that off. */
  later(ms: number, work: () => void): () => void
}

export const systemTimers: Timers = {
  later(ms, work) {
    const timer = setTimeout(work, ms)
    return () => clearTimeout(timer)
  },
}

/** Does the work again and again. Returns how to call that off. */
export function every(timers: Timers, ms: number, work: () => void): () => void {
  let callOff = timers.later(ms, function again() {
    callOff = timers.later(ms, again)
    work()
  })
  return () => callOff()
}
