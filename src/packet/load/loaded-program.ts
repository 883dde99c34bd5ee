/** A program that runs on an interface: its maps, what it decides, what it prints. */
import { EdgeError } from '../../base/errors.ts'
import type { PacketMode } from '../../contract/packet.ts'
import type { Libbpf, XdpLink } from '../libbpf.ts'
import { BpfFailure } from '../libbpf-failure.ts'
import type { BpfObject } from '../libbpf-object.ts'
import type { LoadedMap } from './loaded-map.ts'
import { type Action, ACTIONS, type ActionCounts, type TraceLine, type Watching } from './watching.ts'

/** What a program made of a packet in a trial. */
export interface Trial {
  readonly action: Action | 'other'
  /** The packet after it. */
  readonly packet: Buffer
}

export interface LoadedParts {
  readonly libbpf: Libbpf
  readonly object: BpfObject
  readonly watching: Watching
  readonly link: XdpLink
  /** Of the program as it is attached. */
  readonly fd: number
  readonly name: string
  readonly interface: string
  readonly maps: Readonly<Record<string, LoadedMap>>
  readonly notes: readonly string[]
  /** Why actions are not counted; undefined where they are. */
  readonly uncounted: string | undefined
}

/**
 * What `load` resolves to. The program leaves the interface with `close`, at the end of a `using` block, or with this process, also when it is
 * killed. It does not keep the process alive by itself; who listens to lines or events does.
 */
export class LoadedProgram implements Disposable {
  /** The function. */
  readonly name: string
  readonly interface: string
  /** Which one is in force. */
  readonly mode: PacketMode
  /** By name. Those that the compiler made for variables are among them: `program.bss`. */
  readonly maps: Readonly<Record<string, LoadedMap>>
  /** What a person may want to know: why it is not in the driver, why actions are not counted. */
  readonly notes: readonly string[]
  readonly #parts: LoadedParts
  readonly #onLines = new Set<(line: TraceLine) => void>()
  #isListening = false
  #isDetached = false
  #isClosed = false

  constructor(parts: LoadedParts) {
    this.#parts = parts
    this.name = parts.name
    this.interface = parts.interface
    this.mode = parts.link.mode
    this.maps = parts.maps
    this.notes = parts.notes
  }

  /** How many packets each action was returned for since it was attached; undefined where they are not counted, and `notes` says why. */
  actions(): ActionCounts | undefined {
    this.#checkOpen()
    return this.#parts.uncounted === undefined ? this.#parts.watching.actions() : undefined
  }

  /** The program is on the interface no longer: that has gone, or somebody took it off. Nothing comes after this. */
  isGone(): boolean {
    return !this.#isDetached && this.#parts.libbpf.linkInfo(this.#parts.link.fd)?.interfaceIndex === 0
  }

  /**
   * Calls with each line that the program prints with `bpf_trace_printk` (or `bpf_printk`) from now on. Where actions are not counted, lines
   * that other programs of the machine print come as well, and `notes` says so. Others who read `trace_pipe` miss none of them. Returns what ends it. Throws an `EdgeError` (`packet-unavailable`) where the kernel does not let this process listen.
   */
  onTrace(callback: (line: TraceLine) => void): () => void {
    this.#checkOpen()
    if (!this.#isListening) this.#listen()
    this.#onLines.add(callback)
    return () => void this.#onLines.delete(callback)
  }

  /** Lines that came faster than they were read. */
  get linesLost(): number {
    return this.#isClosed ? 0 : this.#parts.watching.linesLost()
  }

  /** Gives the program a packet, as from its interface, and returns what it made of it. Nothing is sent; maps and counts change. */
  try(packet: Buffer): Trial {
    this.#checkOpen()
    const { returned, packet: after } = this.#parts.libbpf.testRun(this.#parts.fd, packet)
    return { action: ACTIONS[returned] ?? 'other', packet: after }
  }

  /** Reads lines and events that have come until now, without waiting for the event loop. */
  drain(): void {
    if (this.#isClosed) return
    this.#parts.watching.drain()
    for (const map of Object.values(this.maps)) map.drain()
  }

  /** Takes the program from the interface: packets pass without it from here on. Maps can be read until `close`. */
  detach(): void {
    this.#isDetached = true
    this.#parts.link.detach()
  }

  /** Takes the program from the interface, and lets go of its maps: they cannot be read any more. */
  close(): void {
    if (this.#isClosed) return
    this.detach()
    this.#isClosed = true
    for (const map of Object.values(this.maps)) map.close()
    this.#parts.watching.close()
    this.#parts.object.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new TypeError(`the program ${this.name} was closed`)
  }

  #listen(): void {
    try {
      this.#parts.watching.listen((line) => {
        for (const callback of this.#onLines) callback(line)
      })
      this.#isListening = true
    } catch (error) {
      if (!(error instanceof BpfFailure)) throw error
      throw new EdgeError(
        'packet-unavailable',
        `what the program prints cannot be followed: ${error.message}`,
        {
          cause: error,
          hint: 'the kernel shows it in /sys/kernel/tracing/trace_pipe',
        },
      )
    }
  }
}
