/**
 * The purges of a node: what the log says, and what requests made out of date in one of its workers, each with a number, to the disk tier and to all
 * workers, in one order.
 *
 * A worker that starts is told the number it begins with and every purge from then on, also before it is ready: what it asks for before a purge is
 * beaten by it as anywhere else. One that ends takes what it kept along, so nobody waits for it.
 */
import type { Clock } from '../../base/clock.ts'
import { Histogram } from '../../base/histogram.ts'
import type { FromWorker, MetricSample } from '../../contract/messages.ts'
import {
  listPurges,
  parsePurge,
  purgeIdOf,
  purgeKind,
  purgeOfAll,
  type NumberedPurge,
  type Purge,
  type PurgedTier,
} from '../../contract/purge.ts'
import type { EdgePurged } from '../../contract/replication.ts'
import type { LocalStore, Position } from '../../contract/store.ts'
import type { Log } from '../log.ts'
import { PurgeLedger, purgeFloor } from './purge-ledger.ts'
import type { ToldWorker } from '../workers/told-worker.ts'

export interface NodePurgesParts {
  readonly store: LocalStore
  readonly clock: Clock
  readonly log: Log
  /** Every process there is, ready or not. */
  readonly workers: () => readonly ToldWorker[]
  /** What keeps answers beside them. */
  readonly tier?: PurgedTier | undefined
  /** Everything up to a position is applied here. */
  readonly onApplied: () => void
}

/** A worker that does not answer for so long is ended by the pulse, and with it goes what it keeps. */
const WORKER_MAX_MS = 60_000
/** One that starts has an empty memory, and hears of purges before it serves, or a moment later. */
const STARTING_MAX_MS = 1_000
/** How long a start waits for the disk. */
const CATCH_UP_MAX_MS = 30_000
/** Entries of the log that are read at once. */
const ENTRIES_AT_ONCE = 500
/** Purges whose objects are remembered, for those who wait for them. */
const REMEMBERED_MAX = 256
const SECONDS_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

type PurgedHere = Extract<FromWorker, { kind: 'purged' }>

export class NodePurges {
  readonly ledger = new PurgeLedger()
  readonly #parts: NodePurgesParts
  /** Read up to here. */
  #read: Position
  /** Applied up to here, by whoever keeps something on this node. */
  #applied: Position
  /** It starts anew with each program, and from its first moment on is larger than before: what is on the disk bears numbers of those before. */
  #number: number
  #messageId = 0
  /** The tier takes one batch after the other. */
  #tierWork: Promise<unknown> = Promise.resolve()
  /** The last position that is on its way to be applied. */
  #ordered: Promise<void> = Promise.resolve()
  readonly #objects = new Map<number, number>()
  readonly #waiting = new Set<() => void>()
  readonly #counts = new Map<string, number>()
  #purgedObjects = 0
  readonly #seconds = new Histogram(SECONDS_BOUNDS)

  constructor(parts: NodePurgesParts) {
    this.#parts = parts
    const { store, clock } = parts
    this.#number = Math.floor(clock.now())
    this.ledger.read(store)
    this.#read = store.position()
    this.#applied = this.#read
  }

