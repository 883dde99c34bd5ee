/**
 * The servers that keep counts: one, with others that may take its place, or the masters of a Cluster; which of them keeps a key, and whether it is there.
 *
 * No question waits for a connection. While a server is known to be away, its keys have no link, and who asks is told so at once; in the
 * background it is looked for, with pauses that grow (`base/back-off.ts`). A server counts as there once it has run the script itself: one that is a
 * replica, full, or refuses the user connects well and is of no use.
 */
import { ErrorReply } from '@redis/client'
import { type BackOff, backOffMs } from '../../base/back-off.ts'
import type { Clock } from '../../base/clock.ts'
import { wordsOf } from '../../base/errors.ts'
import { hostOf } from '../../base/server-address.ts'
import type { Timers } from '../../base/timers.ts'
import { numbersOf } from './cluster-limiter.ts'
import { CounterLink, type LinkOptions, type Reply } from './counter-link.ts'
import { failureOf } from './failure.ts'
import { JOIN, type Script, SCRIPTS } from './scripts.ts'
import { SLOTS, slotOf } from './slot.ts'

/** `partly`: of a Cluster, some masters. */
export type CountersState = 'connecting' | 'there' | 'partly' | 'away'

export interface CountersOptions extends Omit<LinkOptions, 'clock'> {
  /** `host:port` of each; the first that takes writes, or all masters of the Cluster that they belong to. */
  readonly addresses: readonly string[]
  /** In front of every key. */
  readonly prefix: string
}

export interface CountersPlatform {
  readonly clock: Clock
  readonly timers: Timers
  /** 0 to 1. */
  readonly random: () => number
  /** Tells the operator: a line each time the state changes. */
  readonly warn: (line: string) => void
}

const BACK_OFF: BackOff = { firstMs: 100, maxMs: 5_000 }
const ALL = [...new Set([...SCRIPTS.values()].flatMap(({ take, settle }) => [take, settle])), JOIN]
const PROBE = SCRIPTS.get('token-bucket')!.take
/** A server that was there for that long is tried again soon when it goes. */
const STEADY_MS = 10_000

export class Counters {
  readonly #options: CountersOptions
  readonly #platform: CountersPlatform
  /** Of the configuration first, then those that a Cluster named. */
  #known: readonly string[]
  readonly #links = new Map<string, CounterLink>()
  /** Those that have decided something. */
  readonly #tried = new WeakSet<CounterLink>()
  /** Of a Cluster: who has each slot. Undefined: one server has all. */
  #slots: (string | undefined)[] | undefined
  #only: CounterLink | undefined
  #state: CountersState = 'connecting'
  #problem = ''
  #failures = 0
  #thereSinceMs = 0
  #isLooking = false
  #callOffLook: (() => void) | undefined
  #lookAtMs = Infinity
  #isClosed = false
  readonly #firstLook = Promise.withResolvers<void>()

  constructor(options: CountersOptions, platform: CountersPlatform) {
    this.#options = options
    this.#platform = platform
    this.#known = options.addresses
  }

  get state(): CountersState {
    return this.#state
  }

  get isAway(): boolean {
    return this.#links.size === 0
  }

  /** What is wrong, where the state is not `there`. */
  get problem(): string {
    return this.#problem
  }

  /** Connects. Resolves once it is known whether it could; it goes on trying where not. */
  start(): Promise<void> {
    this.#lookIn(0)
    return this.#firstLook.promise
  }

  /** The server that keeps the keys of this tag, or undefined while it is away. */
  linkOf(tag: string): CounterLink | undefined {
    const link = this.#slots === undefined ? this.#only : this.#links.get(this.#slots[slotOf(tag)] ?? '')
    return link?.isUsable === true ? link : undefined
  }

  /** Throws where there is no answer: then it is decided here. */
  async run(
    link: CounterLink,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<Reply> {
    const rest = [String(keys.length), ...keys, ...args]
    try {
      return await link.ask(['EVALSHA', script.sha, ...rest])
    } catch (error) {
      const failure = failureOf(error, link.address)
      if (failure.kind === 'unknown') return this.#settled(link, link.ask(['EVAL', script.text, ...rest]))
      if (failure.kind === 'away') link.end(error as Error)
      if (failure.kind === 'moved') this.#lookIn(0)
      const other = 'address' in failure ? this.#links.get(failure.address) : undefined
      if (other?.isUsable !== true) throw error
      // A slot on its way is open to who says so right before.
      if (failure.kind === 'ask') other.ask(['ASKING']).catch(() => undefined)
      return this.#settled(other, other.ask(['EVAL', script.text, ...rest]))
    }
  }

  close(): void {
    this.#isClosed = true
    this.#callOffLook?.()
    for (const link of this.#links.values()) link.end(new Error('it is not used any more'))
    this.#firstLook.resolve()
  }

  async #settled(link: CounterLink, work: Promise<Reply>): Promise<Reply> {
    try {
      return await work
    } catch (error) {
      if (failureOf(error, link.address).kind === 'away') link.end(error as Error)
      throw error
    }
  }

  #lookIn(ms: number): void {
    if (this.#isClosed || this.#isLooking) return
    const { clock, timers } = this.#platform
    const atMs = clock.monotonic() + ms
    if (atMs >= this.#lookAtMs) return
    this.#callOffLook?.()
    this.#lookAtMs = atMs
    this.#callOffLook = timers.later(ms, () => {
      this.#callOffLook = undefined
      this.#lookAtMs = Infinity
      void this.#look()
    })
  }

