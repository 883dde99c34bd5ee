/** A map of a program that runs, with keys and values as what they mean. */
import type { Libbpf } from '../libbpf.ts'
import type { Follower } from '../libbpf-followers.ts'
import type { BpfMap, MapType } from '../libbpf-map.ts'
import type { Btf, BtfType } from './btf.ts'
import { decodePrefix, decodeValue, encodePrefix, encodeValue, sumOf, type Value } from './values.ts'

/** A bar of a histogram: values from `low` to `high`, both included. */
export interface Bar {
  readonly low: number
  readonly high: number
  readonly count: number
}

/** How a map is best shown: `events` are followed, `variables` are those of the source, `none` holds nothing that can be read. */
export type MapLook = 'table' | 'histogram' | 'events' | 'variables' | 'none'

const KEYED: readonly MapType[] = [
  'hash',
  'percpu_hash',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
  'hash_of_maps',
  'devmap_hash',
]
const INDEXED: readonly MapType[] = ['array', 'percpu_array', 'devmap', 'cpumap', 'xskmap']
const EVENTS: readonly MapType[] = ['ringbuf', 'perf_event_array']

/** What `BPF_HISTOGRAM` gives its counts; BCC's `bpf_log2l` counts from one. */
const BCC_COUNT = 'bcc_histogram_t'

export class LoadedMap {
  readonly name: string
  readonly type: MapType
  readonly look: MapLook
  /** How many entries it may hold; of a ring buffer, its bytes. */
  readonly entriesMax: number
  readonly isPerCpu: boolean
  readonly #libbpf: Libbpf
  readonly #map: BpfMap
  readonly #btf: Btf | undefined
  readonly #firstIsOne: boolean
  readonly #onEvents = new Set<OnEvent>()
  #follower: Follower | undefined
  #isClosed = false
  #eventsLost = 0

  constructor(libbpf: Libbpf, map: BpfMap, btf: Btf | undefined) {
    this.#libbpf = libbpf
    this.#map = map
    this.#btf = btf
    this.name = map.name
    this.type = map.type
    this.entriesMax = map.entriesMax
    this.isPerCpu = map.isPerCpu
    this.#firstIsOne = btf?.nameOf(map.valueTypeId) === BCC_COUNT
    this.look = this.#lookOf(map)
  }

  #lookOf({ type, isInternal, name, valueTypeId }: BpfMap): MapLook {
    if (isInternal) return /\.(?:bss|data)/.test(name) ? 'variables' : 'none'
    if (EVENTS.includes(type)) return 'events'
    if (KEYED.includes(type)) return 'table'
    if (!INDEXED.includes(type)) return 'none'
    const isCount = this.#btf?.resolve(valueTypeId).kind === 'int'
    return isCount && (this.#firstIsOne || /hist|log2/i.test(name)) ? 'histogram' : 'table'
  }

