/**
 * Who leaves when a cache is full.
 *
 * The cache counts what is stored and finds entries by key; a policy only orders the entries. They are separate because
 * the order is what one wants to exchange (least recently used, sieve, by frequency…) and the counting is what must
 * never be wrong.
 *
 * A policy is told of every entry once when it comes and once when it goes, whatever the cause, so that it may keep
 * links and bits of its own on the entry.
 *
 * The order of calls for a new entry is `onArrive`, then `victim` and `onRemove` as often as room has to be made, then
 * `onStore`. Between the first and the last of them other entries may come and go, and the last may never be called:
 * what was learnt in `onArrive` is noted on the entry, nowhere else.
 *
 * What a use means is said by one of `usesMax`, `recency` and `onUse`, or by none: then it means nothing. A use is read or
 * replaced. The first two the cache does by itself: it is on the path of every hit, and a call that goes to many classes in
 * one process is one that V8 cannot build in.
 */
export interface ReplacementPolicy<E extends PolicyEntry<E>> {
  /** A use counts in the lowest bits of the mark, up to this: 2ⁿ − 1. */
  readonly usesMax?: number
  /** What is used becomes the newest of this list. */
  readonly recency?: { renew(entry: E): void }
  /**
   * The entry is about to be stored. It is not in the order yet. Here the policy sees what it remembers of the key. Absent
   * where it remembers nothing.
   */
  onArrive?(entry: E): void
  /** A key with this hash was asked for and its value not admitted. Absent where the policy does not care. */
  onRefuse?(hash: number): void
  /** The entry has been stored. It is not in the order yet. */
  onStore(entry: E): void
  /** The entry was used. Allocates nothing. */
  onUse?(entry: E): void
  /** The entry is gone: evicted (the policy named it itself) or deleted. */
  onRemove(entry: E, isEvicted: boolean): void
  /** The entry, which is in the order, weighs something else than before. */
  onReweigh(entry: E, weightBefore: number): void
  /**
   * The entry to part with next, so that the incoming one has room; it stays in the order until `onRemove`.
   * `incoming` is undefined where an entry has grown. Undefined where nothing is stored.
   */
  victim(incoming: E | undefined): E | undefined
}

/** What a policy finds on an entry. The policy is the only one that reads or writes the last four. */
export interface PolicyEntry<E> {
  readonly key: string
  /** Bytes in a cache that is bound by bytes, 1 in one that is bound by entries. */
  readonly weight: number
  /** Neighbours in a list of the policy's. */
  newer: E | undefined
  older: E | undefined
  /** A small whole number: bits, counters, a place. 0 on a new entry. */
  mark: number
  /** The key's hash, 0 as long as nobody asked for it. */
  hash: number
}

/** What a policy is made with. */
export interface PolicyOptions {
  /** What all entries may weigh together. */
  readonly capacity: number
  /** Numbers from 0 to below 1. */
  readonly random: () => number
}
