/**
 * A map that never holds more than so many bytes: storing one thing parts with others.
 *
 * The caller says what a value weighs; the cache adds its own overhead, so that a million tiny values are not free. One
 * value may take a share of the room at most: otherwise a single download would empty the cache of everything else.
 *
 * Room is made before a value goes in, never after, so `bytes` is under the bound at every moment, also while
 * `onEvict` runs. `onEvict` may call back into the cache.
 */
import type { ReplacementPolicy } from '../contract/replacement-policy.ts'
import { Lru, type LruLinks } from './lru.ts'

/**
 * Bytes that an entry costs beyond its key's characters and its value: the entry object and its place in the map (93,
 * measured with 100 000 entries on 64-bit V8) and the header of the key string, rounded up.
 */
export const ENTRY_OVERHEAD_BYTES = 128

export interface ByteCacheOptions<V> {
  /** All entries together, overhead included. */
  readonly bytesMax: number
  /** The part of `bytesMax` that one entry may take, 0 to 1. Default ½. */
  readonly shareMax?: number
  /** Called once for each entry that had to go for another, after it is gone. Not for those replaced or deleted. */
  readonly onEvict?: (value: V, key: string) => void
  /** Called once for each entry that leaves, for whatever reason, as it leaves. It may not call back into the cache. */
  readonly onRemove?: (value: V) => void
}

export interface ByteCacheCounters {
  /** Since the start; only grow. */
  readonly stored: number
  readonly evicted: number
  /** Values that were larger than one entry may be. */
  readonly refused: number
}

class Entry<V> implements LruLinks<Entry<V>> {
  readonly key: string
  readonly value: V
  bytes: number
  newer: Entry<V> | undefined = undefined
  older: Entry<V> | undefined = undefined

  constructor(key: string, value: V, bytes: number) {
    this.key = key
    this.value = value
    this.bytes = bytes
  }
}

export class ByteCache<V> {
  readonly bytesMax: number
  /** What one entry may weigh at most, overhead included. */
  readonly entryBytesMax: number
  readonly #entries = new Map<string, Entry<V>>()
  readonly #policy: ReplacementPolicy<Entry<V>> = new Lru<Entry<V>>()
  readonly #onEvict: ((value: V, key: string) => void) | undefined
  readonly #onRemove: ((value: V) => void) | undefined
  #bytes = 0
  #stored = 0
  #evicted = 0
  #refused = 0

  constructor(options: ByteCacheOptions<V>) {
    this.bytesMax = options.bytesMax
    this.entryBytesMax = Math.floor(options.bytesMax * (options.shareMax ?? 0.5))
    this.#onEvict = options.onEvict
    this.#onRemove = options.onRemove
  }

  /** The value of the key, and notes that it was used. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#policy.onUse(entry)
    return entry.value
  }

  /** The value of the key; nobody will know that it was read. */
  peek(key: string): V | undefined {
    return this.#entries.get(key)?.value
  }

  /**
   * Stores a value of `bytes` bytes (the key and the overhead are added), in place of what the key held.
   * False: it is larger than one entry may be; then the key holds nothing, since what it held is out of date too.
   */
  set(key: string, value: V, bytes: number): boolean {
    this.delete(key)
    const weight = bytes + key.length + ENTRY_OVERHEAD_BYTES
    // Said so that a weight that is not a number is refused as well: it would make the sum NaN for ever.
    if (!(weight <= this.entryBytesMax && bytes >= 0)) {
      this.#refused++
      return false
    }
    while (this.#bytes + weight > this.bytesMax) this.#evictOne()
    // What `onEvict` did may have stored this key again: the entry that goes in now is the one that stays.
    this.delete(key)
    const entry = new Entry(key, value, weight)
    this.#entries.set(key, entry)
    this.#policy.onStore(entry)
    this.#bytes += weight
    this.#stored++
    return true
  }

  /**
   * The value of the key has grown or shrunk to `bytes`; others may have to go for it. False: it is larger than one entry
   * may be, and weighs what it did; or it is not here (any more).
   */
  reweigh(key: string, value: V, bytes: number): boolean {
    const entry = this.#entries.get(key)
    const weight = bytes + key.length + ENTRY_OVERHEAD_BYTES
    if (entry?.value !== value || !(weight <= this.entryBytesMax && bytes >= 0)) return false
    this.#bytes += weight - entry.bytes
    entry.bytes = weight
    while (this.#bytes > this.bytesMax) this.#evictOne()
    return this.#entries.get(key) === entry
  }

  /** True where there was something. */
  delete(key: string): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#remove(entry)
    return true
  }

  clear(): void {
    for (const entry of this.#entries.values()) this.#remove(entry)
  }

  get size(): number {
    return this.#entries.size
  }

  /** Bytes in use, overhead included. */
  get bytes(): number {
    return this.#bytes
  }

  get counters(): ByteCacheCounters {
    return { stored: this.#stored, evicted: this.#evicted, refused: this.#refused }
  }

  #evictOne(): void {
    const entry = this.#policy.victim()
    if (entry === undefined) throw new Error('a cache without entries claims to be full')
    this.#remove(entry)
    this.#evicted++
    this.#onEvict?.(entry.value, entry.key)
  }

  #remove(entry: Entry<V>): void {
    this.#entries.delete(entry.key)
    this.#policy.onRemove(entry)
    this.#bytes -= entry.bytes
    this.#onRemove?.(entry.value)
  }
}
