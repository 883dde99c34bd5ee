/** Removes nodes that serve other places alone. A client whose place nobody knows is outside all fences. */
import type { FenceWord } from '../node.ts'
import type { Place } from '../place.ts'
import { type Filter, without } from './filter.ts'

export const geofence: Filter = (candidates, { nodes, place }) =>
  without(candidates, ({ node }) => {
    const { fence } = nodes[node]!
    if (fence.length === 0 || fence.some((word) => isInside(word, place))) return undefined
    return `serves ${fence.map(fenceText).join(', ')} alone`
  })

export function isInside(word: FenceWord, place: Place): boolean {
  if (word.kind === 'country') return place.country === word.code
  return word.kind === 'continent' ? place.continent === word.code : place.asn === word.number
}

export function fenceText(word: FenceWord): string {
  if (word.kind === 'asn') return `AS${word.number}`
  return word.kind === 'country' ? word.code : `continent:${word.code}`
}
