/** The endpoint with the fewest requests under way for its share; those that are level take turns. */
import type { Candidate, Choose } from './balancer.ts'

export function leastConnections(): Choose {
  let turn = 0
  return <T extends Candidate>(candidates: readonly T[]): T => {
    turn = (turn + 1) % candidates.length
    let best = candidates[turn]!
    for (let i = 1; i < candidates.length; i += 1) {
      const candidate = candidates[(turn + i) % candidates.length]!
      // Crosswise: one with share 2 and one under way stands beside one with share 4 and two.
      if ((candidate.active + 1) * best.share < (best.active + 1) * candidate.share) best = candidate
    }
    return best
  }
}
