/** A map in the kernel: keys and values as bytes, in the byte order of the machine. What they mean, its owner knows. */
import { constants } from 'node:os'
import type { LibbpfCalls, Pointer } from './libbpf-calls.ts'
import { BpfFailure, errorText } from './libbpf-failure.ts'

/** `bpf_map_type` of linux/bpf.h, from 0. */
const MAP_TYPES = [
  'unspec',
  'hash',
  'array',
  'prog_array',
  'perf_event_array',
  'percpu_hash',
  'percpu_array',
  'stack_trace',
  'cgroup_array',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
  'array_of_maps',
  'hash_of_maps',
  'devmap',
  'sockmap',
  'cpumap',
  'xskmap',
  'sockhash',
  'cgroup_storage',
  'reuseport_sockarray',
  'percpu_cgroup_storage',
  'queue',
  'stack',
  'sk_storage',
  'devmap_hash',
  'struct_ops',
  'ringbuf',
  'inode_storage',
  'task_storage',
  'bloom_filter',
  'user_ringbuf',
  'cgrp_storage',
] as const
export type MapType = (typeof MAP_TYPES)[number] | 'unknown'

export const mapTypeOf = (number: number): MapType => MAP_TYPES[number] ?? 'unknown'

const { ENOENT } = constants.errno
/** `ENOTSUPP` of the kernel, which is in no header of ours: this kind of map knows no batches. */
const ENOTSUPP = 524

/** What a map is. */
export interface MapShape {
  readonly name: string
  readonly type: MapType
  readonly keyBytes: number
  /** Bytes of one value; of a per-CPU map, those of one CPU. */
  readonly valueBytes: number
  readonly entriesMax: number
}

/** The number of a kind of map in linux/bpf.h. */
export const mapTypeNumber = (type: MapType): number => MAP_TYPES.indexOf(type as 'hash')

export class BpfMap implements MapShape {
  readonly name: string
  readonly type: MapType
  readonly keyBytes: number
  readonly valueBytes: number
  entriesMax: number
  readonly isPerCpu: boolean
  readonly #calls: LibbpfCalls
  /** Where it is in its object; null for one that was made without. */
  readonly #pointer: Pointer
  readonly #ownFd: number
  readonly #readBytes: number
  readonly #cpus: number

  private constructor(calls: LibbpfCalls, shape: MapShape, cpus: number, pointer: Pointer, ownFd: number) {
    this.#calls = calls
    this.#pointer = pointer
    this.#ownFd = ownFd
    this.#cpus = cpus
    this.name = shape.name
    this.type = shape.type
    this.keyBytes = shape.keyBytes
    this.valueBytes = shape.valueBytes
    this.entriesMax = shape.entriesMax
    this.isPerCpu = ['percpu_hash', 'percpu_array', 'lru_percpu_hash'].includes(this.type)
    this.#readBytes = this.isPerCpu ? partBytes(this.valueBytes) * cpus : this.valueBytes
  }

  /** One of an object; it goes with the object. */
  static ofObject(calls: LibbpfCalls, pointer: Pointer, cpus: number): BpfMap {
    const shape: MapShape = {
      name: calls.bpf_map__name(pointer),
      type: mapTypeOf(calls.bpf_map__type(pointer)),
      keyBytes: calls.bpf_map__key_size(pointer),
      valueBytes: calls.bpf_map__value_size(pointer),
      entriesMax: calls.bpf_map__max_entries(pointer),
    }
    return new BpfMap(calls, shape, cpus, pointer, -1)
  }

  /** One by its descriptor, which whoever has it closes. */
  static ofDescriptor(calls: LibbpfCalls, fd: number, shape: MapShape, cpus: number): BpfMap {
    return new BpfMap(calls, shape, cpus, null, fd)
  }

  /** Negative before its object is loaded. */
  get fd(): number {
    return this.#pointer === null ? this.#ownFd : this.#calls.bpf_map__fd(this.#pointer)
  }

  /** Made by the compiler, for variables and constants. */
  get isInternal(): boolean {
    return this.#pointer !== null && Boolean(this.#calls.bpf_map__is_internal(this.#pointer))
  }

  /** Types of its keys in the object's BTF; 0 where there are none. */
  get keyTypeId(): number {
    return this.#pointer === null ? 0 : this.#calls.bpf_map__btf_key_type_id(this.#pointer)
  }

  get valueTypeId(): number {
    return this.#pointer === null ? 0 : this.#calls.bpf_map__btf_value_type_id(this.#pointer)
  }

  /** Sets how many entries it may hold, before its object is loaded. */
  setEntriesMax(entries: number): void {
    this.#check(this.#calls.bpf_map__set_max_entries(this.#pointer, entries), 'cannot size')
    this.entriesMax = entries
  }

