/**
 * A map that never holds more than so many bytes, or so many entries: storing one thing parts with others. Who has to
 * leave is the policy's word, who comes in the admission's.
 *
 * Bound by bytes, the caller says what a value weighs; the cache adds the key and its own overhead, so that a million
 * tiny values are not free. One value may take a share of the room at most: otherwise a single download would empty the
 * cache of everything else.
 *
 * Room is made before a value goes in, never after, so `weight` is under the bound at every moment, also while
 * `onEvict` runs. `onEvict` may call back into the cache.
 */
import type { Admission } from '../contract/admission.ts'
import type { PolicyEntry, ReplacementPolicy } from '../contract/replacement-policy.ts'
import { type AdmissionName, createAdmission, sizeAdmittedBytes } from './admission/admissions.ts'
import { checkOptions } from './cache-options.ts'
import { EvictedAges } from './evicted-ages.ts'
import { hashKey, hashOf } from './key-hash.ts'
import { createPolicy, type PolicyName } from './policies/policies.ts'

/**
 * Bytes that an entry costs beyond its key's characters and its value: the entry object, its place in the map, what the
 * policy keeps for it, and the header of the key string, rounded up. Measured by `bench/cache-engine.ts`.
 */
export const ENTRY_OVERHEAD_BYTES = 200

/** Bound by bytes, an admission remembers a key for each KiB: four for each entry of 4 KiB. */
const BYTES_PER_KEY = 1024
const KEYS_MIN = 4096

/** By bytes as they are in memory, by bytes as the caller says and nothing else, or by entries. */
export type CacheBound =
  | { readonly bytesMax: number }
  | { readonly bareBytesMax: number }
  | { readonly entriesMax: number }

export type CacheOptions<V> = CacheBound & {
  /** Who leaves. Default `s3-fifo`. */
  readonly policy?: PolicyName
  /** Who comes in. Default `all`. By name it is made for a cache of this size. */
  readonly admission?: AdmissionName | Admission
  /** The part of the room that one entry may take, 0 to 1. Default ½; in a cache bound by entries it says nothing. */
  readonly shareMax?: number
  /** One entry may weigh so much at most, overhead included, and no more than `shareMax` allows. */
  readonly entryBytesMax?: number
  /** Numbers from 0 to below 1, for policies that throw dice. */
  readonly random?: () => number
  /** What time it is, in milliseconds from any moment on. Absent: `counters.evictedAges` stays empty. */
  readonly nowMs?: () => number
  /** Called once for each entry that had to go for another, after it is gone. Not for those replaced or deleted. */
  readonly onEvict?: (value: V, key: string) => void
  /** Called once for each value that leaves, for whatever reason, as it leaves. It may not call back into the cache. */
  readonly onRemove?: (value: V) => void
}

export interface CacheCounters {
  /** Since the start; only grow. Hits and misses are those of `get`. */
  readonly hits: number
  readonly misses: number
  readonly stored: number
  readonly evicted: number
  /** Values that did not come in: larger than one entry may be (or no number of bytes), or not admitted. */
  readonly refused: { readonly size: number; readonly admission: number }
  /** How old entries were when they had to go for others. */
  readonly evictedAges: EvictedAges
}

class Entry<V> implements PolicyEntry<Entry<V>> {
  key: string
  /** Undefined only in an entry that has left. */
  value: V | undefined
  weight: number
  newer: Entry<V> | undefined = undefined
  older: Entry<V> | undefined = undefined
  mark = 0
  hash = 0
  /** In tenths of a second since the cache was made: a number that fits into a word of V8 for six years. */
  born: number

  constructor(key: string, value: V, weight: number, born: number) {
    this.key = key
    this.value = value
    this.weight = weight
    this.born = born
  }
}

export class Cache<V> {
  readonly policyName: PolicyName
  /** What all entries may weigh: bytes, or their number. */
  readonly weightMax: number
  /** What one entry may weigh at most, overhead included. */
  readonly entryWeightMax: number
  readonly #entries = new Map<string, Entry<V>>()
  readonly #policy: ReplacementPolicy<Entry<V>>
  /** What a use means to the policy, see there. −1: it is not for counting. */
  readonly #usesMax: number
  readonly #recency: ReplacementPolicy<Entry<V>>['recency']
  readonly #hasArrivals: boolean
  readonly #admission: Admission | undefined
  readonly #kind: 'bytes' | 'bare' | 'entries'
  readonly #onEvict: ((value: V, key: string) => void) | undefined
  readonly #onRemove: ((value: V) => void) | undefined
  readonly #nowMs: (() => number) | undefined
  /** The first moment that was told. */
  #startMs: number | undefined = undefined
  /** The entry that was evicted last: a full cache makes no garbage, the one that leaves is the one that comes. */
  #spare: Entry<V> | undefined = undefined
  readonly #evictedAges = new EvictedAges()
  #weight = 0
  #hits = 0
  #misses = 0
  #stored = 0
  #evicted = 0
  #refusedSize = 0
  #refusedAdmission = 0