  /** To be called before workers start: resolves when nothing is on the disk any more that was purged while this program was away. */
  async start(): Promise<void> {
    const { tier, log } = this.#parts
    if (tier === undefined) return
    this.#catchUp(tier)
    const { promise, resolve } = Promise.withResolvers<'late'>()
    const timer = setTimeout(() => resolve('late'), CATCH_UP_MAX_MS)
    if ((await Promise.race([this.#ordered, promise])) === 'late')
      log.warn('the cache on disk has not applied yet what was purged while this node was away')
    clearTimeout(timer)
  }

  /** The last number that was given: what a worker that starts now begins with. */
  get number(): number {
    return this.#number
  }

  /** For the control plane: how far this node is, and how many objects the last purges meant here. */
  get state(): EdgePurged {
    const { log, id } = this.#applied
    return { log, id, objects: Array.from(this.#objects).slice(-64) }
  }

  /** The store has moved, by whomever: what it says of purges is applied, in order. */
  advanced(): void {
    const { store } = this.#parts
    for (;;) {
      const entries = store.entriesAfter(this.#read, ENTRIES_AT_ONCE)
      if (entries === 'reset') return this.#startAnew()
      const last = entries.at(-1)
      if (last === undefined) return
      const purges: [id: number, purge: Purge][] = []
      for (const entry of entries) {
        this.ledger.note(entry)
        const id = entry.operation === 'SET' ? purgeIdOf(entry.key) : undefined
        const purge = id === undefined ? undefined : this.#parse(id, entry.value)
        if (purge !== undefined) purges.push([id!, purge])
      }
      this.#read = { log: this.#read.log, id: last.id, hash: last.hash }
      this.#applyLogged(purges, this.#read)
    }
  }

  /** Resolves when the node has applied everything up to this id of its log, with the objects that this purge meant here. */
  async applied({ log, id }: Position): Promise<number> {
    while (this.#applied.log === log && this.#applied.id < id)
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    return this.#objects.get(id) ?? 0
  }

  /** What requests made out of date in one worker: the others are told, and the disk. */
  invalidated(worker: number, purges: readonly Purge[]): void {
    void this.#apply(purges, worker)
  }

  samples(): MetricSample[] {
    const samples = Array.from(this.#counts, ([key, value]): MetricSample => {
      const [kind = '', mode = ''] = key.split(' ')
      return { name: 'orla_cache_purges_total', labels: { kind, mode }, value }
    })
    return [
      ...samples,
      { name: 'orla_cache_purged_objects_total', labels: {}, value: this.#purgedObjects },
      { name: 'orla_cache_purge_duration_seconds', labels: {}, value: this.#seconds.value },
    ]
  }

  #parse(id: number, text: string): Purge | undefined {
    const purge = parsePurge(text)
    if (purge === undefined)
      this.#parts.log.warn(`the purge at position ${id} of the log cannot be read, and means nothing here`)
    return purge
  }

  /** Of what was on the disk when this program began, it is known how far it had got. */
  #catchUp(tier: PurgedTier): void {
    const { store, clock } = this.#parts
    const { purgedTo } = tier
    if (purgedTo === undefined) return void tier.reached(this.#applied)
    if (purgedTo.log !== this.#read.log || purgedTo.id < purgeFloor(store)) {
      // What was purged meanwhile is not known any more: whatever is there is asked about before it is given to anybody.
      return this.#applyLogged([[this.#read.id, purgeOfAll(true, clock.now())]], this.#read)
    }
    const missed = listPurges(store).flatMap(([id, text]): [number, Purge][] => {
      const purge = id > purgedTo.id ? this.#parse(id, text) : undefined
      return purge === undefined ? [] : [[id, purge]]
    })
    this.#applyLogged(missed, this.#read)
  }

  /** The log does not go on from where it was read: the state says what there is, and what this node knows of it already is not done again. */
  #startAnew(): void {
    const { store, clock } = this.#parts
    const before = this.#read
    const now = store.position()
    const kept = listPurges(store)
    const news = kept.filter(([id, text]) => !this.ledger.has(id, text))
    const floor = purgeFloor(store)
    // A log that was only renamed has purges that are known here.
    const goesOn = before.log === now.log || news.length < kept.length
    const hasMissed = floor > (goesOn ? before.id : 0)
    this.ledger.read(store)
    this.#read = now
    const purges = news.flatMap(([id, text]): [number, Purge][] => {
      const purge = this.#parse(id, text)
      return purge === undefined ? [] : [[id, purge]]
    })
    if (hasMissed) purges.unshift([floor, purgeOfAll(true, clock.now())])
    this.#applyLogged(purges, now)
  }

  /** `to`: where the log is with them. */
  #applyLogged(purges: readonly (readonly [id: number, purge: Purge])[], to: Position): void {
    const done = (objects: readonly number[]) => {
      for (const [index, [id]] of purges.entries()) this.#remember(id, objects[index] ?? 0)
      // An earlier batch may be done later than this one.
      if (this.#applied.log !== to.log || this.#applied.id < to.id) this.#applied = to
      for (const wake of this.#waiting) wake()
      this.#waiting.clear()
      this.#parts.onApplied()
    }
    this.#order(
      purges.length === 0 ? Promise.resolve([]) : this.#apply(purges.map(([, purge]) => purge)),
      to,
      done,
    )
  }

  /** Positions are reached in their order, whichever batch is done first. */
  #order(work: Promise<readonly number[]>, to: Position, done: (objects: readonly number[]) => void): void {
    const before = this.#ordered
    this.#ordered = (async () => {
      const objects = await work
      await before
      this.#parts.tier?.reached(to)
      done(objects)
    })()
  }

  #remember(id: number, objects: number): void {
    this.#objects.set(id, objects)
    if (this.#objects.size <= REMEMBERED_MAX) return
    for (const oldest of this.#objects.keys()) {
      this.#objects.delete(oldest)
      return
    }
  }

  /** Never rejects: what cannot be reached keeps nothing that is read. */
  async #apply(purges: readonly Purge[], from?: number): Promise<readonly number[]> {
    const { clock, tier, log } = this.#parts
    const start = clock.monotonic()
    const numbered = purges.map((purge): NumberedPurge => ({ number: ++this.#number, purge }))
    const objects = purges.map(() => 0)
    const add = (counts: readonly number[]) => {
      for (const [index, count] of counts.entries()) objects[index] = (objects[index] ?? 0) + count
    }
    if (tier !== undefined) {
      const work = this.#tierWork.then(() => tier.purge(numbered))
      this.#tierWork = work.catch(() => undefined)
      try {
        add(await work)
      } catch (error) {
        log.warn(`a purge did not reach the cache on disk: ${(error as Error).message}`)
      }
    }
    await this.#tellWorkers(numbered, from, add)
    this.#count(purges, objects, clock.monotonic() - start, from !== undefined)
    return objects
  }

  /** For the program that has taken over: what its log says goes to our workers, too, by its numbers, which are larger than ours. */
  async relay(purges: readonly NumberedPurge[]): Promise<readonly number[]> {
    const objects = purges.map(() => 0)
    await this.#tellWorkers(purges, undefined, (counts) => {
      for (const [index, count] of counts.entries()) objects[index] = (objects[index] ?? 0) + count
    })
    return objects
  }

  async #tellWorkers(
    purges: readonly NumberedPurge[],
    from: number | undefined,
    add: (counts: readonly number[]) => void,
  ): Promise<void> {
    const id = ++this.#messageId
    const message = { kind: 'purge', id, purges, ...(from !== undefined && { from }) } as const
    const isAnswer = (heard: FromWorker): heard is PurgedHere => heard.kind === 'purged' && heard.id === id
    const asked = this.#parts
      .workers()
      .map((worker) =>
        worker.ask(message, isAnswer, worker.phase === 'starting' ? STARTING_MAX_MS : WORKER_MAX_MS),
      )
    for (const answer of await Promise.allSettled(asked)) {
      if (answer.status === 'fulfilled') add(answer.value.objects)
    }
  }

  #count(purges: readonly Purge[], objects: readonly number[], ms: number, isLocal: boolean): void {
    for (const purge of purges) {
      const kind = isLocal ? 'invalidation' : purgeKind(purge)
      const key = `${kind} ${purge.soft ? 'soft' : 'hard'}`
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    }
    for (const count of objects) this.#purgedObjects += count
    if (!isLocal) this.#seconds.observe(ms / 1000)
  }
}