  /** The value of a key, undefined where there is none. Of a per-CPU map: that of all CPUs; `valuesOf` takes it apart. */
  get(key: Buffer): Buffer | undefined {
    const value = Buffer.alloc(this.#readBytes)
    const result = this.#calls.bpf_map_lookup_elem(this.fd, this.#whole(key), value)
    if (result === -ENOENT) return undefined
    this.#check(result, 'cannot read')
    return value
  }

  /** The parts of a per-CPU value, by CPU; of any other map, the value alone. */
  valuesOf(value: Buffer): readonly Buffer[] {
    if (!this.isPerCpu) return [value]
    const stride = partBytes(this.valueBytes)
    return Array.from({ length: this.#cpus }, (_, cpu) =>
      value.subarray(cpu * stride, cpu * stride + this.valueBytes),
    )
  }

  /** A value for `set`: of a per-CPU map, the same for each CPU. */
  valueForAll(part: Buffer): Buffer {
    if (!this.isPerCpu) return part
    const padded = Buffer.alloc(partBytes(this.valueBytes))
    part.copy(padded)
    return Buffer.concat(Array.from({ length: this.#cpus }, () => padded))
  }

  /** Writes one entry. A per-CPU map takes the value of all CPUs, each part rounded up to eight bytes. Throws with `E2BIG` where it is full. */
  set(key: Buffer, value: Buffer): void {
    if (value.length !== this.#readBytes) throw this.#sizeError('value', this.#readBytes, value.length)
    this.#check(this.#calls.bpf_map_update_elem(this.fd, this.#whole(key), value, 0), 'cannot write to')
  }

  /** Whether there was such a key. */
  delete(key: Buffer): boolean {
    const result = this.#calls.bpf_map_delete_elem(this.fd, this.#whole(key))
    if (result === -ENOENT) return false
    this.#check(result, 'cannot delete from')
    return true
  }

  /**
   * The keys, one after the other as the kernel has them. What is written or deleted meanwhile may be left out or come twice; there are
   * never more than twice as many as the map may hold, so that it ends.
   */
  *keys(): Generator<Buffer> {
    let before: Buffer | null = null
    for (let left = 2 * this.entriesMax; left > 0; left--) {
      const next = Buffer.alloc(this.keyBytes)
      const result = this.#calls.bpf_map_get_next_key(this.fd, before, next)
      if (result === -ENOENT) return
      this.#check(result, 'cannot list')
      yield next
      before = next
    }
  }

  /** Keys with their values. An entry that goes meanwhile is left out. */
  *entries(): Generator<readonly [key: Buffer, value: Buffer]> {
    for (const key of this.keys()) {
      const value = this.get(key)
      if (value) yield [key, value]
    }
  }

  /** Writes many entries in few calls (Linux 5.6), or one by one where the map knows no batches. */
  setMany(entries: readonly (readonly [key: Buffer, value: Buffer])[]): void {
    if (entries.length === 0) return
    const keys = Buffer.concat(entries.map(([key]) => this.#whole(key)))
    const values = Buffer.concat(entries.map(([, value]) => value))
    const bytes = entries.length * this.#readBytes
    if (values.length !== bytes) throw this.#sizeError('value', bytes, values.length)
    const count = Uint32Array.of(entries.length)
    const result = this.#calls.bpf_map_update_batch(this.fd, keys, values, count, null)
    if (!hasNoBatches(result)) return this.#check(result, 'cannot write to')
    for (const [key, value] of entries) this.set(key, value)
  }

  /** Deletes many keys in few calls, or one by one. Keys that are not there are passed over. */
  deleteMany(keys: readonly Buffer[]): void {
    let left = keys
    while (left.length > 0) {
      const count = Uint32Array.of(left.length)
      const all = Buffer.concat(left.map((key) => this.#whole(key)))
      const result = this.#calls.bpf_map_delete_batch(this.fd, all, count, null)
      if (hasNoBatches(result)) {
        for (const key of left) this.delete(key)
        return
      }
      if (result >= 0) return
      if (result !== -ENOENT) return this.#check(result, 'cannot delete from')
      // The kernel stops at a key that is not there, and says how many it had deleted.
      left = left.slice(count[0]! + 1)
    }
  }

  #whole(key: Buffer): Buffer {
    if (key.length === this.keyBytes) return key
    throw this.#sizeError('key', this.keyBytes, key.length)
  }

  #sizeError(what: string, expected: number, given: number): RangeError {
    return new RangeError(`map ${this.name}: a ${what} has ${expected} bytes, not ${given}`)
  }

  #check(result: number, what: string): void {
    if (result >= 0) return
    throw new BpfFailure(`${what} map ${this.name}: ${errorText(this.#calls, result)}`, -result)
  }
}

/** Each CPU's part of a per-CPU value begins at a multiple of eight. */
const partBytes = (valueBytes: number): number => Math.ceil(valueBytes / 8) * 8

const hasNoBatches = (result: number): boolean =>
  result === -ENOTSUPP || result === -constants.errno.EINVAL || result === -constants.errno.ENOTSUP
