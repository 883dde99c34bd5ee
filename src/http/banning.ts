/**
 * Who is kept out of this worker, and the way by which limits and units ask for more of that.
 *
 * What stands is told by the supervisor (`contract/bans.ts`). It is asked when a connection is accepted, before anything is read or TLS begins; when a
 * proxy has announced whose connection it is; and for each request whose client a trusted proxy names. A connection that is turned away is reset: no
 * byte is spent on it, and no line in the access log.
 */
import { CidrSet } from '../base/cidr.ts'
import { type IpAddress, parseIp } from '../base/ip-address.ts'
import { formatPrefix, type IpPrefix, prefixOf, readPrefix } from '../base/ip-prefix.ts'
import type { LimitConfig } from '../config/schema.ts'
import type { BanAsking, BanChange, BanOutcome, BanRequest, BanSet } from '../contract/bans.ts'
import type { CountedRefusals, FromWorker, MetricSample } from '../contract/messages.ts'
import { BannedPrefixes } from '../ban/banned-prefixes.ts'
import { CountedRefusalsBatch } from './refusals-batch.ts'

/** Where somebody who is banned was met. */
export type BannedAt =
  | 'accept' // a connection came
  | 'proxy' // the PROXY header of a connection named somebody
  | 'open' // the ban came while a connection was open
  | 'request' // a trusted proxy named the client of a request

/** A limit that may ban whom it refuses too often. */
export interface RefusingLimit {
  readonly name: string
  /** Whose it is; empty where it is over all sites. */
  readonly site: string
  readonly config: LimitConfig
}

export interface BanningParts {
  readonly tell: (message: Extract<FromWorker, { kind: 'ban' | 'refusals' }>) => void
  /** More are kept out: whoever of them is in has to go. */
  readonly onAdded: () => void
}

/** Bans under way to the node at once. */
const ASKED_MAX = 1000
/** Addresses whose refused requests were noted lately; see `isNews`. */
const NOTED_MAX = 1000
const NOTED_MS = 60_000

export class Banning implements BanAsking {
  readonly #parts: BanningParts
  #banned = new BannedPrefixes()
  #never: CidrSet
  readonly #asked = new Map<number, (outcome: BanOutcome) => void>()
  #lastId = 0
  readonly #refusals: CountedRefusalsBatch
  readonly #counts: Record<BannedAt, number> = { accept: 0, proxy: 0, open: 0, request: 0 }
  readonly #notedUntil = new Map<string, number>()

  constructor(parts: BanningParts, { bans, never }: BanSet = { bans: [], never: [] }) {
    this.#parts = parts
    this.#never = CidrSet.of(never)
    this.#add(bans)
    this.#refusals = new CountedRefusalsBatch((refusals: readonly CountedRefusals[]) =>
      parts.tell({ kind: 'refusals', refusals }),
    )
  }

  /** From now on. */
  use(set: BanSet | BanChange): void {
    if (set.never !== undefined) this.#never = CidrSet.of(set.never)
    if ('bans' in set) {
      this.#banned = new BannedPrefixes()
      this.#add(set.bans)
    } else {
      for (const text of set.removed) this.#banned.delete(prefixFrom(text))
      this.#add(set.added)
      if (set.added.length === 0) return
    }
    if (this.#banned.size > 0) this.#parts.onAdded()
  }

  #add(bans: readonly string[]): void {
    for (const text of bans) this.#banned.add(prefixFrom(text))
  }

  /** Whether an address, as a socket or a proxy has it, is kept out. What is no address is not. */
  keepsOut(address: string): boolean {
    if (this.#banned.size === 0) return false
    const ip = ipFrom(address)
    return ip !== undefined && this.#banned.has(ip) && !this.#never.has(ip)
  }

  get isEmpty(): boolean {
    return this.#banned.size === 0
  }

  count(at: BannedAt): void {
    this.#counts[at] += 1
  }

  /**
   * Whether a refused request is worth a line in the access log: the first of an address, and one a minute from then on. Whoever is banned may go on
   * asking a thousand times a second; counters tell that.
   */
  isNews(address: string, nowMs: number): boolean {
    if ((this.#notedUntil.get(address) ?? 0) > nowMs) return false
    this.#notedUntil.delete(address)
    if (this.#notedUntil.size >= NOTED_MAX) this.#notedUntil.delete(this.#notedUntil.keys().next().value!)
    this.#notedUntil.set(address, nowMs + NOTED_MS)
    return true
  }

  /** A limit has refused a client. It may come to a ban: the node counts over all workers. */
  refused(address: string, { name, site, config }: RefusingLimit): void {
    if (config.kind === 'bandwidth' || config.ban === undefined) return
    const { ban } = config
    const ip = ipFrom(address)
    if (ip === undefined || this.#never.has(ip)) return
    const prefix = formatPrefix(prefixOf(ip, clientLength(ip, config)))
    this.#refusals.add(prefix, site === '' ? name : `${site}/${name}`, ban)
  }

  ban(request: BanRequest): Promise<BanOutcome> {
    if (this.#asked.size >= ASKED_MAX)
      return Promise.resolve({
        code: 'ban-limit',
        message: `more than ${ASKED_MAX} bans are under way in this worker`,
      })
    const id = ++this.#lastId
    const { promise, resolve } = Promise.withResolvers<BanOutcome>()
    this.#asked.set(id, resolve)
    this.#parts.tell({ kind: 'ban', id, ban: request })
    return promise
  }

  /** What the supervisor says of one that was asked for. */
  done(id: number, outcome: BanOutcome): void {
    const resolve = this.#asked.get(id)
    this.#asked.delete(id)
    resolve?.(outcome)
  }

  samples(): MetricSample[] {
    return Object.entries(this.#counts).map(([at, value]) => ({
      name: 'orla_banned_connections_total',
      labels: { at },
      value,
    }))
  }

  close(): void {
    this.#refusals.close()
  }
}

/** How much of an address is one client: what the limit counts by, at its finest. An IPv6 address alone is one of 2^64 of the same client. */
function clientLength({ family }: IpAddress, config: LimitConfig): number {
  const levels = config.kind === 'rate' ? config.prefixes[family === 4 ? 'v4' : 'v6'] : []
  return Math.max(...levels.map(({ length }) => length), 0) || (family === 4 ? 32 : 64)
}

/** A link-local address has the interface with it, which means nothing here. */
const ipFrom = (address: string): IpAddress | undefined => {
  const zone = address.indexOf('%')
  return parseIp(zone === -1 ? address : address.slice(0, zone))
}

/** Of the supervisor, which checked it. */
function prefixFrom(text: string): IpPrefix {
  const prefix = readPrefix(text)
  if (typeof prefix === 'string') throw new TypeError(prefix)
  return prefix
}
