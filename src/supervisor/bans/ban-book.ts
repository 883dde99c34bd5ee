/**
 * What stands on this node: the bans that the log has, and those that were asked for here and are on their way into it, less what has ended and what
 * is never banned.
 *
 * How long a ban has still to go is read off once, as it becomes known, by the clock of whoever wrote it. From there it is measured on the monotonic
 * clock: a clock that is set meanwhile lengthens and shortens nothing.
 */
import type { Cidr } from '../../base/cidr.ts'
import { parseCidr } from '../../base/cidr.ts'
import type { Clock } from '../../base/clock.ts'
import type { Timers } from '../../base/timers.ts'
import {
  bannedPrefixOf,
  type BanChange,
  type BanRecord,
  type BanSet,
  listBans,
  parseBan,
} from '../../contract/bans.ts'
import type { LocalStore, Position } from '../../contract/store.ts'
import type { Log } from '../log.ts'
import type { NeverBanned } from './never-banned.ts'

export interface BanBookParts {
  readonly store: LocalStore
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Log
  readonly never: Pick<NeverBanned, 'set' | 'list'>
  /** What is to be added to this node's clock to have that of whoever writes the log. */
  readonly clockOffMs: () => number
  readonly onChange: (change: BanChange) => void
}

interface Ban {
  readonly record: BanRecord
  readonly cidr: Cidr
  /** On the monotonic clock. */
  endMs: number
}

/** What is known of a prefix. */
export interface KnownBan {
  readonly prefix: string
  readonly record: BanRecord
  /** `waiting`: it stands here, and is in no log yet. `void`: it is never banned here. */
  readonly state: 'standing' | 'waiting' | 'void'
}

/** Bans end so late at most. */
const STEP_MS = 250
/** Entries of the log that are read at once. */
const ENTRIES_AT_ONCE = 500

export class BanBook {
  readonly #parts: BanBookParts
  readonly #logged = new Map<string, Ban>()
  readonly #waiting = new Map<string, Ban>()
  readonly #standing = new Set<string>()
  /** By the step in which they end. */
  readonly #ends = new Map<number, Set<string>>()
  #callOff: (() => void) | undefined
  #lastStep = 0
  /** Those that whoever writes the log has taken: they wait for its entry. */
  readonly #isPassed = new Set<string>()
  #read: Position
  #clockOffMs: number
  #added: string[] = []
  #removed: string[] = []

  constructor(parts: BanBookParts) {
    this.#parts = parts
    this.#clockOffMs = parts.clockOffMs()
    this.#read = parts.store.position()
    this.#readAll()
    this.#tell()
  }

  get position(): Position {
    return this.#read
  }

  /** Bans in the log, those that have ended and are not taken out yet included. */
  get loggedCount(): number {
    return this.#logged.size
  }

  get standingCount(): number {
    return this.#standing.size
  }

  get waitingCount(): number {
    return this.#waiting.size
  }

  isLogged(prefix: string): boolean {
    return this.#logged.has(prefix)
  }

  isWaiting(prefix: string): boolean {
    return this.#waiting.has(prefix)
  }

