/**
 * Who is never banned on this node: this machine, what `bans.never` names, proxies that are trusted (behind them is everybody), whoever controlled the
 * node lately with a valid token, edges included, and the control plane that it follows.
 *
 * So nobody locks himself out by a ban, his own or an automatic one; a prefix around such an address is banned with a hole in it.
 */
import { join } from 'node:path'
import * as v from 'valibot'
import { CidrSet, parseCidr } from '../../base/cidr.ts'
import type { Clock } from '../../base/clock.ts'
import { parseIp } from '../../base/ip-address.ts'
import { covers, formatPrefix, type IpPrefix, prefixOf } from '../../base/ip-prefix.ts'
import { every, type Timers } from '../../base/timers.ts'
import { readWhole, writeWhole } from '../../base/whole-file.ts'
import type { Config } from '../../config/schema.ts'
import type { Log } from '../log.ts'

export interface NeverBannedParts {
  /** The data directory: after a restart, too, nobody is locked out. */
  readonly directory: string
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Log
  readonly config: Config
  readonly onChange: () => void
}

/** How long after his last call somebody counts as one who controls the node. */
const LATELY_MS = 24 * 3_600_000
/** Those who are known at once; who called longest ago makes room. */
const KNOWN_MAX = 4096
/** A call that changes nothing else is written down when the one before is so old. */
const NOTED_EVERY_MS = 10 * 60_000
const LOOK_EVERY_MS = 60_000
/** How much of an IPv6 address is one who controls: he has all of it, and takes another one each day. */
const V6_LENGTH = 64

const KnownFile = v.array(v.object({ prefix: v.string(), at: v.number() }))

/** Why a prefix is one of these, in words that go on "it is …". */
type Reason = string

export class NeverBanned {
  readonly #parts: NeverBannedParts
  readonly #path: string
  #configured = new Map<string, Reason>()
  /** When somebody called from there, the last one at the end. */
  readonly #callers = new Map<string, number>()
  #controls: readonly string[] = []
  #prefixes: readonly (readonly [prefix: IpPrefix, reason: Reason])[] = []
  #set = new CidrSet([])
  #callOff: (() => void) | undefined

  constructor(parts: NeverBannedParts) {
    this.#parts = parts
    this.#path = join(parts.directory, 'callers.json')
    const { log, clock } = parts
    const known = readWhole(
      this.#path,
      (value) => v.parse(KnownFile, value),
      (why) => log.warn(`who controlled this node lately is not known: ${why}`),
    )
    for (const { prefix, at } of known ?? [])
      if (at > clock.now() - LATELY_MS && parseCidr(prefix)) this.#callers.set(prefix, at)
    this.#configured = configuredOf(parts.config)
    this.#lay()
  }

  start(): void {
    this.#callOff ??= every(this.#parts.timers, LOOK_EVERY_MS, () => this.#forgetOld())
  }

  stop(): void {
    this.#callOff?.()
    this.#callOff = undefined
  }

  /** As workers and the packet plane are told. */
  get list(): readonly string[] {
    return this.#prefixes.map(([prefix]) => formatPrefix(prefix))
  }

  get set(): CidrSet {
    return this.#set
  }

  /** Why all of a prefix is never banned; undefined where it may be. */
  reasonFor(prefix: IpPrefix): Reason | undefined {
    const found = this.#prefixes.find(([never]) => covers(never, prefix))
    if (found !== undefined) return found[1]
    const cidr = parseCidr(formatPrefix(prefix))
    return cidr !== undefined && this.#set.covers(cidr) ? 'all of it is never banned' : undefined
  }

  /** Holes that a ban of this prefix has. */
  holesIn(prefix: IpPrefix): readonly string[] {
    return this.#prefixes.filter(([never]) => covers(prefix, never)).map(([never]) => formatPrefix(never))
  }

