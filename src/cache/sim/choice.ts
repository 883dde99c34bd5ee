/**
 * Which setting one would choose, and why: the best hit ratio, and among those that are nearly as good the one that costs
 * the least.
 */
import type { AdmissionName, PolicyName } from '../../config/cache-schema.ts'
import { isBound, type SimPolicy, type SimResult } from './sweep.ts'

/** Hit ratios that are this near to each other are as good as each other: half a point. Another day moves them by more. */
const NEAR = 0.005

/** What a policy costs where it is felt, which is on every hit; from cheap to dear. */
const POLICY_COSTS: Readonly<Record<PolicyName, { readonly rank: number; readonly onHit: string }>> = {
  fifo: { rank: 0, onHit: 'does nothing on a hit' },
  random: { rank: 0, onHit: 'does nothing on a hit' },
  sieve: { rank: 1, onHit: 'sets one bit on a hit' },
  clock: { rank: 1, onHit: 'sets one bit on a hit' },
  's3-fifo': { rank: 2, onHit: 'counts to three on a hit' },
  lru: { rank: 3, onHit: 'moves an entry in a list on a hit' },
  // The heap is not touched on a hit, but it is whenever something leaves.
  lfu: { rank: 4, onHit: 'counts on a hit, and keeps a heap in order' },
  gdsf: { rank: 4, onHit: 'counts on a hit, and keeps a heap in order' },
  arc: { rank: 5, onHit: 'moves an entry between lists on a hit' },
  'plain-lfu': { rank: 5, onHit: 'moves an entry to another list on a hit' },
  'w-tinylfu': { rank: 6, onHit: 'moves an entry and counts in a sketch on a hit' },
}

const ADMISSION_RANKS: Readonly<Record<AdmissionName, number>> = {
  all: 0,
  'size-probability': 0.25,
  // Two look-ups in a Bloom filter, on a miss alone.
  'second-sight': 0.5,
  // Its sketch counts hits, too.
  tinylfu: 3.5,
}

export type Goal = 'hits' | 'bytes'

/** One size, or all of them together. */
export interface Choice {
  readonly policy: PolicyName
  readonly admission: AdmissionName
  /** Undefined: over all sizes. */
  readonly by?: SimResult['by']
  readonly size?: number
  /** Over all sizes: the mean of each. */
  readonly hitRatio: number
  readonly byteHitRatio: number | null
  /** A sentence. */
  readonly reason: string
}

interface Candidate {
  readonly policy: PolicyName
  readonly admission: AdmissionName
  readonly hitRatio: number
  readonly byteHitRatio: number | null
}

/** One for each size, in the order of the results. None where only bounds were run. */
export function choicesOf(results: readonly SimResult[], goal: Goal): readonly Choice[] {
  const bySize = Map.groupBy(results, ({ by, size }) => `${by} ${size}`)
  return [...bySize.values()].flatMap((sameSize) => {
    const choice = choose(candidatesOf(sameSize), goal, '')
    const { by, size } = sameSize[0]!
    return choice === undefined ? [] : [{ ...choice, by, size }]
  })
}

/** The one for all sizes: the best mean. With one size it is that one's choice. */
export function choiceOf(results: readonly SimResult[], goal: Goal): Choice | undefined {
  const sizes = new Set(results.map(({ by, size }) => `${by} ${size}`))
  if (sizes.size === 1) return choicesOf(results, goal)[0]
  return choose(candidatesOf(results), goal, ` over the ${sizes.size} sizes`)
}

function candidatesOf(results: readonly SimResult[]): readonly Candidate[] {
  const settings = Map.groupBy(
    results.filter(({ policy }) => !isBound(policy)),
    ({ policy, admission }) => `${policy} ${admission}`,
  )
  return [...settings.values()].map((same) => {
    const { policy, admission, byteHitRatio } = same[0]!
    const mean = (of: (result: SimResult) => number) =>
      same.reduce((sum, result) => sum + of(result), 0) / same.length
    return {
      policy: policy as PolicyName,
      admission,
      hitRatio: mean((result) => result.hitRatio),
      byteHitRatio: byteHitRatio === null ? null : mean((result) => result.byteHitRatio!),
    }
  })
}

function choose(candidates: readonly Candidate[], goal: Goal, where: string): Choice | undefined {
  const value = (candidate: Candidate) =>
    goal === 'bytes' ? (candidate.byteHitRatio ?? candidate.hitRatio) : candidate.hitRatio
  const ranked = candidates.toSorted((one, other) => value(other) - value(one))
  const best = ranked[0]
  if (best === undefined) return undefined
  const near = ranked.filter((candidate) => value(best) - value(candidate) <= NEAR)
  const chosen = near.reduce((cheapest, other) => (costOf(other) < costOf(cheapest) ? other : cheapest))
  return { ...chosen, reason: reasonOf(chosen, best, near, value, goal, where) }
}

const costOf = ({ policy, admission }: Candidate): number =>
  POLICY_COSTS[policy].rank + ADMISSION_RANKS[admission]

function reasonOf(
  chosen: Candidate,
  best: Candidate,
  near: readonly Candidate[],
  value: (candidate: Candidate) => number,
  goal: Goal,
  where: string,
): string {
  const what = `${goal === 'bytes' ? 'byte hit ratio' : 'hit ratio'}${where}`
  const { onHit } = POLICY_COSTS[chosen.policy]
  if (chosen === best) {
    const others = near.length - 1
    return others === 0
      ? `the best ${what}, ${percent(value(best))}, and nothing comes near; it ${onHit}`
      : `the best ${what}, ${percent(value(best))}, and nothing that is nearly as good costs less; it ${onHit}`
  }
  return `${what} ${percent(value(chosen))}: the best, ${settingText(best)} with ${percent(value(best))}, is within half a point and costs more; it ${onHit}`
}

export const percent = (ratio: number): string => `${(ratio * 100).toFixed(1)} %`

/** `s3-fifo`, or `sieve behind second-sight`. */
export const settingText = ({
  policy,
  admission,
}: {
  readonly policy: SimPolicy
  readonly admission: AdmissionName
}): string => (admission === 'all' ? policy : `${policy} behind ${admission}`)
