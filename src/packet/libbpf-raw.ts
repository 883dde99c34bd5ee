/** Programs and maps that are made without an object file: of instructions, and of a shape. Each is a descriptor, to be closed. */
import koffi from 'koffi'
import type { LibbpfCalls, LoadOptions } from './libbpf-calls.ts'
import { BpfFailure, errorText } from './libbpf-failure.ts'
import { type MapShape, mapTypeNumber } from './libbpf-map.ts'

/** `bpf_prog_type` of linux/bpf.h. */
const PROGRAM_TYPES = { xdp: 6, raw_tracepoint: 17 } as const

export interface RawProgram {
  readonly type: keyof typeof PROGRAM_TYPES
  readonly name: string
  readonly isGpl: boolean
  /** Eight bytes each. */
  readonly instructions: Buffer
  readonly flags?: number
  readonly attachType?: number
  /** What its functions are in the types of an object; absent: the kernel knows nothing of them. */
  readonly functions?: FunctionRecords | undefined
}

export interface FunctionRecords {
  readonly btfFd: number
  /** `struct bpf_func_info` each: the first instruction, and the number of the type. */
  readonly records: Buffer
}

const RECORD_BYTES = 8
/** As many as the kernel takes (`BPF_MAX_SUBPROGS`). */
const FUNCTIONS_MAX = 256
const INFO_BYTES = 224

const LOG_BYTES = 1 << 18

/** Has the kernel verify a program, and returns its descriptor. The verifier's log comes with the `BpfFailure`. */
export function loadRaw(calls: LibbpfCalls, program: RawProgram): number {
  const { type, name, isGpl, instructions, flags = 0, attachType = 0, functions } = program
  const log = Buffer.alloc(LOG_BYTES)
  const license = isGpl ? 'GPL' : 'Proprietary'
  const attempt = (log_level: number) => {
    const options: LoadOptions = {
      sz: 112,
      expected_attach_type: attachType,
      prog_btf_fd: functions?.btfFd ?? 0,
      prog_flags: flags,
      func_info: functions?.records ?? null,
      func_info_cnt: (functions?.records.length ?? 0) / RECORD_BYTES,
      func_info_rec_size: functions ? RECORD_BYTES : 0,
      log_level,
      log_size: log_level === 0 ? 0 : log.length,
      log_buf: log_level === 0 ? null : log,
    }
    return calls.bpf_prog_load(
      PROGRAM_TYPES[type],
      name,
      license,
      instructions,
      instructions.length / 8,
      options,
    )
  }
  // Without a log first: one that is too long for its place is a failure, too.
  let result = attempt(0)
  if (result >= 0) return result
  result = attempt(1)
  if (result >= 0) return result
  throw new BpfFailure(
    `cannot load ${name}: ${errorText(calls, result)}`,
    -result,
    log.toString('utf8').split('\0')[0],
  )
}

export function createMap(
  calls: LibbpfCalls,
  { type, name, keyBytes, valueBytes, entriesMax }: MapShape,
): number {
  const fd = calls.bpf_map_create(mapTypeNumber(type), name, keyBytes, valueBytes, entriesMax, null)
  if (fd < 0) throw new BpfFailure(`cannot make map ${name}: ${errorText(calls, fd)}`, -fd)
  return fd
}

/** Has a program called at a tracepoint of the kernel, until the descriptor is closed. */
export function attachTracepoint(calls: LibbpfCalls, name: string, programFd: number): number {
  const fd = calls.bpf_raw_tracepoint_open(name, programFd)
  if (fd < 0) throw new BpfFailure(`cannot attach to ${name}: ${errorText(calls, fd)}`, -fd)
  return fd
}

/** Numbers of the types of a program's functions, in the order in which they stand; empty where the kernel does not tell. */
export function functionTypes(calls: LibbpfCalls, programFd: number): readonly number[] {
  // struct bpf_prog_info: func_info_rec_size stands at 132, func_info at 136, nr_func_info at 144.
  const records = Buffer.alloc(FUNCTIONS_MAX * RECORD_BYTES)
  const info = Buffer.alloc(INFO_BYTES)
  info.writeUInt32LE(RECORD_BYTES, 132)
  info.writeBigUInt64LE(koffi.address(records), 136)
  info.writeUInt32LE(FUNCTIONS_MAX, 144)
  if (calls.bpf_obj_get_info_by_fd(programFd, info, Uint32Array.of(INFO_BYTES)) < 0) return []
  const count = info.readUInt32LE(144)
  if (count > FUNCTIONS_MAX) return []
  return Array.from({ length: count }, (_, at) => records.readUInt32LE(at * RECORD_BYTES + 4))
}
