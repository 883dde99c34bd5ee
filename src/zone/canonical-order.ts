/** The order of names that NSEC speaks of (RFC 4034 §6.1): label by label from the right, each as lower-case bytes. */
import { CHUNK_BITS, CHUNK_MASK } from './arena.ts'
import { scanned } from './owner-names.ts'

export interface NodeNames {
  readonly parent: Int32Array
  readonly label: Uint32Array
  readonly chunks: readonly Uint8Array[]
}

const lower = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)

export function depthOf(names: NodeNames, node: number): number {
  let depth = 0
  for (let at = node; at > 0; at = names.parent[at]!) depth += 1
  return depth
}

/** In their order; most often they come in order already, as a signer writes them. */
export function sortedNodes(names: NodeNames, nodes: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  for (let at = 1; at < nodes.length; at++) {
    if (compareNodes(names, nodes[at - 1]!, nodes[at]!) > 0)
      return nodes.toSorted((one, other) => compareNodes(names, one, other))
  }
  return nodes
}

function compareNodes(names: NodeNames, one: number, other: number): number {
  const oneDepth = depthOf(names, one)
  const otherDepth = depthOf(names, other)
  let left = one
  let right = other
  for (let depth = oneDepth; depth > otherDepth; depth--) left = names.parent[left]!
  for (let depth = otherDepth; depth > oneDepth; depth--) right = names.parent[right]!
  // A name stands in front of all that lie below it.
  if (left === right) return oneDepth - otherDepth
  while (names.parent[left] !== names.parent[right]) {
    left = names.parent[left]!
    right = names.parent[right]!
  }
  return compareLabels(names, left, right)
}

function compareLabels({ label, chunks }: NodeNames, one: number, other: number): number {
  const left = chunks[label[one]! >>> CHUNK_BITS]!
  const right = chunks[label[other]! >>> CHUNK_BITS]!
  const leftAt = label[one]! & CHUNK_MASK
  const rightAt = label[other]! & CHUNK_MASK
  const length = Math.min(left[leftAt]!, right[rightAt]!)
  for (let at = 1; at <= length; at++) {
    const difference = lower(left[leftAt + at]!) - lower(right[rightAt + at]!)
    if (difference !== 0) return difference
  }
  return left[leftAt]! - right[rightAt]!
}

/** How the first label of a node stands to the label at `start` of a lower-cased name. */
export function compareLabelTo(
  { label, chunks }: NodeNames,
  node: number,
  key: string,
  start: number,
): number {
  const chunk = chunks[label[node]! >>> CHUNK_BITS]!
  const at = label[node]! & CHUNK_MASK
  const length = chunk[at]!
  const otherLength = key.charCodeAt(start)
  const shorter = Math.min(length, otherLength)
  for (let index = 1; index <= shorter; index++) {
    const difference = lower(chunk[at + index]!) - key.charCodeAt(start + index)
    if (difference !== 0) return difference
  }
  return length - otherLength
}

const path = new Int32Array(128)

/** How the name of a node stands to the one that was scanned last, `key`. */
function compareToScanned(names: NodeNames, node: number, key: string): number {
  let depth = 0
  for (let at = node; at > 0; at = names.parent[at]!) path[depth++] = at
  const { labels, starts } = scanned
  const shorter = Math.min(depth, labels)
  for (let index = 1; index <= shorter; index++) {
    const difference = compareLabelTo(names, path[depth - index]!, key, starts[labels - index]!)
    if (difference !== 0) return difference
  }
  return depth - labels
}

/** Of sorted nodes the last one whose name is `key`, scanned just before, or stands in front of it; the last of all where none does: the order is a circle. */
export function lastBefore(names: NodeNames, nodes: Int32Array, key: string): number {
  let low = 0
  let high = nodes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareToScanned(names, nodes[middle]!, key) <= 0) low = middle + 1
    else high = middle
  }
  return nodes[low === 0 ? nodes.length - 1 : low - 1]!
}
