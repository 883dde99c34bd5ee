/** Removes nodes that are over the watermark, as long as others are left: where all are, none is worse off than the others. */
import { type Filter, without } from './filter.ts'

export const load: Filter = (candidates, { states }) => {
  const filtered = without(candidates, ({ node }) => {
    const { isOverloaded, load: busy } = states[node]!
    return isOverloaded ? `its load of ${busy?.toFixed(2)} is over the watermark` : undefined
  })
  return filtered.kept.length > 0 ? filtered : { kept: candidates, removed: [] }
}
