/** Programs and maps that are made without an object file: of instructions, and of a shape. Each is a descriptor, to be closed. */
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
}

const LOG_BYTES = 1 << 18

/** Has the kernel verify a program, and returns its descriptor. The verifier's log comes with the `BpfFailure`. */
export function loadRaw(calls: LibbpfCalls, program: RawProgram): number {
  const { type, name, isGpl, instructions, flags = 0, attachType = 0 } = program
  const log = Buffer.alloc(LOG_BYTES)
  const license = isGpl ? 'GPL' : 'Proprietary'
  const attempt = (log_level: number) => {
    const options: LoadOptions = {
      sz: 112,
      expected_attach_type: attachType,
      prog_flags: flags,
      log_level,
      log_size: log_level === 0 ? 0 : log.length,
      log_buf: log,
    }
    if (log_level === 0) Reflect.deleteProperty(options, 'log_buf')
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
