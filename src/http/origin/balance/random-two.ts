/**
 * Two at random, and of these the one with fewer requests under way: nearly as even as looking at all, and workers that do
 * not know of each other do not all run to the same one.
 */
import type { Candidate, Choose } from './balancer.ts'

export function randomTwo(random: () => number): Choose {
  return <T extends Candidate>(candidates: readonly T[], isEven: boolean): T => {
    const count = candidates.length
    if (count === 1) return candidates[0]!
    const first = isEven ? Math.floor(random() * count) : weighted(candidates, undefined, random())
    let second: number
    if (isEven) {
      second = Math.floor(random() * (count - 1))
      if (second >= first) second += 1
    } else {
      second = weighted(candidates, first, random())
    }
    const [one, other] = [candidates[first]!, candidates[second]!]
    // Those that are level: the first, which was drawn by its share among all.
    return other.active * one.share < one.active * other.share ? other : one
  }
}

/** A place, each as likely as its share says; `without` is passed over. */
function weighted(candidates: readonly Candidate[], without: number | undefined, chance: number): number {
  let sum = 0
  for (let i = 0; i < candidates.length; i += 1) if (i !== without) sum += candidates[i]!.share
  let left = chance * sum
  let last = 0
  for (let i = 0; i < candidates.length; i += 1) {
    if (i === without) continue
    last = i
    left -= candidates[i]!.share
    if (left < 0) return i
  }
  return last
}