  /** The map itself, with keys and values as bytes. Throws, as all that reads or writes it, when the program was closed. */
  get raw(): BpfMap {
    if (this.#isClosed) throw new TypeError(`map ${this.name} is gone: its program was closed`)
    return this.#map
  }

  /** All entries, as they are now. Of a per-CPU map the value is the sum over CPUs where it can be summed, else a list by CPU. */
  entries(): [key: Value, value: Value][] {
    return this.read().map(({ key, value, byCpu }) => [key, value ?? byCpu!])
  }

  keys(): Value[] {
    return this.entries().map(([key]) => key)
  }

  values(): Value[] {
    return this.entries().map(([, value]) => value)
  }

  /** Undefined where there is no such key. Takes keys in the form that `entries` gives them, or as a `Buffer`. */
  get(key: Value | Buffer): Value | undefined {
    const value = this.raw.get(this.#keyBytes(key))
    if (!value) return undefined
    const { value: sum, byCpu } = this.#readValue(value)
    return sum ?? byCpu
  }

  /** Of a per-CPU map, the value of each CPU; of any other, the value alone. */
  byCpu(key: Value | Buffer): Value[] | undefined {
    const value = this.raw.get(this.#keyBytes(key))
    return value && this.#map.valuesOf(value).map((part) => this.#decode(part))
  }

  /** Writes an entry; of a per-CPU map, for each CPU the same. The program sees it at once. */
  set(key: Value | Buffer, value: Value | Buffer): void {
    // Before anything of it is read: what a closed object says of its types lies in memory that is another's by now.
    const map = this.raw
    const part = this.#named(() => encodeValue(this.#btf, map.valueTypeId, value, map.valueBytes))
    map.set(this.#keyBytes(key), map.valueForAll(part))
  }

  /** Whether there was such a key. An entry of an array cannot be deleted. */
  delete(key: Value | Buffer): boolean {
    return this.raw.delete(this.#keyBytes(key))
  }

  /** The counts of a map that holds one for each power of two, up to the last that is not zero. */
  histogram(): Bar[] {
    const counts = this.read().map(({ value }) => Number(value))
    const used = counts.findLastIndex((count) => count > 0) + 1
    const bars = counts.slice(0, used).map((count, slot) => {
      const power = this.#firstIsOne ? slot - 1 : slot
      return { low: power <= 0 ? 0 : 2 ** power, high: 2 ** (power + 1) - 1, count }
    })
    // BCC's first place is never used: what is zero or one is in the second.
    return this.#firstIsOne ? bars.slice(1) : bars
  }

  /** Variables of the source by their names, of a map that is `variables`. */
  variables(): { readonly [name: string]: Value } {
    const value = this.raw.get(Buffer.alloc(this.#map.keyBytes))
    const read = value && decodeValue(this.#btf, this.#map.valueTypeId, value)
    return typeof read === 'object' ? (read as { readonly [name: string]: Value }) : {}
  }

  /**
   * Calls with each event of a ring buffer or perf event array, as it comes: with what is in it, and its bytes. What was there before the first
   * call comes first. Returns what ends it. The process stays alive as long as an event may come. Throws a `TypeError` for any other map.
   */
  onEvent(callback: OnEvent): () => void {
    if (this.look !== 'events')
      throw new TypeError(`map ${this.name} is of type ${this.type}: it has no events`)
    this.#onEvents.add(callback)
    this.#follower ??= this.#follow()
    return () => void this.#onEvents.delete(callback)
  }

  /** Events that there was no room for; of a perf event array alone, a ring buffer does not tell. */
  get eventsLost(): number {
    return this.#eventsLost
  }

  /** Reads events that have come until now. */
  drain(): void {
    this.#follower?.drain()
  }

  /** Ends `onEvent`, and all else: its descriptor may be another one's by now. */
  close(): void {
    this.#isClosed = true
    this.#follower?.close()
    this.#follower = undefined
    this.#onEvents.clear()
  }

  #follow(): Follower {
    const onSample = (bytes: Buffer, cpu: number | undefined) => {
      const value = decodeValue(
        this.#btf,
        this.#btf ? eventTypeId(this.#btf, this.name, bytes.length) : 0,
        bytes,
      )
      for (const callback of this.#onEvents) callback(value, { bytes, cpu })
    }
    return this.type === 'ringbuf'
      ? this.#libbpf.followRing(this.raw, onSample)
      : this.#libbpf.followPerf(this.raw, onSample, (count) => (this.#eventsLost += count))
  }

  /** Entries with the parts of each CPU. */
  read(): MapEntry[] {
    return Array.from(this.raw.entries(), ([key, value]) => this.#readEntry(key, value))
  }

  /** The same, of an array without the places in which every byte is zero: all of them are there from the beginning. */
  readUsed(): MapEntry[] {
    if (this.type !== 'array' && this.type !== 'percpu_array') return this.read()
    const used: MapEntry[] = []
    let zero = Buffer.alloc(0)
    for (const [key, value] of this.raw.entries()) {
      if (zero.length !== value.length) zero = Buffer.alloc(value.length)
      if (!value.equals(zero)) used.push(this.#readEntry(key, value))
    }
    return used
  }

  #readEntry(key: Buffer, value: Buffer): MapEntry {
    return Object.assign(this.#readValue(value), { key: this.#readKey(key) })
  }

  #readKey(key: Buffer): Value {
    if (this.type === 'lpm_trie') return decodePrefix(key)
    if (INDEXED.includes(this.type)) return key.readUInt32LE()
    return decodeValue(this.#btf, this.#map.keyTypeId, key)
  }

  #readValue(value: Buffer): Omit<MapEntry, 'key'> {
    if (!this.isPerCpu) return { value: this.#decode(value) }
    const byCpu = this.#map.valuesOf(value).map((part) => this.#decode(part))
    return { value: sumOf(byCpu), byCpu }
  }

  #decode(bytes: Buffer): Value {
    return decodeValue(this.#btf, this.#map.valueTypeId, bytes)
  }

  #keyBytes(key: Value | Buffer): Buffer {
    const { keyBytes, keyTypeId } = this.#map
    return this.#named(() => {
      if (this.type === 'lpm_trie' && typeof key === 'string') return encodePrefix(key, keyBytes)
      return encodeValue(this.#btf, INDEXED.includes(this.type) ? 0 : keyTypeId, key, keyBytes)
    })
  }

  /** An error of a value, with the name of this map in front. */
  #named(encode: () => Buffer): Buffer {
    try {
      return encode()
    } catch (error) {
      if (error instanceof Error) error.message = `map ${this.name}: ${error.message}`
      throw error
    }
  }
}

/** What is given with an event. `cpu` is known of perf event arrays. */
export interface EventContext {
  readonly bytes: Buffer
  readonly cpu: number | undefined
}
export type OnEvent = (event: Value, context: EventContext) => void

export interface MapEntry {
  readonly key: Value
  /** Undefined where the parts of CPUs cannot be summed. */
  readonly value: Value | undefined
  readonly byCpu?: readonly Value[]
}

/** By which an event's type is known where nothing else tells it: `struct event` for a map that is called `events`. */
export function eventTypeId(btf: Btf, map: string, bytes: number): number {
  const told = btf.types.find((type) => type.kind === 'variable' && type.name === `orla_event_${map}`)
  const pointer = told?.kind === 'variable' ? btf.resolve(told.of) : undefined
  if (pointer?.kind === 'pointer') return pointer.to
  const single = map.replace(/s$/, '')
  const names = [single, `${single}_t`, map, `${map}_t`, `${map}_event`, 'event', 'event_t', 'data_t']
  const fits = (type: BtfType, name: string) =>
    (type.kind === 'struct' && type.name === name && type.bytes <= bytes) ||
    (type.kind === 'alias' && type.name === name && btf.resolve(type.of).kind === 'struct')
  for (const name of names) {
    const id = btf.types.findIndex((type) => fits(type, name))
    if (id > 0 && (btf.bytesOf(id) ?? Infinity) <= bytes) return id
  }
  return 0
}
