/** Nodes and what is known of them, as tests of steering need them. */
import { parseIp } from '../base/ip-address.ts'
import type { Candidate, Filter, Situation } from './filters/filter.ts'
import { draftOf } from './node-fields.ts'
import type { EdgeNode, NodeState } from './node.ts'

export const node = (name: string, more: Partial<EdgeNode> = {}): EdgeNode => {
  const { addresses: _, ...plain } = draftOf(name)
  return { ...plain, v4: [parseIp('192.0.2.1')!], v6: [], ...more }
}

export const state = (more: Partial<NodeState> = {}): NodeState => ({
  state: 'up',
  isForced: false,
  why: 'as the test has it',
  load: undefined,
  isOverloaded: false,
  ...more,
})

export const situation = (
  nodes: readonly EdgeNode[],
  more: Partial<Situation> & { readonly stateOf?: Readonly<Record<string, Partial<NodeState>>> } = {},
): Situation => ({
  nodes,
  states: nodes.map(({ name }) => state(more.stateOf?.[name])),
  place: {},
  bucket: 1,
  leniency: 'up',
  ...more,
})

const asTheyCome = (nodes: readonly EdgeNode[]): readonly Candidate[] =>
  nodes.map((_, index) => ({ node: index, tier: 0 }))

/** What a filter makes of all nodes: names in order, `|` between tiers; and who was removed, with the reason. */
export function filtered(
  filter: Filter,
  where: Situation,
  candidates: readonly Candidate[] = asTheyCome(where.nodes),
): { readonly kept: string; readonly removed: Readonly<Record<string, string>> } {
  const { kept, removed } = filter(candidates, where)
  let text = ''
  for (const [index, { node: at, tier }] of kept.entries()) {
    if (index > 0) text += kept[index - 1]!.tier === tier ? ' ' : ' | '
    text += where.nodes[at]!.name
  }
  return {
    kept: text,
    removed: Object.fromEntries(removed.map(({ node: at, why }) => [where.nodes[at]!.name, why])),
  }
}
