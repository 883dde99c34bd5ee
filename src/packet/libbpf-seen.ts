/** Maps of a program that somebody else has loaded, to be read: what a per-CPU value is made of, the kernel tells. */
import { closeSync } from 'node:fs'
import koffi from 'koffi'
import type { LibbpfCalls } from './libbpf-calls.ts'

/** `BPF_MAP_TYPE_PERCPU_ARRAY` of linux/bpf.h. */
const PERCPU_ARRAY = 6

const PROGRAM_INFO_BYTES = 128
const MAP_INFO_BYTES = 80
const NAME_BYTES = 16
/** A program of ours has fewer. */
const MAPS_MAX = 64

export interface SeenMaps {
  map(name: string): SeenMap | undefined
  close(): void
}

/** The maps of a program in the kernel; undefined where it has gone, or this process may not look. */
export function seenMaps(calls: LibbpfCalls, programId: number, cpus: number): SeenMaps | undefined {
  const programFd = calls.bpf_prog_get_fd_by_id(programId)
  if (programFd < 0) return undefined
  const maps = new Map<string, SeenMap>()
  try {
    // struct bpf_prog_info: nr_map_ids stands at 52, the address of the ids at 56.
    const ids = new Uint32Array(MAPS_MAX)
    const info = Buffer.alloc(PROGRAM_INFO_BYTES)
    info.writeUInt32LE(MAPS_MAX, 52)
    info.writeBigUInt64LE(koffi.address(ids), 56)
    if (calls.bpf_obj_get_info_by_fd(programFd, info, Uint32Array.of(info.length)) < 0) return undefined
    for (const id of ids.subarray(0, Math.min(MAPS_MAX, info.readUInt32LE(52)))) {
      const map = SeenMap.open(calls, id, cpus)
      if (map !== undefined) maps.set(map.name, map)
    }
  } finally {
    closeSync(programFd)
  }
  return {
    map: (name) => maps.get(name),
    close() {
      for (const map of maps.values()) closeSync(map.fd)
      maps.clear()
    },
  }
}

export class SeenMap {
  readonly name: string
  readonly fd: number
  readonly #calls: LibbpfCalls
  readonly #cpus: number
  readonly #valueBytes: number

  private constructor(calls: LibbpfCalls, fd: number, info: Buffer, cpus: number) {
    // struct bpf_map_info: type, id, key_size, value_size, max_entries, map_flags, name.
    this.#calls = calls
    this.fd = fd
    this.#cpus = info.readUInt32LE(0) === PERCPU_ARRAY ? cpus : 1
    this.#valueBytes = info.readUInt32LE(12)
    this.name = info
      .subarray(24, 24 + NAME_BYTES)
      .toString('latin1')
      .split('\0')[0]!
  }

  static open(calls: LibbpfCalls, id: number, cpus: number): SeenMap | undefined {
    const fd = calls.bpf_map_get_fd_by_id(id)
    if (fd < 0) return undefined
    const info = Buffer.alloc(MAP_INFO_BYTES)
    if (calls.bpf_obj_get_info_by_fd(fd, info, Uint32Array.of(info.length)) >= 0)
      return new SeenMap(calls, fd, info, cpus)
    closeSync(fd)
    return undefined
  }

  get(key: Buffer): Buffer | undefined {
    const value = Buffer.alloc(this.#partBytes * this.#cpus)
    return this.#calls.bpf_map_lookup_elem(this.fd, key, value) < 0 ? undefined : value
  }

  valuesOf(value: Buffer): readonly Buffer[] {
    return Array.from({ length: this.#cpus }, (_, cpu) =>
      value.subarray(cpu * this.#partBytes, cpu * this.#partBytes + this.#valueBytes),
    )
  }

  /** Each CPU's part of a per-CPU value begins at a multiple of eight. */
  get #partBytes(): number {
    return this.#cpus === 1 ? this.#valueBytes : Math.ceil(this.#valueBytes / 8) * 8
  }
}
