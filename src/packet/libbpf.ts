/**
 * BPF programs and maps of this machine, through libbpf: the one place that calls it (with `libbpf-*.ts` behind this file).
 *
 * Everything that is opened here belongs to this process: programs, maps and links are descriptors, and the kernel takes away what nobody
 * holds any more. So a program leaves its interface when the process ends, also when it is killed.
 *
 * Calls are synchronous and short, but `BpfObject.load` of a large program, which takes the verifier some hundred milliseconds. It is for
 * the supervisor and the command; a sandbox never sees it.
 */
import { closeSync } from 'node:fs'
import koffi from 'koffi'
import { type LibbpfCalls, loadCalls, type Memory } from './libbpf-calls.ts'
import { BpfFailure, errorText } from './libbpf-failure.ts'
import { BpfObject } from './libbpf-object.ts'
import { followPerf, followRing, type Follower, type OnLost, type OnSample } from './libbpf-followers.ts'
import { BpfMap, type MapShape } from './libbpf-map.ts'
import { attachTracepoint, createMap, functionTypes, loadRaw, type RawProgram } from './libbpf-raw.ts'
import { type SeenMaps, seenMaps } from './libbpf-seen.ts'
import { interfaceFlags } from './interface-flags.ts'
import { testRun, type TestRun } from './libbpf-trial.ts'

/** Where a program runs: in the driver, in the network stack, or on the card. */
export type XdpMode = 'native' | 'generic' | 'offload'

/** `XDP_FLAGS_*` of linux/if_link.h. */
const XDP_FLAGS: Readonly<Record<XdpMode, number>> = { generic: 2, native: 4, offload: 8 }
/** `bpf_attach_type` of linux/bpf.h. */
const BPF_XDP = 37
/** `BPF_LINK_TYPE_XDP`. */
const LINK_XDP = 6

/** What is attached to an interface. */
export interface XdpAttached {
  readonly mode: XdpMode
  readonly programId: number
  readonly programName: string
}

/** A program on an interface; it leaves with `detach`, or with this process. */
export interface XdpLink {
  readonly fd: number
  readonly mode: XdpMode
  detach(): void
}

export interface LinkInfo {
  readonly id: number
  readonly programId: number
  /** Of an XDP link: the interface; 0 where it is gone. */
  readonly interfaceIndex: number | undefined
}

export type LibbpfResult =
  | { readonly kind: 'loaded'; readonly libbpf: Libbpf }
  | { readonly kind: 'missing'; readonly reason: string }

let loaded: LibbpfResult | undefined

/** Loads libbpf into this process, once. `missing` says why in a clause: `libbpf is not installed (libbpf.so.1)`. */
export function loadLibbpf(): LibbpfResult {
  loaded ??= attempt()
  return loaded
}

function attempt(): LibbpfResult {
  if (process.platform !== 'linux') return { kind: 'missing', reason: 'BPF programs run on Linux alone' }
  const printed: Printed = { lines: undefined }
  const result = loadCalls((_, text) => printed.lines?.push(text))
  if (typeof result === 'string') return { kind: 'missing', reason: result }
  return { kind: 'loaded', libbpf: new Libbpf(result.calls, result.memory, printed) }
}

/** Where what libbpf prints is kept while a call runs; at other times it is dropped. */
export interface Printed {
  lines: string[] | undefined
}

export class Libbpf {
  readonly version: string
  /** How many CPUs there may be: a value of a per-CPU map has one part for each. */
  readonly cpus: number
  readonly #calls: LibbpfCalls
  readonly #memory: Memory
  readonly #printed: Printed
  readonly #indexOf: (name: string) => number

