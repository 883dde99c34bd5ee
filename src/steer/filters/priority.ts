/** Puts nodes with a lower number first: others are there for when none of those is. */
import { type Filter, ordered } from './filter.ts'

export const priority: Filter = (candidates, { nodes }) => ({
  kept: ordered(candidates, ({ node }) => nodes[node]!.priority),
  removed: [],
})
