/** Keeps the first ones. */
import type { Filter } from './filter.ts'

export const first =
  (count: number): Filter =>
  (candidates) => ({
    kept: candidates.slice(0, count),
    removed: candidates.slice(count).map(({ node }) => ({ node, why: `${count} are before it` })),
  })
