/**
 * How the processes of a node know that a value which they remember has changed: a word in shared memory for the keys of one
 * hash, counted up by the writer after each commit and before anybody is told that it is done.
 *
 * A reader keeps the word's value from before it read, and compares: so whoever starts to read after a change was acknowledged
 * does not meet what was before it. Keys that share a word cost each other a look into the file, no more.
 */
import type { KvStoreName } from '../contract/kv.ts'

/** They lie in a file of their own: a program that takes over goes on with them. */
export const KV_WORDS = 4096

/** FNV-1a over the UTF-16 units of store, namespace and key. */
export function wordOf(store: KvStoreName, namespace: string, key: string): number {
  let hash = store === 'kv' ? 0x811c9dc5 : 0x9e3779b9
  for (let i = 0; i < namespace.length; i++) hash = Math.imul(hash ^ namespace.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ 0x100, 0x01000193)
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 15)) & (KV_WORDS - 1)
}