  constructor(calls: LibbpfCalls, memory: Memory, printed: Printed) {
    this.#calls = calls
    this.#memory = memory
    this.#printed = printed
    this.version = calls.libbpf_version_string().replace(/^v/, '')
    this.cpus = calls.libbpf_num_possible_cpus()
    this.#indexOf = koffi.load(null).func('uint32_t if_nametoindex(const char *name)') as unknown as (
      name: string,
    ) => number
  }

  /** Reads an object file (ELF, as clang makes it with `-target bpf`). Nothing is in the kernel yet. Throws a `BpfFailure` with libbpf's own words. */
  open(bytes: Buffer, name: string): BpfObject {
    return BpfObject.open(this.#calls, this.#memory, this.#printed, bytes, name, this.cpus)
  }

  /** The number of an interface, undefined where there is none of that name. */
  interfaceIndex(name: string): number | undefined {
    return this.#indexOf(name) || undefined
  }

  /** Undefined where the kernel does not tell. */
  interfaceIsUp(name: string): boolean | undefined {
    return interfaceFlags(name)?.isUp
  }

  /** What runs on an interface, whoever attached it; empty where nothing does. */
  attached(interfaceIndex: number): readonly XdpAttached[] {
    // struct bpf_xdp_query_opts: its size, prog_id, drv_prog_id, hw_prog_id, skb_prog_id, attach_mode.
    const options = Buffer.alloc(32)
    options.writeBigUInt64LE(BigInt(options.length))
    this.#check(this.#calls.bpf_xdp_query(interfaceIndex, 0, options), 'cannot ask what is attached')
    const places: readonly (readonly [XdpMode, number])[] = [
      ['native', 12],
      ['offload', 16],
      ['generic', 20],
    ]
    return places
      .map(([mode, at]) => ({ mode, programId: options.readUInt32LE(at) }))
      .filter(({ programId }) => programId !== 0)
      .map((found) => Object.assign(found, { programName: this.programName(found.programId) }))
  }

  /**
   * Attaches a program to an interface. What is attached already, by whomever, is never replaced: the kernel refuses (`EBUSY`, or
   * `EEXIST` where it is there in another mode).
   */
  attachXdp(programFd: number, interfaceIndex: number, mode: XdpMode): XdpLink {
    // struct bpf_link_create_opts: its size, flags.
    const options = Buffer.alloc(16)
    options.writeBigUInt64LE(BigInt(options.length))
    options.writeUInt32LE(XDP_FLAGS[mode], 8)
    const fd = this.#calls.bpf_link_create(programFd, interfaceIndex, BPF_XDP, options)
    this.#check(fd, `cannot attach in ${mode} mode`)
    return this.linkOf(fd, mode)
  }

  /** A link that another process made, and handed on with its descriptor. */
  linkOf(fd: number, mode: XdpMode): XdpLink {
    let isOpen = true
    return {
      fd,
      mode,
      detach: () => {
        if (isOpen) closeSync(fd)
        isOpen = false
      },
    }
  }

  /** Puts another program in the place of the one that a link holds: each packet meets the one or the other. */
  updateLink(linkFd: number, programFd: number): void {
    this.#check(this.#calls.bpf_link_update(linkFd, programFd, null), 'cannot take over')
  }

  /** The maps of a program that somebody else loaded, to be read; undefined where it has gone, or this process may not look. */
  mapsOf(programId: number): SeenMaps | undefined {
    return seenMaps(this.#calls, programId, this.cpus)
  }

  /** Undefined where the kernel does not tell. */
  linkInfo(linkFd: number): LinkInfo | undefined {
    const info = this.#info(linkFd, 64)
    if (!info) return undefined
    const isXdp = info.readUInt32LE(0) === LINK_XDP
    return {
      id: info.readUInt32LE(4),
      programId: info.readUInt32LE(8),
      interfaceIndex: isXdp ? info.readUInt32LE(16) : undefined,
    }
  }

  /** The id of a program in the kernel, as `bpftool prog` shows it. */
  programId(programFd: number): number | undefined {
    return this.#info(programFd, 128)?.readUInt32LE(4)
  }

  /** The name of a program, as far as the kernel keeps it (15 characters); empty where it is gone. */
  programName(id: number): string {
    const fd = this.#calls.bpf_prog_get_fd_by_id(id)
    if (fd < 0) return ''
    try {
      // struct bpf_prog_info: the name stands at 64.
      const name = this.#info(fd, 128)?.subarray(64, 80) ?? Buffer.alloc(0)
      return name.toString('latin1').split('\0')[0]!
    } finally {
      closeSync(fd)
    }
  }

  /** Whether a program may call what is for programs under the GPL alone. */
  isGpl(programFd: number): boolean {
    // struct bpf_prog_info: the bit stands at 84.
    return ((this.#info(programFd, 128)?.readUInt32LE(84) ?? 0) & 1) === 1
  }

  /** A program made of instructions; its descriptor is the caller's to close. The verifier's log comes with the `BpfFailure`. */
  loadProgram(program: RawProgram): number {
    return loadRaw(this.#calls, program)
  }

  /** Numbers of the types of a program's functions, in the order in which they stand; empty where the kernel does not tell. */
  functionTypes(programFd: number): readonly number[] {
    return functionTypes(this.#calls, programFd)
  }

  /** A map that belongs to no object; its descriptor is the caller's to close. */
  createMap(shape: MapShape): BpfMap {
    return BpfMap.ofDescriptor(this.#calls, createMap(this.#calls, shape), shape, this.cpus)
  }

  /** Has a program called at a tracepoint of the kernel, as long as the descriptor that it returns is open. */
  attachTracepoint(name: string, programFd: number): number {
    return attachTracepoint(this.#calls, name, programFd)
  }

  /** Gives a program a packet, `repeat` times, without any interface. */
  testRun(programFd: number, packet: Buffer, repeat = 1): TestRun {
    return testRun(this.#calls, programFd, packet, repeat)
  }

  /** Follows a ring buffer (`BPF_MAP_TYPE_RINGBUF`): what is in it already comes first, in order. */
  followRing(map: BpfMap, onSample: OnSample): Follower {
    return followRing(this.#calls, this.#memory, map.fd, map.entriesMax, onSample)
  }

  /** Follows a perf event array, all CPUs of it. `onLost` is told how many a CPU had no room for. */
  followPerf(map: BpfMap, onSample: OnSample, onLost: OnLost): Follower {
    return followPerf(this.#calls, this.#memory, map.fd, onSample, onLost)
  }

  #info(fd: number, bytes: number): Buffer | undefined {
    const info = Buffer.alloc(bytes)
    const length = Uint32Array.of(bytes)
    return this.#calls.bpf_obj_get_info_by_fd(fd, info, length) < 0 ? undefined : info
  }

  #check(result: number, what: string): void {
    if (result < 0) throw new BpfFailure(`${what}: ${errorText(this.#calls, result)}`, -result)
  }
}