  /** For a worker that starts, and for the packet plane. */
  get set(): BanSet {
    return { bans: [...this.#standing], never: this.#parts.never.list }
  }

  /** All that have not ended, ordered by when they were made, the newest first. */
  list(): readonly KnownBan[] {
    const now = this.#parts.clock.monotonic()
    const known: KnownBan[] = []
    for (const prefix of new Set([...this.#logged.keys(), ...this.#waiting.keys()])) {
      const ban = this.#lasting(prefix)
      const isVoid = !this.#standing.has(prefix)
      if (ban === undefined || (isVoid && ban.endMs <= now)) continue
      const state = isVoid ? 'void' : ban === this.#waiting.get(prefix) ? 'waiting' : 'standing'
      known.push({ prefix, record: ban.record, state })
    }
    return known.toSorted((a, b) => b.record.at - a.record.at)
  }

  /** The ban of a prefix that stands, and goes on for so long at least. */
  lasting(prefix: string, forMs: number): BanRecord | undefined {
    const ban = this.#standing.has(prefix) ? this.#lasting(prefix) : undefined
    return ban !== undefined && ban.endMs >= this.#parts.clock.monotonic() + forMs ? ban.record : undefined
  }

  /** Prefixes of the log that ended so long ago, by the writer's own clock. */
  endedBefore(ms: number): readonly string[] {
    return [...this.#logged].filter(([, { record }]) => record.until < ms).map(([prefix]) => prefix)
  }

  /** The log has moved, by whomever. */
  advanced(): void {
    const { store } = this.#parts
    for (;;) {
      const entries = store.entriesAfter(this.#read, ENTRIES_AT_ONCE)
      if (entries === 'reset') {
        this.#read = store.position()
        this.#readAll()
        break
      }
      const last = entries.at(-1)
      if (last === undefined) break
      for (const { key, operation, value } of entries) {
        const prefix = bannedPrefixOf(key)
        if (prefix === undefined) continue
        if (operation === 'SET') this.#log(prefix, value)
        else this.#logged.delete(prefix)
        // What was passed on has arrived; what was taken out is taken out here, too.
        if (this.#isPassed.has(prefix)) this.#letGo(prefix)
        this.#look(prefix)
      }
      this.#read = { log: this.#read.log, id: last.id, hash: last.hash }
    }
    this.#tell()
  }

  /** It stands at once, until the log has it. */
  wait(prefix: string, record: BanRecord, forMs: number): void {
    this.#isPassed.delete(prefix)
    this.#waiting.set(prefix, this.#ban(prefix, record, this.#parts.clock.monotonic() + forMs))
    this.#look(prefix)
    this.#tell()
  }

  /** It is in the log, or will be in a moment. */
  passed(prefix: string): void {
    if (this.#logged.has(prefix)) this.dropWaiting(prefix)
    else if (this.#waiting.has(prefix)) this.#isPassed.add(prefix)
  }

  /** False where none waits. */
  dropWaiting(prefix: string): boolean {
    const isThere = this.#letGo(prefix)
    this.#look(prefix)
    this.#tell()
    return isThere
  }

  /** Milliseconds that one that waits has still to go, with its record; undefined where none waits, or it has been passed on. */
  toPass(): readonly { readonly prefix: string; readonly record: BanRecord; readonly forMs: number }[] {
    const now = this.#parts.clock.monotonic()
    return [...this.#waiting].flatMap(([prefix, { record, endMs }]) =>
      this.#isPassed.has(prefix) ? [] : [{ prefix, record, forMs: Math.round(endMs - now) }],
    )
  }

  /** What is never banned has changed, or by how much the clock is off. */
  reviewAll(): void {
    const off = this.#parts.clockOffMs()
    if (off !== this.#clockOffMs) {
      this.#clockOffMs = off
      for (const ban of this.#logged.values()) ban.endMs = this.#endOf(ban.record)
    }
    for (const prefix of new Set([...this.#logged.keys(), ...this.#waiting.keys()])) this.#look(prefix)
    this.#tell()
  }

  /** The writer's clock is known better than when bans were read. */
  get hasClockMoved(): boolean {
    return this.#parts.clockOffMs() !== this.#clockOffMs
  }

  stop(): void {
    this.#callOff?.()
    this.#callOff = undefined
  }

  #readAll(): void {
    const before = new Set(this.#logged.keys())
    this.#logged.clear()
    for (const [prefix, text] of listBans(this.#parts.store)) {
      this.#log(prefix, text)
      before.add(prefix)
    }
    for (const prefix of this.#isPassed) if (this.#logged.has(prefix)) this.#letGo(prefix)
    for (const prefix of before) this.#look(prefix)
  }

  #log(prefix: string, text: string): void {
    const record = parseBan(text)
    const isPrefix = parseCidr(prefix) !== undefined
    if (record !== undefined && isPrefix)
      this.#logged.set(prefix, this.#ban(prefix, record, this.#endOf(record)))
    else
      this.#parts.log.warn(
        `the ban of ${prefix.slice(0, 80)} in the log cannot be read, and means nothing here`,
      )
  }

  #ban(prefix: string, record: BanRecord, endMs: number): Ban {
    return { record, cidr: parseCidr(prefix)!, endMs }
  }

  #endOf({ until }: BanRecord): number {
    const { clock } = this.#parts
    return clock.monotonic() + until - (clock.now() + this.#clockOffMs)
  }

  /** Of two for one prefix, the one that ends later. */
  #lasting(prefix: string): Ban | undefined {
    const logged = this.#logged.get(prefix)
    const waiting = this.#waiting.get(prefix)
    if (logged === undefined || waiting === undefined) return logged ?? waiting
    return waiting.endMs > logged.endMs ? waiting : logged
  }

  /** Whether it stands may have changed. */
  #look(prefix: string): void {
    const ban = this.#lasting(prefix)
    const isOver = ban === undefined || ban.endMs <= this.#parts.clock.monotonic()
    const stands = !isOver && !this.#parts.never.set.covers(ban.cidr)
    if (!isOver) this.#endAt(prefix, ban.endMs)
    if (stands === this.#standing.has(prefix)) return
    if (stands) this.#standing.add(prefix)
    else this.#standing.delete(prefix)
    ;(stands ? this.#added : this.#removed).push(prefix)
  }

  #endAt(prefix: string, endMs: number): void {
    const step = Math.ceil(endMs / STEP_MS)
    const ending = this.#ends.get(step)
    if (ending === undefined) this.#ends.set(step, new Set([prefix]))
    else ending.add(prefix)
    if (this.#callOff !== undefined) return
    this.#lastStep = Math.floor(this.#parts.clock.monotonic() / STEP_MS)
    this.#callOff = this.#parts.timers.later(STEP_MS, () => this.#step())
  }

  /** Ends what is over; whoever was prolonged has another step. */
  #step(): void {
    const now = Math.floor(this.#parts.clock.monotonic() / STEP_MS)
    // The steps since the last time, or those there are: whichever are fewer.
    const over =
      this.#ends.size <= now - this.#lastStep
        ? [...this.#ends.keys()].filter((step) => step <= now)
        : Array.from({ length: now - this.#lastStep }, (_, index) => this.#lastStep + 1 + index)
    this.#lastStep = now
    for (const step of over) {
      const prefixes = this.#ends.get(step) ?? []
      this.#ends.delete(step)
      for (const prefix of prefixes) {
        const waiting = this.#waiting.get(prefix)
        if (waiting !== undefined && waiting.endMs <= this.#parts.clock.monotonic()) this.#letGo(prefix)
        this.#look(prefix)
      }
    }
    this.#callOff = this.#ends.size === 0 ? undefined : this.#parts.timers.later(STEP_MS, () => this.#step())
    this.#tell()
  }

  #letGo(prefix: string): boolean {
    this.#isPassed.delete(prefix)
    return this.#waiting.delete(prefix)
  }

  #tell(): void {
    if (this.#added.length === 0 && this.#removed.length === 0) return
    // One that went and came within a turn stands; the other way round it does not.
    const added = this.#added.filter((prefix) => this.#standing.has(prefix))
    const removed = this.#removed.filter((prefix) => !this.#standing.has(prefix))
    this.#added = []
    this.#removed = []
    this.#parts.onChange({ added, removed })
  }
}
