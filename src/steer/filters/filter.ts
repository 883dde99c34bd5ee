/**
 * What a filter is: of the nodes that are left, it keeps some, and may say which of them come first.
 *
 * Each is a pure function: what it goes by is given to it, and what it removed comes with the reason, so that a choice can be explained by making it again.
 */
import type { EdgeNode, NodeState } from '../node.ts'
import type { Place } from '../place.ts'

/** A node that is left. */
export interface Candidate {
  /** Its index in `Situation.nodes`. */
  readonly node: number
  /** Those of a lower tier come first; within one all are as good as each other. */
  readonly tier: number
}

/** All that filters go by. */
export interface Situation {
  readonly nodes: readonly EdgeNode[]
  /** By node. */
  readonly states: readonly NodeState[]
  readonly place: Place
  /** Stands for the prefix of the client, the same for each of its addresses. */
  readonly bucket: number
  readonly leniency: Leniency
}

/** Who counts as being there. Filters are run again with the next one where nobody is left. */
export type Leniency =
  | 'up' // those that are up
  | 'drain' // and those that are to get no more clients
  | 'open' // all but those that somebody set down by hand
  | 'any'

export interface Filtered {
  /** In order: the first is the best. */
  readonly kept: readonly Candidate[]
  readonly removed: readonly { readonly node: number; readonly why: string }[]
}

export type Filter = (candidates: readonly Candidate[], situation: Situation) => Filtered

/** Keeps those that nothing speaks against. */
export function without(
  candidates: readonly Candidate[],
  reason: (candidate: Candidate) => string | undefined,
): Filtered {
  const kept: Candidate[] = []
  const removed: { node: number; why: string }[] = []
  for (const candidate of candidates) {
    const why = reason(candidate)
    if (why === undefined) kept.push(candidate)
    else removed.push({ node: candidate.node, why })
  }
  return { kept, removed }
}

/** Orders within the tiers that are there: those with the lower number first, and tiers of their own where numbers differ. */
export function ordered(
  candidates: readonly Candidate[],
  keyOf: (candidate: Candidate) => number,
): readonly Candidate[] {
  const keyed = candidates.map((candidate) => ({ candidate, key: keyOf(candidate) }))
  keyed.sort((one, other) => one.candidate.tier - other.candidate.tier || one.key - other.key)
  let tier = 0
  return keyed.map(({ candidate, key }, index) => {
    const before = keyed[index - 1]
    if (before && (before.candidate.tier !== candidate.tier || before.key !== key)) tier += 1
    return { node: candidate.node, tier }
  })
}
