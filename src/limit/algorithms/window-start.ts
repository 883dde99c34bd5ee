/** Windows that stand side by side on the clock, from a moment on that all of them are counted from. */
import { STEP_BACK_MS } from './moment.ts'

/** The start of the window that `now` is in. */
export function startOf(now: number, windowMs: number, startMs: number): number {
  const into = (now - startMs) % windowMs
  return now - (into < 0 ? into + windowMs : into)
}

/** Whether a window that the state is in is no longer, or not yet for so long that the clock must have been set. */
export const isLeft = (start: number, windowMs: number, now: number): boolean =>
  !(now < start + windowMs && now >= start - STEP_BACK_MS)
