/**
 * The packet plane of a node: one XDP program on the interfaces of the configuration, which counts what arrives and drops what is banned.
 *
 * It is a help and no condition: where it cannot be, one line says so, workers enforce bans as ever, and it is tried again. The kernel takes the
 * program away with this process. At an upgrade its links go over to the new program, which puts its own in their place: each
 * packet meets one of the two.
 */
import { closeSync } from 'node:fs'
import { systemTimers, every, type Timers } from '../base/timers.ts'
import type { PacketConfig } from '../config/limit-schema.ts'
import type { BanSet, BanSink } from '../contract/bans.ts'
import type { MetricSample } from '../contract/messages.ts'
import type { PacketInterface, PacketMode } from '../contract/packet.ts'
import type { PacketSummary } from '../control/packet-shapes.ts'
import { attach } from '../packet/attaching.ts'
import { EdgeProgram } from '../packet/edge-program.ts'
import { type Libbpf, loadLibbpf, type XdpLink } from '../packet/libbpf.ts'
import { BpfFailure } from '../packet/libbpf-failure.ts'
import { refusalOf } from '../packet/refusal.ts'
import type { Log } from './log.ts'

/** How often it is looked whether links hold, and what did not work is tried again. */
const LOOK_MS = 5_000

/** A link as it goes from one program of the node to the next. */
export interface PacketLink {
  readonly interface: string
  readonly mode: PacketMode
  readonly fd: number
}

export interface PacketPlaneOptions {
  /** Absent: there is none, on no interface. */
  readonly config: PacketConfig | undefined
  readonly log: Log
  readonly timers?: Timers
}

interface Place {
  readonly name: string
  link: XdpLink | undefined
  note: string | undefined
  /** Why there is no link; empty before the first try. */
  reason: string
}

interface InKernel {
  readonly libbpf: Libbpf
  readonly edge: EdgeProgram
}

export class PacketPlane implements BanSink {
  readonly #config: Omit<PacketConfig, 'interface'>
  readonly #log: Log
  readonly #timers: Timers
  readonly #places: readonly Place[]
  #kernel: InKernel | undefined
  #stopLooking: (() => void) | undefined
  readonly #banned = new Set<string>()
  #never: readonly string[] = []
  /** The tries do not hold what they should. */
  #isBehind = false
  /** Another program of the node has the links. */
  #isHandedOn = false

  constructor({ config, log, timers = systemTimers }: PacketPlaneOptions) {
    this.#config = config ?? { mode: 'auto', dropUnreadable: false }
    this.#log = log
    this.#timers = timers
    const names = [...new Set(config?.interface)]
    this.#places = names.map((name) => ({ name, link: undefined, note: undefined, reason: '' }))
  }

  /**
   * Attaches it, with what is banned by then, and takes over links of the program before: the last thing before this program serves, since
   * until then the one before may have to go on. Never throws: what cannot be is told to the operator.
   */
  start(banning: { enforceBy(sink: BanSink): void }, inherited: readonly PacketLink[] = []): void {
    const loaded = this.#places.length === 0 ? undefined : this.#load()
    // Links that nobody is for: they go when the program before does.
    if (typeof loaded !== 'object') for (const { fd } of inherited) closeSync(fd)
    if (loaded === undefined) return
    if (typeof loaded === 'string') {
      for (const place of this.#places) place.reason = loaded
      this.#log.warn(
        `packet plane: it is off: ${loaded}; the edge runs without it, and its workers enforce bans`,
      )
      return
    }
    this.#kernel = loaded
    banning.enforceBy(this)
    for (const given of inherited) this.#takeOver(loaded, given)
    this.#look()
    this.#stopLooking = every(this.#timers, LOOK_MS, () => this.#look())
  }

  replace({ bans, never }: BanSet): void {
    this.#banned.clear()
    for (const prefix of bans) this.#banned.add(prefix)
    this.#never = never
    this.#catchUp()
  }

  add(prefixes: readonly string[]): void {
    for (const prefix of prefixes) this.#banned.add(prefix)
    this.#write((edge) => edge.ban(prefixes))
  }

  remove(prefixes: readonly string[]): void {
    for (const prefix of prefixes) this.#banned.delete(prefix)
    this.#write((edge) => edge.unban(prefixes))
  }

