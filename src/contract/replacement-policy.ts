/**
 * Who leaves when a cache is full.
 *
 * The cache counts bytes and finds entries by key; a policy only orders the entries. They are separate because the
 * order is what one wants to exchange (least recently used, sieve, by frequency…) and the counting is what must never
 * be wrong.
 *
 * A policy is told of every entry once when it comes and once when it goes, whatever the cause, so that it may keep
 * links and bits of its own on the entry. All calls are O(1), and `onUse` is on the path of every hit: it allocates
 * nothing.
 */
export interface ReplacementPolicy<E> {
  /** The entry has just been stored. It is not in the order yet. */
  onStore(entry: E): void
  /** The entry has just been read. */
  onUse(entry: E): void
  /** The entry is gone: evicted (the policy named it itself), replaced or deleted. */
  onRemove(entry: E): void
  /** The entry to part with next; it stays in the order until `onRemove`. Undefined where there is none. */
  victim(): E | undefined
}
