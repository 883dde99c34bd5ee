/**
 * Smooth weighted round robin, as in nginx: at every turn each is owed its share more, who is owed most goes, and pays the
 * sum of all shares. Of weights 5, 1, 1 that makes `a a b a c a a`, and never five in a row.
 */
import type { Candidate } from './balancer.ts'

export function roundRobin<T extends Candidate>(candidates: readonly T[]): T {
  let best = candidates[0]!
  let sum = 0
  for (const candidate of candidates) {
    candidate.credit += candidate.share
    sum += candidate.share
    if (candidate.credit > best.credit) best = candidate
  }
  best.credit -= sum
  return best
}
