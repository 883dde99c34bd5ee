/** What is left of the time that a command was given, in milliseconds from now on: none once it is over, `Infinity` where it was given none. */
export function timeLeft(durationMs: number | undefined): () => number {
  if (durationMs === undefined) return () => Infinity
  const endsAt = performance.now() + durationMs
  return () => Math.max(0, endsAt - performance.now())
}
