/**
 * A hash of a key, for those who remember keys without keeping them: ghosts, sketches, Bloom filters.
 *
 * It has no secret: whoever chooses keys can make two of them look alike. All that this does is a wrong guess about what
 * to keep, never a wrong value, and in return a simulation gives the same numbers every time.
 */
import type { PolicyEntry } from '../contract/replacement-policy.ts'

/** 32 bits, signed, never 0. FNV-1a over the characters, with the mixing of MurmurHash3 at the end. */
export function hashKey(key: string): number {
  let hash = 0x811c9dc5 | 0
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  hash = mix(hash)
  return hash === 0 ? 1 : hash
}

/** The same for the key of an entry, computed once. */
export function hashOf<E extends PolicyEntry<E>>(entry: E): number {
  if (entry.hash === 0) entry.hash = hashKey(entry.key)
  return entry.hash
}

/** Every bit of the result depends on every bit of the argument. */
export function mix(bits: number): number {
  let mixed = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
