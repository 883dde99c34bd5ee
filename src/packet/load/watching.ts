/**
 * Counts what any XDP program decides, and reads what it prints, without a change to its source.
 *
 * The program becomes a function of another one, which is put in front of its instructions:
 *
 *     mark this CPU as inside  →  call the program  →  take the mark away  →  count what it returned  →  return the same
 *
 * Jumps and calls in BPF are relative, so the instructions behind need no change. Chosen over watching it from outside (`fexit`), which needs
 * a trampoline of the kernel that not every machine has and some forbid, and costs more. The price: the stacks of both count together, so a
 * program that uses nearly all of its 512 bytes runs on its own, uncounted.
 *
 * What programs print (`bpf_trace_printk`) passes a tracepoint of the kernel. A second program listens there and takes the lines of those
 * CPUs that are inside, as nothing else runs on a CPU meanwhile. So lines of other programs are not ours, nobody who reads `trace_pipe` misses
 * any, and all of it goes with this process.
 */
import { closeSync } from 'node:fs'
import type { Libbpf } from '../libbpf.ts'
import { BpfFailure } from '../libbpf-failure.ts'
import type { Follower } from '../libbpf-followers.ts'
import type { BpfMap } from '../libbpf-map.ts'
import type { BpfProgram } from '../libbpf-object.ts'
import * as code from './instructions.ts'

/** What a program returns for each packet: `XDP_ABORTED` is 0. */
export const ACTIONS = ['aborted', 'drop', 'pass', 'tx', 'redirect'] as const
export type Action = (typeof ACTIONS)[number]

/** How many packets each action was returned for. `other` are numbers that mean nothing; the kernel drops those packets as aborted. */
export type ActionCounts = Readonly<Record<Action | 'other', number>>

/** A line that the program printed. */
export interface TraceLine {
  /** Without the end of the line. */
  readonly text: string
  readonly cpu: number
  /** Milliseconds since the machine was started. */
  readonly atMs: number
}

/** For each CPU, 64 bytes: six counts, whether it is inside, and lines that were lost. CPUs beyond share the places of others. */
const CPUS_MAX = 1024
const CPU_SHIFT = 6
const INSIDE_AT = 48
const LOST_AT = 56

/** A record of a line: time, CPU, then the text. */
const TEXT_AT = 16
const TEXT_MAX = 1024
const LINES_BYTES = 1 << 18

export class Watching {
  readonly #libbpf: Libbpf
  readonly #state: BpfMap
  readonly #descriptors: number[] = []
  #lines: Follower | undefined
  /** Whether the program is counted, and its lines can be told from those of others. */
  #isInside = false

  constructor(libbpf: Libbpf) {
    this.#libbpf = libbpf
    this.#state = libbpf.createMap({
      name: 'orla_watching',
      type: 'array',
      keyBytes: 4,
      valueBytes: CPUS_MAX << CPU_SHIFT,
      entriesMax: 1,
    })
    this.#descriptors.push(this.#state.fd)
  }

  /** The program as it is to be attached, counted. Throws a `BpfFailure` where it cannot be called as a function. */
  enclose(program: BpfProgram, btfFd: number): number {
    const around = enclosing(this.#state.fd)
    const own = program.instructions()
    const whole = {
      type: 'xdp',
      name: program.name,
      isGpl: this.#libbpf.isGpl(program.fd),
      flags: program.flags,
      attachType: program.attachType,
      instructions: Buffer.concat([around, own]),
    } as const
    let fd: number
    try {
      fd = this.#libbpf.loadProgram(whole)
    } catch (error) {
      // Some ask for what their functions are: those that hand functions on, as to `bpf_loop`, and those verified function by function.
      const records = functionRecords(own, around.length / 8, this.#libbpf.functionTypes(program.fd))
      if (!records || btfFd < 0) throw error
      fd = this.#libbpf.loadProgram({ ...whole, functions: { btfFd, records } })
    }
    this.#descriptors.push(fd)
    this.#isInside = true
    return fd
  }

  /** Calls with each line from now on: those of the enclosed program, or, where there is none, of all programs of the machine. */
  listen(onLine: (line: TraceLine) => void): void {
    if (!this.#isInside) this.#state.set(Buffer.alloc(4), Buffer.alloc(CPUS_MAX << CPU_SHIFT, everywhere()))
    const records = this.#libbpf.createMap({
      name: 'orla_lines',
      type: 'ringbuf',
      keyBytes: 0,
      valueBytes: 0,
      entriesMax: LINES_BYTES,
    })
    this.#descriptors.push(records.fd)
    const listener = this.#libbpf.loadProgram({
      type: 'raw_tracepoint',
      name: 'orla_listener',
      isGpl: true,
      instructions: listening(this.#state.fd, records.fd),
    })
    this.#descriptors.push(listener, this.#libbpf.attachTracepoint('bpf_trace_printk', listener))
    this.#lines = this.#libbpf.followRing(records, (record) => {
      const [text = ''] = record.toString('utf8', TEXT_AT).split('\0')
      for (const line of text.replace(/\n$/, '').split('\n')) {
        onLine({ text: line, cpu: record.readUInt32LE(8), atMs: Number(record.readBigUInt64LE()) / 1e6 })
      }
    })
  }

  /** Lines that have come until now. */
  drain(): void {
    this.#lines?.drain()
  }

  actions(): ActionCounts {
    const sums = this.#sums()
    const [aborted, drop, pass, tx, redirect, other] = sums as [
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    return { pass, drop, aborted, tx, redirect, other }
  }

  /** Lines that there was no room for. */
  linesLost(): number {
    return this.#sums()[LOST_AT / 8]!
  }

  close(): void {
    this.#lines?.close()
    for (const fd of this.#descriptors.splice(0)) closeSync(fd)
  }

  #sums(): number[] {
    const state = this.#state.get(Buffer.alloc(4))!
    const words = new BigUint64Array(state.buffer, state.byteOffset, state.length / 8)
    const sums = Array.from({ length: 8 }, () => 0)
    for (const [at, word] of words.entries()) if (word !== 0n) sums[at % 8]! += Number(word)
    return sums
  }
}