  /** Somebody has shown a valid token. */
  called(address: string): void {
    const ip = parseIp(address.replace(/%.*/, ''))
    if (ip === undefined) return
    const prefix = prefixOf(ip, ip.family === 4 ? 32 : V6_LENGTH)
    if (LOOPBACK.some(([never]) => covers(never, prefix))) return
    const name = formatPrefix(prefix)
    const before = this.#callers.get(name)
    const now = this.#parts.clock.now()
    // A clock that was set back is no reason to forget him.
    if (before !== undefined && Math.abs(now - before) < NOTED_EVERY_MS) return
    this.#callers.delete(name)
    this.#callers.set(name, now)
    if (this.#callers.size > KNOWN_MAX) this.#callers.delete(this.#callers.keys().next().value!)
    this.#write()
    if (before === undefined) this.#changed()
  }

  /** The addresses of the control plane that this node follows. */
  useControls(addresses: readonly string[]): void {
    const next = [...new Set(addresses)].toSorted()
    if (next.join() === this.#controls.join()) return
    this.#controls = next
    this.#changed()
  }

  use(config: Config): void {
    this.#configured = configuredOf(config)
    this.#changed()
  }

  #forgetOld(): void {
    const oldest = this.#parts.clock.now() - LATELY_MS
    const before = this.#callers.size
    for (const [name, at] of this.#callers) if (at < oldest) this.#callers.delete(name)
    if (this.#callers.size === before) return
    this.#write()
    this.#changed()
  }

  #changed(): void {
    const before = this.list.join()
    this.#lay()
    if (this.list.join() !== before) this.#parts.onChange()
  }

  #lay(): void {
    const named = new Map<string, readonly [IpPrefix, Reason]>()
    const add = (prefix: IpPrefix | undefined, reason: Reason) => {
      if (prefix === undefined) return
      const name = formatPrefix(prefix)
      if (!named.has(name)) named.set(name, [prefix, reason])
    }
    for (const [prefix, reason] of LOOPBACK) add(prefix, reason)
    for (const [text, reason] of this.#configured) add(loosePrefix(text), reason)
    for (const text of this.#controls)
      add(loosePrefix(text), 'an address of the control plane that this node follows')
    for (const text of this.#callers.keys())
      add(loosePrefix(text), 'where this node was controlled from lately, with a valid token')
    this.#prefixes = withoutCovered(named)
    this.#set = CidrSet.of(this.list)
  }

  #write(): void {
    const known = Array.from(this.#callers, ([prefix, at]) => ({ prefix, at }))
    try {
      writeWhole(this.#path, JSON.stringify(known))
    } catch (error) {
      this.#parts.log.warn(`${this.#path} cannot be written: ${(error as Error).message}`)
    }
  }
}

/** What lies in another one needs no word of its own. */
function withoutCovered(
  named: ReadonlyMap<string, readonly [IpPrefix, Reason]>,
): (readonly [IpPrefix, Reason])[] {
  const all = [...named.values()]
  const lengths = { 4: new Set<number>(), 6: new Set<number>() }
  for (const [{ family, length }] of all) lengths[family].add(length)
  return all.filter(([prefix]) =>
    [...lengths[prefix.family]].every(
      (length) => length >= prefix.length || !named.has(formatPrefix(prefixOf(prefix, length))),
    ),
  )
}

const THIS_MACHINE = 'this machine'
const LOOPBACK: readonly (readonly [IpPrefix, Reason])[] = [
  [{ family: 4, words: [0, 0, 0, 0x7f000000], length: 8 }, THIS_MACHINE],
  [{ family: 6, words: [0, 0, 0, 1], length: 128 }, THIS_MACHINE],
]

/** As configurations may have it: bits behind the length do not count. Checked there. */
function loosePrefix(text: string): IpPrefix | undefined {
  const [address = '', digits] = text.split('/')
  const ip = parseIp(address)
  if (ip === undefined) return undefined
  if (digits === undefined) return prefixOf(ip, 128)
  return prefixOf(ip, ip.family === 4 && address.includes(':') ? Number(digits) - 96 : Number(digits))
}

const configuredOf = ({ bans, edge }: Config): Map<string, Reason> =>
  new Map([
    ...edge.trustedProxies.map(
      (text) => [text, `one of \`edge.trustedProxies\` (${text}): behind it are others`] as const,
    ),
    ...bans.never.map((text) => [text, `named in \`bans.never\` (${text})`] as const),
  ])
