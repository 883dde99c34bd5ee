/**
 * What happened, as clients and replicas saw it, and whether it could have happened by the rules.
 *
 * Every write that was acknowledged has a position, and the log says what stands there: so the log proves the order, and whatever was seen
 * anywhere is compared with what the log adds up to at the position where it was seen.
 */
import type { Effect, LogEntry, Position } from '../../src/contract/store.ts'
import { GENESIS, entryHash } from '../../src/store/chain.ts'
import { viewOf } from '../../src/store/past.ts'
import { listPointers, recordKey } from '../../src/unit/records.ts'

/** Versions of units by name: what a request meets. */
export type Content = Readonly<Record<string, number>>

type At = Pick<Position, 'id' | 'hash'>

export type Event =
  /** For people. */
  | { readonly kind: 'note'; readonly line: string }
  /** An append as an engine answered it; `last` is where the log ends with it. */
  | { readonly kind: 'attempt'; readonly last: At; readonly outcome: 'appended' | 'conflict' | 'unknown' }
  /** Whoever wrote it was told that it is there, as the effects behind `plannedAt`. */
  | {
      readonly kind: 'acknowledged'
      readonly plannedAt: number
      readonly at: At
      readonly effects: readonly Effect[]
    }
  /** A replica stands there now. */
  | { readonly kind: 'advanced'; readonly at: At }
  /** A client met this, of that position. */
  | { readonly kind: 'read'; readonly at: At; readonly content: Content }
  /** It began with these, and had nothing else to begin with, whether they run there or not. */
  | { readonly kind: 'took'; readonly took: readonly string[] }
  /** Whoever published it was told that these nodes run it. */
  | { readonly kind: 'published'; readonly id: number; readonly nodes: readonly string[] }
  /** Where a replica ended, after everything was healed and had time. */
  | {
      readonly kind: 'ended'
      readonly at: Position
      readonly state: ReadonlyMap<string, string>
      readonly live: number
    }

export interface Recorded {
  readonly atMs: number
  readonly who: string
  readonly event: Event
}