  /** @throws TypeError or RangeError that names the option that is wrong, and says what would be right. */
  constructor(options: CacheOptions<V>) {
    checkOptions(options)
    this.#kind = 'entriesMax' in options ? 'entries' : 'bareBytesMax' in options ? 'bare' : 'bytes'
    this.weightMax =
      'entriesMax' in options
        ? options.entriesMax
        : 'bareBytesMax' in options
          ? options.bareBytesMax
          : options.bytesMax
    const share = options.shareMax ?? 0.5
    this.entryWeightMax =
      this.#kind === 'entries'
        ? Math.min(1, this.weightMax)
        : Math.min(Math.floor(this.weightMax * share), options.entryBytesMax ?? Infinity)
    const random = options.random ?? Math.random
    this.policyName = options.policy ?? 's3-fifo'
    this.#policy = createPolicy(this.policyName, {
      capacity: this.weightMax,
      random,
    })
    const { usesMax, recency, onUse, onArrive } = this.#policy
    this.#usesMax = usesMax ?? ((recency ?? onUse) ? -1 : 0)
    this.#recency = recency
    this.#hasArrivals = onArrive !== undefined
    const { admission = 'all' } = options
    this.#admission =
      typeof admission === 'string'
        ? createAdmission(admission, { ...this.#admissionSizes(), random })
        : admission
    this.#onEvict = options.onEvict
    this.#onRemove = options.onRemove
    this.#nowMs = options.nowMs
  }

  /** The value of the key, and notes that it was used. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) {
      this.#misses++
      return undefined
    }
    this.#hits++
    this.#use(entry)
    if (this.#admission !== undefined) this.#admission.onUse?.(hashOf(entry))
    return entry.value
  }

  /** The value of the key; nobody will know that it was read. */
  peek(key: string): V | undefined {
    return this.#entries.get(key)?.value
  }

  /**
   * Stores a value of `bytes` bytes (the key and the overhead are added), in place of what the key held.
   * False: it is larger than one entry may be, or not admitted; then the key holds nothing, since what it held is out of
   * date too.
   *
   * `knownAs` is the name that the policy remembers it by after it has left, where that is not its key. Whoever asked
   * `admits` before says so: then it is not asked again.
   */
  set(key: string, value: V, bytes = 0, knownAs = key, isAdmitted = false): boolean {
    const weight = this.#weigh(key, bytes)
    // Said so that a weight that is not a number is refused as well: it would make the sum NaN for ever.
    if (!(weight <= this.entryWeightMax && bytes >= 0)) {
      this.delete(key)
      this.#refusedSize++
      return false
    }
    const old = this.#entries.get(key)
    if (old !== undefined) {
      if (this.#replace(old, value, weight)) return true
    } else if (this.#admission !== undefined && !isAdmitted && !this.admits(knownAs, bytes)) return false
    const entry = this.#newEntry(key, value, weight)
    if (knownAs !== key) entry.hash = hashKey(knownAs)
    if (this.#hasArrivals) this.#policy.onArrive!(entry)
    const before = this.#stored
    while (this.#weight + weight > this.weightMax) this.#evictOne(entry)
    // What `onEvict` did may have stored this key again: the entry that goes in now is the one that stays.
    if (this.#stored !== before) this.delete(key)
    this.#entries.set(key, entry)
    this.#policy.onStore(entry)
    this.#weight += weight
    this.#stored++
    return true
  }

  /** What the admission says of a value of this size under a name that nothing is stored by: each question counts. */
  admits(name: string, bytes: number): boolean {
    const admission = this.#admission
    if (admission === undefined) return true
    const hash = hashKey(name)
    const isAdmitted = admission.admits(hash, bytes, () => {
      if (this.#weight + this.#weigh(name, bytes) <= this.weightMax) return undefined
      const victim = this.#policy.victim(undefined)
      return victim && hashOf(victim)
    })
    if (isAdmitted) return true
    this.#refusedAdmission++
    this.#policy.onRefuse?.(hash)
    return false
  }

  /**
   * The value of the key has grown or shrunk to `bytes`; others may have to go for it. False: it is larger than one entry
   * may be, and weighs what it did; or it is not here (any more).
   */
  reweigh(key: string, value: V, bytes: number): boolean {
    const entry = this.#entries.get(key)
    const weight = this.#weigh(key, bytes)
    if (entry?.value !== value || !(weight <= this.entryWeightMax && bytes >= 0)) return false
    this.#setWeight(entry, weight)
    while (this.#weight > this.weightMax) this.#evictOne(undefined)
    return this.#entries.get(key) === entry && entry.value === value
  }

  /** True where there was something. */
  delete(key: string): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    this.#remove(entry, false)
    return true
  }

  /** Everything goes. What the policy and the admission know of keys, they keep. */
  clear(): void {
    for (const entry of this.#entries.values()) this.#remove(entry, false)
  }

  /** All keys, in no order that means anything. */
  keys(): IterableIterator<string> {
    return this.#entries.keys()
  }

  /** What is stored, in the order in which its keys came; what goes meanwhile does not come, and what comes meanwhile comes last. */
  *values(): Generator<V, void> {
    for (const entry of this.#entries.values()) yield entry.value as V
  }

  get size(): number {
    return this.#entries.size
  }

  /** What is in use: bytes, overhead included, or entries. */
  get weight(): number {
    return this.#weight
  }

  get counters(): CacheCounters {
    return {
      hits: this.#hits,
      misses: this.#misses,
      stored: this.#stored,
      evicted: this.#evicted,
      refused: { size: this.#refusedSize, admission: this.#refusedAdmission },
      evictedAges: this.#evictedAges,
    }
  }

  #use(entry: Entry<V>): void {
    const usesMax = this.#usesMax
    if (usesMax >= 0) {
      const { mark } = entry
      if ((mark & usesMax) < usesMax) entry.mark = mark + 1
    } else if (this.#recency !== undefined) this.#recency.renew(entry)
    else this.#policy.onUse!(entry)
  }

  #weigh(key: string, bytes: number): number {
    if (this.#kind === 'bytes') return bytes + key.length + ENTRY_OVERHEAD_BYTES
    return this.#kind === 'bare' ? bytes : 1
  }

  #newEntry(key: string, value: V, weight: number): Entry<V> {
    const spare = this.#spare
    if (spare === undefined) return new Entry(key, value, weight, this.#now())
    this.#spare = undefined
    spare.key = key
    spare.value = value
    spare.weight = weight
    spare.mark = 0
    spare.hash = 0
    spare.born = this.#now()
    return spare
  }

  #now(): number {
    if (this.#nowMs === undefined) return 0
    const nowMs = this.#nowMs()
    this.#startMs ??= nowMs
    return ((nowMs - this.#startMs) / 100) | 0
  }

  /** Four times as many keys as there are entries, as far as one knows. */
  #admissionSizes(): { keys: number; bytes: number } {
    if (this.#kind === 'entries') return { keys: 4 * this.weightMax, bytes: sizeAdmittedBytes(0) }
    const keys = Math.max(KEYS_MIN, this.weightMax / BYTES_PER_KEY)
    return { keys, bytes: sizeAdmittedBytes(this.weightMax) }
  }

  /** In the same place, so that the policy keeps what it knows. False: there was no room beside the others, and it is gone. */
  #replace(entry: Entry<V>, value: V, weight: number): boolean {
    this.#use(entry)
    if (this.#weight + weight - entry.weight > this.weightMax) {
      this.#remove(entry, false)
      return false
    }
    this.#onRemove?.(entry.value as V)
    entry.value = value
    this.#setWeight(entry, weight)
    this.#stored++
    return true
  }

  #setWeight(entry: Entry<V>, weight: number): void {
    const before = entry.weight
    if (weight === before) return
    entry.weight = weight
    this.#weight += weight - before
    this.#policy.onReweigh(entry, before)
  }

  #evictOne(incoming: Entry<V> | undefined): void {
    const entry = this.#policy.victim(incoming)
    if (entry === undefined) throw new Error('a cache without entries claims to be full')
    this.#evicted++
    if (this.#nowMs !== undefined) this.#evictedAges.add((this.#now() - entry.born) / 10)
    const value = entry.value as V
    const { key } = entry
    this.#remove(entry, true)
    entry.value = undefined
    this.#spare = entry
    this.#onEvict?.(value, key)
  }

  #remove(entry: Entry<V>, isEvicted: boolean): void {
    this.#entries.delete(entry.key)
    this.#policy.onRemove(entry, isEvicted)
    this.#weight -= entry.weight
    this.#onRemove?.(entry.value as V)
  }
}
