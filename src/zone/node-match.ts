/** Whether a node has a name: label by label from the left, up to the apex. */
import { CHUNK_BITS, CHUNK_MASK } from './arena.ts'
import type { NodeNames } from './canonical-order.ts'
import { scanned } from './owner-names.ts'

/** Whether `node` has the name `key`, scanned last, from its label `from` on. */
export function hasName(
  { parent, label, chunks }: NodeNames,
  node: number,
  key: string,
  from: number,
): boolean {
  const { labels, starts } = scanned
  let at = node
  for (let index = from; index < labels; index++) {
    if (at === 0) return false
    const chunk = chunks[label[at]! >>> CHUNK_BITS]!
    const place = label[at]! & CHUNK_MASK
    const start = starts[index]!
    const length = chunk[place]!
    if (key.charCodeAt(start) !== length) return false
    for (let byte = 1; byte <= length; byte++) {
      const written = chunk[place + byte]!
      const lower = written >= 0x41 && written <= 0x5a ? written + 0x20 : written
      if (lower !== key.charCodeAt(start + byte)) return false
    }
    at = parent[at]!
  }
  return at === 0
}