export class Recorder {
  readonly events: Recorded[] = []
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  add(who: string, event: Event): void {
    this.events.push({ atMs: this.#now(), who, event })
  }

  note(who: string, line: string): void {
    this.add(who, { kind: 'note', line })
  }
}

export interface Violation {
  readonly problem: string
  /** How many events there were when it showed. */
  readonly after: number
}

/** The first rule that was broken, or undefined. `log`: all entries, from the first. */
export function check(
  log: readonly LogEntry[],
  events: readonly Recorded[],
  refuses: (code: string, node: string) => boolean = () => false,
): Violation | undefined {
  const whole = checkLog(log)
  if (whole !== undefined) return { problem: whole, after: events.length }
  const checker = new Checker(log, events, refuses)
  for (const [index, recorded] of events.entries()) {
    const problem = checker.take(recorded)
    if (problem !== undefined) return { problem: `${recorded.who}: ${problem}`, after: index + 1 }
  }
  return undefined
}

function checkLog(log: readonly LogEntry[]): string | undefined {
  let hash = GENESIS
  for (const [index, entry] of log.entries()) {
    if (entry.id !== index + 1) return `the log has entry ${entry.id} where ${index + 1} comes next`
    hash = entryHash(hash, entry)
    if (entry.hash !== hash) return `entry ${entry.id} of the log does not have the hash of its content`
  }
  // Effects and no commands: what is replayed once more, from anywhere, changes nothing.
  const state = replay(new Map(), log)
  for (let from = 0; from < log.length; from += 1 + (log.length >> 3)) {
    if (!isSame(replay(new Map(state), log.slice(from)), state))
      return `a replay from ${from} changes the state`
  }
  return undefined
}

class Checker {
  readonly #log: readonly LogEntry[]
  readonly #refuses: (code: string, node: string) => boolean
  /** Ids at which an append ended. */
  readonly #ends = new Set([0])
  /** Who was acknowledged which id. */
  readonly #owners = new Map<number, Recorded>()
  readonly #replicas = new Map<string, number>()
  readonly #readers = new Map<string, number>()
  readonly #promised = new Map<string, number>()
  readonly #took = new Set<string>()
  /** What the log is called, by whoever ended first. */
  #name: string | undefined
  readonly #pasts: Pasts

  constructor(
    log: readonly LogEntry[],
    events: readonly Recorded[],
    refuses: (code: string, node: string) => boolean,
  ) {
    this.#log = log
    this.#refuses = refuses
    this.#pasts = new Pasts(log)
    for (const { event } of events)
      if (event.kind === 'attempt' && this.#isIn(event.last)) this.#ends.add(event.last.id)
  }

  take(recorded: Recorded): string | undefined {
    const { who, event } = recorded
    switch (event.kind) {
      case 'note':
        return undefined
      case 'took':
        for (const key of event.took) this.#took.add(`${who} ${key}`)
        return undefined
      case 'attempt':
        if (event.outcome === 'conflict' && this.#isIn(event.last))
          return `entry ${event.last.id} is in the log, and its writer was told that there was a conflict`
        return undefined
      case 'acknowledged':
        return this.#acknowledged(recorded, event)
      case 'advanced':
        return this.#stands(event.at) ?? goesOn(this.#replicas, who, event.at.id, 'its replica')
      case 'read':
        return this.#read(who, event)
      case 'published':
        for (const node of event.nodes)
          this.#promised.set(node, Math.max(event.id, this.#promised.get(node) ?? 0))
        return undefined
      case 'ended': {
        const end = this.#log.length
        this.#name ??= event.at.log
        if (event.at.log !== this.#name)
          return `its replica is of the log ${event.at.log}, and others of ${this.#name}`
        if (event.at.id !== end || !this.#isIn(event.at))
          return `its replica ended at ${event.at.id}, and the log at ${end}`
        if (!isSame(event.state, this.#pasts.state(end))) return `its replica is not what the log adds up to`
        return event.live === end ? undefined : `it runs ${event.live} in the end, and the log ends at ${end}`
      }
    }
  }

  #isIn({ id, hash }: At): boolean {
    return id === 0 || this.#log[id - 1]?.hash === hash
  }

  #stands(at: At): string | undefined {
    if (!this.#isIn(at)) return `it stands at ${at.id} of another history than that of the log`
    return this.#ends.has(at.id) ? undefined : `it stands at ${at.id}, in the middle of an append`
  }

  #acknowledged(recorded: Recorded, { plannedAt, at, effects }: Extract<Event, { kind: 'acknowledged' }>) {
    const entries = this.#log.slice(plannedAt, at.id)
    if (!this.#isIn(at) || JSON.stringify(entries.map(toEffect)) !== JSON.stringify(effects.map(toEffect)))
      return `the write that was acknowledged as ${plannedAt + 1} to ${at.id} is not in the log there`
    for (const { id } of entries) {
      const other = this.#owners.get(id)
      if (other) return `id ${id} was acknowledged twice, to ${other.who} before`
      this.#owners.set(id, recorded)
    }
    return undefined
  }

  #read(who: string, { at, content }: Extract<Event, { kind: 'read' }>): string | undefined {
    const problem = this.#stands(at) ?? goesOn(this.#readers, who, at.id, 'a reader')
    if (problem !== undefined) return problem
    const promised = this.#promised.get(who) ?? 0
    if (at.id < promised) return `a reader met ${at.id} after ${promised} was told to be live there`
    const state = this.#pasts.state(at.id)
    const expected = contentOf(state)
    if (!isSame(new Map(Object.entries(content)), new Map(Object.entries(expected))))
      return `a reader met ${JSON.stringify(content)} at ${at.id}, which is ${JSON.stringify(expected)}`
    for (const [name, version] of Object.entries(content)) {
      const record = state.get(recordKey(name, version))
      if (record === undefined)
        return `${name}@${version} is live at ${at.id}, and the store does not have it`
      const { code } = JSON.parse(record) as { code: string }
      if (this.#refuses(code, who) && !this.#took.has(`${who} ${name}@${version}`))
        return `a reader met ${name}@${version}, which does not run there`
    }
    return undefined
  }
}

function goesOn(seen: Map<string, number>, who: string, id: number, what: string): string | undefined {
  const before = seen.get(who) ?? 0
  if (id < before) return `${what} went back from ${before} to ${id}`
  seen.set(who, id)
  return undefined
}

/** What the log adds up to at each of its ids, worked out once. */
class Pasts {
  readonly #log: readonly LogEntry[]
  readonly #states: ReadonlyMap<string, string>[] = [new Map()]

  constructor(log: readonly LogEntry[]) {
    this.#log = log
  }

  state(id: number): ReadonlyMap<string, string> {
    for (let next = this.#states.length; next <= id; next++) {
      const before = this.#states[next - 1]!
      this.#states.push(replay(new Map(before), this.#log.slice(next - 1, next)))
    }
    return this.#states[id]!
  }
}

function replay(state: Map<string, string>, log: readonly LogEntry[]): Map<string, string> {
  for (const { operation, key, value } of log) {
    if (operation === 'SET') state.set(key, value)
    else state.delete(key)
  }
  return state
}

function contentOf(state: ReadonlyMap<string, string>): Content {
  const view = viewOf({ log: '', id: 0, hash: '' }, state)
  return Object.fromEntries(
    listPointers(view).flatMap(([name, { live, disabled }]) => (disabled ? [] : [[name, live]])),
  )
}

function isSame(one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value)
}

const toEffect = (effect: Effect | LogEntry) => [
  effect.operation,
  effect.key,
  effect.operation === 'SET' ? effect.value : '',
]
