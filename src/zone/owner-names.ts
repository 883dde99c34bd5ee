/**
 * Owner names of a zone as they are looked for: hashed from the right, so that one pass over a name gives the hashes of all that it lies below.
 *
 * What was scanned last stands in `scanned`, until the next name is.
 */

/** A name has at most 127 labels. */
const LABELS_MAX = 128
/** The hash with which each begins, and that of the origin itself. */
export const ORIGIN_HASH = 0x811c9dc5 | 0
const PRIME = 0x01000193

export const scanned = {
  /** How many labels stand in front of the origin. */
  labels: 0,
  /** Where each label begins, the first one first. */
  starts: new Int32Array(LABELS_MAX + 1),
  /** Hash of the name from this label on. */
  hashes: new Int32Array(LABELS_MAX + 1),
}

/** Scans `key`, whose last `originLength` bytes are the origin. */
export function scan(key: string, originLength: number): void {
  const { starts, hashes } = scanned
  const end = key.length - originLength
  let labels = 0
  for (let at = 0; at < end; at += 1 + key.charCodeAt(at)) starts[labels++] = at
  starts[labels] = end
  hashes[labels] = ORIGIN_HASH
  scanned.labels = labels
  let hash = ORIGIN_HASH
  let at = end
  for (let label = labels - 1; label >= 0; label--) {
    const start = starts[label]!
    while (at > start) {
      at -= 1
      hash = Math.imul(hash ^ key.charCodeAt(at), PRIME)
    }
    hashes[label] = hash
  }
}

/** Hash of `*` below the name whose hash this is. */
export const wildcardHash = (hash: number): number => Math.imul(Math.imul(hash ^ 0x2a, PRIME) ^ 1, PRIME)

/** Where in a table of `mask + 1` places, a power of two, a hash is looked for first. */
export const slotOf = (hash: number, mask: number): number =>
  (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 7) & mask
