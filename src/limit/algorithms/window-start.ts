/** Windows that stand side by side on the clock, from a moment on that all of them are counted from. */
import { STEP_BACK_MS } from './moment.ts'

/** The start of the window that `now` is in. */
export function startOf(now: number, windowMs: number, startMs: number): number {
  const into = (now - startMs) % windowMs
  return now - (into < 0 ? into + windowMs : into)
}

/**
 * The start of the window that counts at `now`, where `word` holds the one before plus one: the same, while it lasts, and where the clock is
 * a little before it; else the one that `now` is in.
 */
export function startAt(word: number, now: number, windowMs: number, startMs: number): number {
  const start = word - 1
  const lasts = now < start + windowMs && now >= start - STEP_BACK_MS
  return word > 0 && lasts && Number.isInteger(start) ? start : startOf(now, windowMs, startMs)
}

/** The later of the starts that count for two words. */
export const laterStart = (a: number, b: number, now: number, windowMs: number, startMs: number): number =>
  Math.max(startAt(a, now, windowMs, startMs), startAt(b, now, windowMs, startMs))

/** Windows that have ended since; 0 where none was there, or the clock was set back. */
export function windowsPassed(word: number, now: number, windowMs: number): number {
  return word > 0 && now >= word - 1 + windowMs ? Math.floor((now - word + 1) / windowMs) : 0
}
