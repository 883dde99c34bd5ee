/** An object file in memory, and what becomes of it in the kernel: its programs and its maps. */
import koffi from 'koffi'
import type { LibbpfCalls, Memory, OpenOptions, Pointer } from './libbpf-calls.ts'
import type { Printed } from './libbpf.ts'
import { BpfFailure, errorText } from './libbpf-failure.ts'
import { BpfMap } from './libbpf-map.ts'
import { testRun, type TestRun } from './libbpf-trial.ts'

/** `bpf_prog_type` of linux/bpf.h, as far as it matters here. */
const PROGRAM_XDP = 6
/** `bpf_attach_type`: `BPF_XDP`. */
const ATTACH_XDP = 37

export class BpfObject {
  readonly name: string
  /** Those of the file, from before `load` on. */
  readonly programs: readonly BpfProgram[]
  readonly maps: readonly BpfMap[]
  readonly #calls: LibbpfCalls
  readonly #memory: Memory
  readonly #printed: Printed
  #pointer: Pointer

  private constructor(
    calls: LibbpfCalls,
    memory: Memory,
    printed: Printed,
    pointer: Pointer,
    name: string,
    cpus: number,
  ) {
    this.#calls = calls
    this.#memory = memory
    this.#printed = printed
    this.#pointer = pointer
    this.name = name
    const each = (next: (object: Pointer, before: Pointer) => Pointer) => {
      const found: Pointer[] = []
      for (let at = next(pointer, null); at !== null; at = next(pointer, at)) found.push(at)
      return found
    }
    this.programs = each(calls.bpf_object__next_program).map((at) => new BpfProgram(calls, memory, at))
    this.maps = each(calls.bpf_object__next_map).map((at) => BpfMap.ofObject(calls, at, cpus))
  }

  static open(
    calls: LibbpfCalls,
    memory: Memory,
    printed: Printed,
    bytes: Buffer,
    name: string,
    cpus: number,
  ): BpfObject {
    const options: OpenOptions = { sz: 16, object_name: name }
    const [pointer, log] = captured(printed, () => calls.bpf_object__open_mem(bytes, bytes.length, options))
    if (pointer !== null) return new BpfObject(calls, memory, printed, pointer, name, cpus)
    const errno = koffi.errno()
    throw new BpfFailure(`cannot read ${name}: ${errorText(calls, errno)}`, errno, log)
  }

  /** Makes its maps, and has the kernel verify its programs. On failure the `log` of the `BpfFailure` holds what the verifier said. */
  load(): void {
    const [result, log] = captured(this.#printed, () => this.#calls.bpf_object__load(this.#pointer))
    if (result >= 0) return
    throw new BpfFailure(`cannot load ${this.name}: ${errorText(this.#calls, result)}`, -result, log)
  }

  program(name: string): BpfProgram | undefined {
    return this.programs.find((program) => program.name === name)
  }

  map(name: string): BpfMap | undefined {
    return this.maps.find((map) => map.name === name)
  }

  /** The descriptor of its types in the kernel, after `load`; negative where there are none. */
  get btfFd(): number {
    return this.#calls.bpf_object__btf_fd(this.#pointer)
  }

  /** The types of its source (BTF), undefined where it was compiled without `-g`. */
  btf(): Buffer | undefined {
    const btf = this.#calls.bpf_object__btf(this.#pointer)
    if (btf === null) return undefined
    const bytes = new Uint32Array(1)
    const data = this.#calls.btf__raw_data(btf, bytes)
    return data === null ? undefined : this.#memory.copy(data, bytes[0]!)
  }

  /** Lets go of programs and maps; the kernel keeps those that are still attached somewhere. Neither is used afterwards. */
  close(): void {
    if (this.#pointer === null) return
    this.#calls.bpf_object__close(this.#pointer)
    this.#pointer = null
  }
}

export class BpfProgram {
  readonly name: string
  readonly section: string
  readonly #calls: LibbpfCalls
  readonly #memory: Memory
  readonly #pointer: Pointer

  constructor(calls: LibbpfCalls, memory: Memory, pointer: Pointer) {
    this.#calls = calls
    this.#memory = memory
    this.#pointer = pointer
    this.name = calls.bpf_program__name(pointer)
    this.section = calls.bpf_program__section_name(pointer)
  }

  get isXdp(): boolean {
    return this.#calls.bpf_program__type(this.#pointer) === PROGRAM_XDP
  }

  /** Whether its section says nothing of its type, as `SEC("prog")`: it cannot be loaded before `setXdp`. */
  get isUntyped(): boolean {
    return this.#calls.bpf_program__type(this.#pointer) === 0
  }

  /** Makes it an XDP program, before `load`. */
  setXdp(): void {
    this.#check(this.#calls.bpf_program__set_type(this.#pointer, PROGRAM_XDP), 'cannot type')
    const result = this.#calls.bpf_program__set_expected_attach_type(this.#pointer, ATTACH_XDP)
    this.#check(result, 'cannot type')
  }

  /** After `load`; negative before. */
  get fd(): number {
    return this.#calls.bpf_program__fd(this.#pointer)
  }

  /** `BPF_F_*` that it is loaded with. */
  get flags(): number {
    return this.#calls.bpf_program__flags(this.#pointer)
  }

  /** `bpf_attach_type` that it is loaded with. */
  get attachType(): number {
    return this.#calls.bpf_program__expected_attach_type(this.#pointer)
  }

  /** What it consists of, eight bytes an instruction. After `load`: all of its functions, with the descriptors of its maps. */
  instructions(): Buffer {
    const count = Number(this.#calls.bpf_program__insn_cnt(this.#pointer))
    return this.#memory.copy(this.#calls.bpf_program__insns(this.#pointer), 8 * count)
  }

  /** Whether `load` takes it into the kernel; it does, unless told otherwise. */
  setLoaded(isLoaded: boolean): void {
    this.#check(this.#calls.bpf_program__set_autoload(this.#pointer, isLoaded), 'cannot choose')
  }

  /** Makes it a program for the card of an interface (offload). */
  setInterface(interfaceIndex: number): void {
    this.#calls.bpf_program__set_ifindex(this.#pointer, interfaceIndex)
  }

  /** What a tracing program watches: a function of another program, before `load`. */
  setTarget(programFd: number, name: string): void {
    const result = this.#calls.bpf_program__set_attach_target(this.#pointer, programFd, name)
    this.#check(result, 'cannot trace with')
  }

  /** Attaches it to what its section names; for XDP programs there is `Libbpf.attachXdp`. It leaves with `detach`, or with this process. */
  attach(): { detach(): void } {
    let link = this.#calls.bpf_program__attach(this.#pointer)
    if (link === null) this.#check(-koffi.errno(), 'cannot attach')
    return {
      detach: () => {
        if (link !== null) this.#calls.bpf_link__destroy(link)
        link = null
      },
    }
  }

  /** Gives it a packet, `repeat` times, without any interface. */
  testRun(packet: Buffer, repeat = 1): TestRun {
    return testRun(this.#calls, this.fd, packet, repeat)
  }

  #check(result: number, what: string): void {
    if (result >= 0) return
    throw new BpfFailure(`${what} ${this.name}: ${errorText(this.#calls, result)}`, -result)
  }
}

/** A call, and what libbpf printed during it. */
function captured<T>(printed: Printed, call: () => T): readonly [T, string] {
  const lines: string[] = []
  printed.lines = lines
  try {
    return [call(), lines.join('')]
  } finally {
    printed.lines = undefined
  }
}