  /** What the next program of the node takes over. */
  links(): readonly PacketLink[] {
    return this.#places.flatMap(({ name, link }) =>
      link === undefined ? [] : [{ interface: name, mode: link.mode, fd: link.fd }],
    )
  }

  /** The other program did not come to serve: where it had put its program in our place, ours is back. */
  resume(): void {
    if (this.#kernel === undefined) return
    for (const place of this.#places) {
      if (place.link === undefined || this.#isOurs(this.#kernel, place.link)) continue
      try {
        this.#kernel.libbpf.updateLink(place.link.fd, this.#kernel.edge.fd)
      } catch (error) {
        this.#lose(place, `it could not be taken back (${(error as Error).message})`)
      }
    }
  }

  /** The other program serves, and has the links. */
  leave(): void {
    this.#isHandedOn = true
    this.close()
  }

  close(): void {
    this.#stopLooking?.()
    for (const place of this.#places) {
      place.link?.detach()
      place.link = undefined
      place.reason = 'the node ends'
    }
    this.#kernel?.edge.close()
    this.#kernel = undefined
  }

  /** `top`: how many destination ports, the busiest first. To read them costs the more the more ports were ever asked for. */
  summary(top: number): PacketSummary {
    const edge = this.#kernel?.edge
    const counts = top > 0 ? edge?.counts() : undefined
    const ports = [...(counts?.ports ?? [])].toSorted((a, b) => b.packets - a.packets || a.port - b.port)
    return {
      interfaces: this.#places.map(stateOf),
      prefixes: edge?.prefixes ?? 0,
      totals: [...(edge?.totals() ?? [])],
      fragments: edge?.fragments() ?? { packets: 0, bytes: 0 },
      ports: ports.slice(0, top),
    }
  }

  samples(): readonly MetricSample[] {
    const edge = this.#kernel?.edge
    const sample = (name: string, labels: Record<string, string>, value: number) => ({ name, labels, value })
    const states = this.#places.map(({ name, link }) =>
      sample('orla_packet_attached', { interface: name, mode: link?.mode ?? 'none' }, link ? 1 : 0),
    )
    if (edge === undefined) return states
    return [
      ...states,
      sample('orla_packet_prefixes', {}, edge.prefixes),
      sample('orla_packet_fragments_total', {}, edge.fragments().packets),
      ...edge
        .totals()
        .flatMap(({ protocol, verdict, packets, bytes }) => [
          sample('orla_packet_packets_total', { protocol, verdict }, packets),
          sample('orla_packet_bytes_total', { protocol, verdict }, bytes),
        ]),
    ]
  }

  #load(): InKernel | string {
    const loaded = loadLibbpf()
    if (loaded.kind === 'missing') return loaded.reason
    const { libbpf } = loaded
    try {
      return { libbpf, edge: EdgeProgram.load(libbpf, { dropUnreadable: this.#config.dropUnreadable }) }
    } catch (error) {
      if (error instanceof BpfFailure) return refusalOf(error)
      throw error
    }
  }

  #takeOver({ libbpf, edge }: InKernel, { interface: name, mode, fd }: PacketLink): void {
    const link = libbpf.linkOf(fd, mode)
    const place = this.#places.find((one) => one.name === name)
    if (place === undefined) {
      // The configuration names it no longer: it goes when the program before does.
      link.detach()
      return
    }
    try {
      libbpf.updateLink(fd, edge.fd)
    } catch (error) {
      link.detach()
      this.#log.warn(`packet plane: ${name} was not taken over (${(error as Error).message})`)
      return
    }
    place.link = link
    const { mode: wanted } = this.#config
    place.note =
      wanted === 'auto' || wanted === mode ? undefined : `as it was handed over; a restart makes it ${wanted}`
    this.#log.info(`packet plane: ${name} was taken over without a gap (${modeText(place)})`)
  }

  #look(): void {
    const kernel = this.#kernel
    if (kernel === undefined || this.#isHandedOn) return
    if (this.#isBehind) this.#catchUp()
    for (const place of this.#places) {
      if (place.link === undefined) this.#attach(kernel, place)
      else if (kernel.libbpf.linkInfo(place.link.fd)?.interfaceIndex === 0)
        this.#lose(place, 'the interface has gone')
    }
  }

  #attach({ libbpf, edge }: InKernel, place: Place): void {
    const { name } = place
    const attached = attach(libbpf, edge.fd, name, this.#config.mode)
    if (attached.kind === 'attached') {
      place.link = attached.link
      place.note = attached.note
      this.#log.info(`packet plane: ${name} is attached (${modeText(place)})`)
    } else if (attached.reason !== place.reason) {
      place.reason = attached.reason
      this.#log.warn(
        `packet plane: ${name} is left alone: ${attached.reason}; the edge runs without it there, and tries again`,
      )
    }
  }

  #lose(place: Place, reason: string): void {
    place.link?.detach()
    place.link = undefined
    place.reason = reason
    this.#log.warn(
      `packet plane: ${place.name} is lost: ${reason}; it is attached again as soon as it can be`,
    )
  }

  #isOurs({ libbpf, edge }: InKernel, { fd }: XdpLink): boolean {
    return libbpf.linkInfo(fd)?.programId === libbpf.programId(edge.fd)
  }

  /** Makes the tries hold what they should. */
  #catchUp(): void {
    this.#isBehind = false
    this.#write((edge) => edge.replace(this.#banned, this.#never))
  }

  #write(work: (edge: EdgeProgram) => void): void {
    if (this.#kernel === undefined) return
    try {
      work(this.#kernel.edge)
    } catch (error) {
      if (!(error instanceof BpfFailure)) throw error
      // Told once; workers enforce them all meanwhile.
      if (!this.#isBehind)
        this.#log.warn(`packet plane: bans are missing in it, and are tried again: ${error.message}`)
      this.#isBehind = true
    }
  }
}

const modeText = ({ link, note }: Place): string =>
  note === undefined ? link!.mode : `${link!.mode}: ${note}`

function stateOf({ name, link, note, reason }: Place): PacketInterface {
  if (link === undefined) return { name, state: 'absent', reason }
  return { name, state: 'attached', mode: link.mode, ...(note !== undefined && { note }) }
}
