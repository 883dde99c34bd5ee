/**
 * The endpoint with the fewest requests under way for its share; those that are level take turns, by their shares, as in nginx. With little
 * traffic nearly all are level: nobody is under way anywhere.
 */
import type { Candidate, Choose } from './balancer.ts'
import { roundRobin } from './round-robin.ts'

export function leastConnections(): Choose {
  let turn = 0
  return <T extends Candidate>(candidates: readonly T[], isEven: boolean): T => {
    turn = (turn + 1) % candidates.length
    let best = candidates[turn]!
    for (let i = 1; i < candidates.length; i += 1) {
      const candidate = candidates[(turn + i) % candidates.length]!
      if (load(candidate, best) < load(best, candidate)) best = candidate
    }
    return isEven ? best : roundRobin(candidates.filter((other) => load(other, best) === load(best, other)))
  }
}

/** Crosswise, to be compared with `load(other, one)`: one with share 2 and one under way stands beside one with share 4 and two. */
const load = (one: Candidate, other: Candidate): number => one.active * other.share
