/**
 * The edge's own XDP program (`xdp/edge.c`) in the kernel: loaded, told what is banned, attached to interfaces, its counts read.
 *
 * One program serves all interfaces, so that bans are written once and counts are sums. Prefixes are replaced without a moment in which
 * somebody gets in who is banned before and after, or is dropped who is not banned before or after: holes come first and go last.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { PacketCounts, PacketTotal, Tally } from '../contract/packet.ts'
import type { Libbpf } from './libbpf.ts'
import { BpfFailure } from './libbpf-failure.ts'
import type { BpfMap } from './libbpf-map.ts'
import type { BpfObject, BpfProgram } from './libbpf-object.ts'
import { readCounts, readFragments, readTotals } from './packet-counts.ts'
import { prefixKey } from './prefix-key.ts'

export const EDGE_OBJECT = fileURLToPath(new URL('xdp/edge.o', import.meta.url))

/** Newest first: frames in several pieces are known since Linux 5.18. */
const PROGRAMS = ['orla_edge_frags', 'orla_edge'] as const

/** What the kernel keeps of their names. */
const KERNEL_NAME_MAX = 15

/** Whether a program of this name in the kernel is one of these. */
export const isEdgeProgram = (name: string): boolean =>
  PROGRAMS.some((own) => own.slice(0, KERNEL_NAME_MAX) === name)

const SETTING_DROP_UNREADABLE = 1

/** What a prefix of the tries means. */
const VALUES = { never: 0, banned: 1 } as const
type Meaning = keyof typeof VALUES

export interface EdgeProgramOptions {
  /** Frames that cannot be read are dropped instead of passed. */
  readonly dropUnreadable?: boolean
  /** The object file, where it is not the one that comes with Orla. */
  readonly object?: Buffer
  /** One of its programs, where it is not to be the newest that the kernel takes. */
  readonly program?: (typeof PROGRAMS)[number]
}

export class EdgeProgram {
  readonly #object: BpfObject
  readonly #program: BpfProgram
  readonly #maps: Readonly<Record<'totals' | 'ports' | 'blocks' | 'settings', BpfMap>>
  readonly #tries: Readonly<Record<4 | 6, BpfMap>>
  /** What the tries hold, by the text that it came as. */
  readonly #prefixes = new Map<string, Meaning | 'unsure'>()

  private constructor(object: BpfObject, program: BpfProgram) {
    this.#object = object
    this.#program = program
    const map = (name: string) => {
      const found = object.map(name)
      if (found === undefined) throw new Error(`${object.name} has no map ${name}`)
      return found
    }
    this.#maps = {
      totals: map('totals'),
      ports: map('ports'),
      blocks: map('blocks'),
      settings: map('settings'),
    }
    this.#tries = { 4: map('prefixes4'), 6: map('prefixes6') }
  }

  /** Loads it into the kernel, attached to nothing. Throws a `BpfFailure` where the kernel does not take it. */
  static load(libbpf: Libbpf, options: EdgeProgramOptions = {}): EdgeProgram {
    const bytes = options.object ?? readFileSync(EDGE_OBJECT)
    const names = options.program === undefined ? PROGRAMS : [options.program]
    let failure: unknown
    for (const name of names) {
      const object = libbpf.open(bytes, 'orla')
      try {
        for (const program of object.programs) program.setLoaded(program.name === name)
        object.load()
        const edge = new EdgeProgram(object, object.program(name)!)
        edge.#set(options.dropUnreadable === true ? SETTING_DROP_UNREADABLE : 0)
        return edge
      } catch (error) {
        object.close()
        failure = error
        if (!(error instanceof BpfFailure) || error.isRights) break
      }
    }
    throw failure
  }

  get fd(): number {
    return this.#program.fd
  }

  get program(): BpfProgram {
    return this.#program
  }

  /** How many prefixes the tries hold. */
  get prefixes(): number {
    return this.#prefixes.size
  }

  counts(): PacketCounts {
    return readCounts(this.#maps)
  }

  totals(): readonly PacketTotal[] {
    return readTotals(this.#maps.totals)
  }

  fragments(): Tally {
    return readFragments(this.#maps.totals)
  }

  /** From now on these are banned, but for what lies in `never`, and nothing else. The longest prefix of an address decides. Throws a `BpfFailure` where the kernel has no room. */
  replace(banned: Iterable<string>, never: Iterable<string>): void {
    const next = new Map<string, Meaning>()
    for (const prefix of banned) next.set(prefix, 'banned')
    for (const prefix of never) next.set(prefix, 'never')
    const gone = (meaning: Meaning) =>
      [...this.#prefixes].flatMap(([prefix, was]) =>
        (was === meaning || was === 'unsure') && !next.has(prefix) ? [prefix] : [],
      )
    const come = (meaning: Meaning) =>
      [...next].flatMap(([prefix, is]) =>
        is === meaning && this.#prefixes.get(prefix) !== meaning ? [prefix] : [],
      )
    const [goneBans, goneHoles, newBans, newHoles] = [
      gone('banned'),
      gone('never'),
      come('banned'),
      come('never'),
    ]
    this.#write(newHoles, 'never')
    this.#write(newBans, 'banned')
    this.#delete(goneBans)
    this.#delete(goneHoles)
  }

  ban(prefixes: readonly string[]): void {
    this.#write(
      prefixes.filter((prefix) => this.#prefixes.get(prefix) !== 'never'),
      'banned',
    )
  }

  unban(prefixes: readonly string[]): void {
    this.#delete(
      prefixes.filter((prefix) => this.#prefixes.has(prefix) && this.#prefixes.get(prefix) !== 'never'),
    )
  }

  /** Lets go of it; where it is attached, it stays until the link goes. */
  close(): void {
    this.#object.close()
  }

  #set(settings: number): void {
    const value = Buffer.alloc(4)
    value.writeUInt32LE(settings)
    this.#maps.settings.set(Buffer.alloc(4), value)
  }

  #write(prefixes: readonly string[], meaning: Meaning): void {
    const value = Buffer.alloc(4)
    value.writeUInt32LE(VALUES[meaning])
    // Where the kernel takes some of them and then no more, they are written again, or deleted, the next time.
    for (const prefix of prefixes) this.#prefixes.set(prefix, 'unsure')
    for (const [family, keys] of byFamily(prefixes)) {
      this.#tries[family].setMany(keys.map((key) => [key, value]))
    }
    for (const prefix of prefixes) this.#prefixes.set(prefix, meaning)
  }

  #delete(prefixes: readonly string[]): void {
    for (const [family, keys] of byFamily(prefixes)) this.#tries[family].deleteMany(keys)
    for (const prefix of prefixes) this.#prefixes.delete(prefix)
  }
}

function byFamily(prefixes: readonly string[]): readonly (readonly [4 | 6, Buffer[]])[] {
  const keys: Record<4 | 6, Buffer[]> = { 4: [], 6: [] }
  for (const prefix of prefixes) {
    const read = prefixKey(prefix)
    if (read === undefined) throw new TypeError(`${JSON.stringify(prefix)} is no address and no prefix`)
    keys[read.family].push(read.key)
  }
  return [
    [4, keys[4]],
    [6, keys[6]],
  ]
}
