/**
 * Counts up to `most`, for what is done again and again; where the machine is slow, only as far as it gets in `forMs`, but to `least`:
 * a test has ten minutes.
 */
export function* rounds(most: number, least: number, forMs = 120_000): Generator<number> {
  const until = performance.now() + forMs
  for (let round = 0; round < most && (round < least || performance.now() < until); round += 1) yield round
}