  /** Finds out who is there. */
  async #look(): Promise<void> {
    this.#isLooking = true
    const problems: string[] = []
    // Who answers already is asked before others.
    const isOpen = (address: string) => Number(this.#links.has(address))
    for (const address of this.#known.toSorted((a, b) => isOpen(b) - isOpen(a))) {
      try {
        const link = await this.#open(address)
        const slots = await slotsOf(link)
        if (slots === undefined) await this.#useOne(link)
        else problems.push(...(await this.#useCluster(slots)))
        break
      } catch (error) {
        problems.push(`${address}: ${wordsOf(error)}`)
      }
    }
    this.#isLooking = false
    if (this.#isClosed) return
    this.#observe(problems[0])
    this.#firstLook.resolve()
  }

  async #useOne(link: CounterLink): Promise<void> {
    await this.#try(link, 'probe')
    this.#slots = undefined
    this.#only = link
  }

  /** Returns what is wrong with those that it could not use. */
  async #useCluster(slots: (string | undefined)[]): Promise<string[]> {
    const masters = [...new Set(slots)].filter((address) => address !== undefined)
    // Those that a Cluster had before are forgotten, or they would become more and more.
    this.#known = [...new Set([...this.#options.addresses, ...masters])]
    this.#slots = slots
    for (const [address, link] of this.#links)
      if (!masters.includes(address)) link.end(new Error('it keeps no slots any more'))
    const problems = await Promise.all(
      masters.map(async (address) => {
        try {
          const link = await this.#open(address)
          await this.#try(link, tagAt(slots, address))
          return []
        } catch (error) {
          this.#links.get(address)?.end(error as Error)
          return [`${address}: ${wordsOf(error)}`]
        }
      }),
    )
    if (slots.includes(undefined)) problems.push(['there are slots that no server has'])
    return problems.flat()
  }

  async #open(address: string): Promise<CounterLink> {
    const there = this.#links.get(address)
    if (there?.isUsable === true) return there
    const { clock } = this.#platform
    const link = new CounterLink(address, { ...this.#options, clock }, (problem) => {
      if (this.#links.get(address) !== link) return
      this.#links.delete(address)
      if (this.#only === link) this.#only = undefined
      const text = `${address}: ${wordsOf(problem)}`
      if (this.#isLooking) this.#problem = text
      else this.#observe(text)
    })
    await link.open()
    if (this.#isClosed) {
      link.end(new Error('it is not used any more'))
      throw new Error('it is not used any more')
    }
    this.#links.set(address, link)
    return link
  }

  /** Throws where it does not decide. A decision a millisecond is what this key allows. */
  async #try(link: CounterLink, tag: string): Promise<void> {
    if (this.#tried.has(link)) return
    try {
      await Promise.all(ALL.map(({ text }) => link.prepare(['SCRIPT', 'LOAD', text])))
      const key = `${this.#options.prefix}{${tag}}`
      const reply = await link.ask(['EVALSHA', PROBE.sha, '1', key, '1', '1', '1', '1', '1', '0'])
      numbersOf(reply, 5)
      this.#tried.add(link)
    } catch (error) {
      link.end(error as Error)
      throw error
    }
  }

  /** Tells what changed, and plans the next look where something is missing. */
  #observe(problem: string | undefined): void {
    if (this.#isClosed) return
    const { clock, random, warn } = this.#platform
    const before = this.#state
    this.#state = this.#stateNow()
    if (this.#state === 'there') {
      this.#problem = ''
      if (before !== 'there') this.#thereSinceMs = clock.monotonic()
      if (before === 'away' || before === 'partly')
        warn('limits: Redis answers again, and limits are counted for all nodes')
      return
    }
    this.#problem = problem ?? this.#problem
    if (before === 'there' && clock.monotonic() - this.#thereSinceMs > STEADY_MS) this.#failures = 0
    this.#failures += 1
    this.#lookIn(backOffMs(this.#failures, random, BACK_OFF))
    if (this.#state === before) return
    const what = this.#state === 'away' ? 'limits for all nodes are' : 'what is counted there is'
    warn(
      `limits: Redis does not answer (${this.#problem}): ${what} counted by this node alone until it is back`,
    )
  }

  #stateNow(): CountersState {
    if (this.#slots === undefined) return this.#only?.isUsable === true ? 'there' : 'away'
    const masters = [...new Set(this.#slots)]
    const there = masters.filter((address) => this.#links.get(address ?? '')?.isUsable === true)
    return there.length === 0 ? 'away' : there.length === masters.length ? 'there' : 'partly'
  }
}

/** Of a Cluster: the master of each slot, as it says itself; undefined where it is none. Each row is a range of slots, then servers as `[host, port, …]`. */
async function slotsOf(link: CounterLink): Promise<(string | undefined)[] | undefined> {
  const isList = (reply: Reply | undefined): reply is readonly Reply[] => Array.isArray(reply)
  let rows: Reply
  try {
    rows = await link.prepare(['CLUSTER', 'SLOTS'])
  } catch (error) {
    // Support for it is off, or this user may not ask.
    if (error instanceof ErrorReply) return undefined
    throw error
  }
  if (!isList(rows)) throw new Error('what answers there is not Redis')
  const slots = Array.from<string | undefined>({ length: SLOTS })
  for (const row of rows.filter(isList)) {
    const [from, to, master] = row
    if (!isList(master)) continue
    const [host, port] = master
    const isNamed = typeof host === 'string' && host !== '' && host !== '?'
    slots.fill(`${isNamed ? host : hostOf(link.address)}:${String(port)}`, Number(from), Number(to) + 1)
  }
  return slots
}

/** A tag whose slot is at this server. */
function tagAt(slots: readonly (string | undefined)[], address: string): string {
  for (let n = 0; ; n++) {
    const tag = `probe${n}`
    if (slots[slotOf(tag)] === address || n > 1_000_000) return tag
  }
}
