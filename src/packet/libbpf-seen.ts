/** Maps of a program that somebody else has loaded, to be read. */
import { closeSync } from 'node:fs'
import koffi from 'koffi'
import type { LibbpfCalls } from './libbpf-calls.ts'
import { BpfMap, mapTypeOf } from './libbpf-map.ts'

const PROGRAM_INFO_BYTES = 128
const MAP_INFO_BYTES = 80
const NAME_BYTES = 16
/** The kernel lets a program have as many (`MAX_USED_MAPS`). */
const MAPS_MAX = 64

/** They stay readable when the program has gone, until they are closed. */
export interface SeenMaps {
  map(name: string): BpfMap | undefined
  close(): void
}

/** The maps of a program in the kernel; undefined where it has gone, or this process may not look. */
export function seenMaps(calls: LibbpfCalls, programId: number, cpus: number): SeenMaps | undefined {
  const programFd = calls.bpf_prog_get_fd_by_id(programId)
  if (programFd < 0) return undefined
  const maps: BpfMap[] = []
  try {
    // struct bpf_prog_info: nr_map_ids stands at 52, the address of the ids at 56.
    const ids = new Uint32Array(MAPS_MAX)
    const info = Buffer.alloc(PROGRAM_INFO_BYTES)
    info.writeUInt32LE(MAPS_MAX, 52)
    info.writeBigUInt64LE(koffi.address(ids), 56)
    if (calls.bpf_obj_get_info_by_fd(programFd, info, Uint32Array.of(info.length)) < 0) return undefined
    for (const id of ids.subarray(0, Math.min(MAPS_MAX, info.readUInt32LE(52)))) {
      const map = mapOf(calls, id, cpus)
      if (map !== undefined) maps.push(map)
    }
  } finally {
    closeSync(programFd)
  }
  return {
    map: (name) => maps.find((map) => map.name === name),
    close() {
      for (const { fd } of maps.splice(0)) closeSync(fd)
    },
  }
}

function mapOf(calls: LibbpfCalls, id: number, cpus: number): BpfMap | undefined {
  const fd = calls.bpf_map_get_fd_by_id(id)
  if (fd < 0) return undefined
  const info = Buffer.alloc(MAP_INFO_BYTES)
  if (calls.bpf_obj_get_info_by_fd(fd, info, Uint32Array.of(info.length)) < 0) {
    closeSync(fd)
    return undefined
  }
  // struct bpf_map_info: type, id, key_size, value_size, max_entries, map_flags, name.
  const name = info.subarray(24, 24 + NAME_BYTES).toString('latin1')
  const shape = {
    name: name.split('\0')[0]!,
    type: mapTypeOf(info.readUInt32LE(0)),
    keyBytes: info.readUInt32LE(8),
    valueBytes: info.readUInt32LE(12),
    entriesMax: info.readUInt32LE(16),
  }
  return BpfMap.ofDescriptor(calls, fd, shape, cpus)
}