/** `struct bpf_func_info` of each function, behind `before` instructions of ours; undefined where the kernel has left some out. */
function functionRecords(own: Buffer, before: number, types: readonly number[]): Buffer | undefined {
  const starts = code.functionsIn(own)
  if (starts.length !== types.length) return undefined
  // Our own is what the program is: it takes a packet and returns an action.
  const pairs = [[0, types[0]!], ...starts.map((start, at) => [start + before, types[at]!])]
  return Buffer.from(Uint32Array.from(pairs.flat()).buffer)
}

/** What runs around the program. Register 6 keeps the packet, 7 is at the place of this CPU. */
function enclosing(stateFd: number): Buffer {
  const after = [
    code.storeValue64(7, INSIDE_AT, 0),
    // An action is a number of 32 bits.
    code.move32(1, 0),
    code.skipIfAtMost(1, ACTIONS.length - 1, 1),
    code.set(1, ACTIONS.length),
    code.shiftLeft(1, 3),
    code.add(7, 1),
    code.load64(1, 7, 0),
    code.addValue(1, 1),
    code.store64(7, 0, 1),
    code.exit(),
  ]
  return Buffer.concat([
    code.move(6, 1),
    ...placeOfCpu(7, stateFd),
    code.storeValue64(7, INSIDE_AT, 1),
    code.move(1, 6),
    code.callFunction(after.length),
    ...after,
  ])
}

/** What runs at the tracepoint: its first argument is the text. */
function listening(stateFd: number, linesFd: number): Buffer {
  const end = [code.set(0, 0), code.exit()]
  const fill = [
    code.move(8, 0),
    code.callHelper('get_smp_processor_id'),
    code.store64(8, 8, 0),
    code.callHelper('ktime_get_ns'),
    code.store64(8, 0, 0),
    code.move(1, 8),
    code.addValue(1, TEXT_AT),
    code.set(2, TEXT_MAX),
    code.load64(3, 6, 0),
    code.callHelper('probe_read_kernel_str'),
    code.move(1, 8),
    code.set(2, 0),
    code.callHelper('ringbuf_submit'),
    ...end,
  ]
  const lost = [code.load64(1, 7, LOST_AT), code.addValue(1, 1), code.store64(7, LOST_AT, 1), ...end]
  const reserve = [
    code.loadMap(1, linesFd),
    code.set(2, TEXT_AT + TEXT_MAX),
    code.set(3, 0),
    code.callHelper('ringbuf_reserve'),
    code.skipIfEqual(0, 0, fill.length),
  ]
  return Buffer.concat([
    code.move(6, 1),
    ...placeOfCpu(7, stateFd),
    code.load64(1, 7, INSIDE_AT),
    code.skipIfEqual(1, 0, count(reserve) + fill.length + lost.length - end.length),
    ...reserve,
    ...fill,
    ...lost,
  ])
}

function placeOfCpu(to: code.Register, stateFd: number): Buffer[] {
  return [
    code.callHelper('get_smp_processor_id'),
    code.mask(0, CPUS_MAX - 1),
    code.shiftLeft(0, CPU_SHIFT),
    code.loadMapValue(to, stateFd),
    code.add(to, 0),
  ]
}

const count = (instructions: readonly Buffer[]): number => Buffer.concat(instructions).length / 8

/** All CPUs inside, nothing counted. */
function everywhere(): Buffer {
  const place = Buffer.alloc(1 << CPU_SHIFT)
  place.writeUInt8(1, INSIDE_AT)
  return place
}

/** Why a program could not be enclosed, in a clause. */
export function encloseReason({ log, message }: BpfFailure): string {
  if (/combined stack size|stack.*too large/i.test(log)) return 'it leaves no room on the stack'
  if (/call stack of \d+ frames is too deep/.test(log))
    return 'its functions call each other as deep as can be'
  const said = log
    .trim()
    .split('\n')
    .findLast((line) => line !== '' && !/^(?:processed|verification time|stack depth)/.test(line))
  return said ?? message
}
