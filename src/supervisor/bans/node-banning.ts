/** The bans of a node and how they are wired: the log, its workers, its packet plane, its edges, its units and limits, the admin API. */
import { lookup } from 'node:dns/promises'
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { formatPrefix } from '../../base/ip-prefix.ts'
import { PaceBudget, type Pace } from '../../base/pace-budget.ts'
import { every, systemTimers } from '../../base/timers.ts'
import type { Config } from '../../config/schema.ts'
import type { BanChange, BanOutcome, BanRequest, BanSet, BanSink } from '../../contract/bans.ts'
import type { CountedRefusals, FromWorker, MetricSample } from '../../contract/messages.ts'
import type { EdgePurged } from '../../contract/replication.ts'
import type { Position } from '../../contract/store.ts'
import type { EdgePlane } from '../../replication/edge-plane.ts'
import type { SqliteStore } from '../../store/sqlite-store.ts'
import type { Follower, Step } from '../followers.ts'
import type { Log } from '../log.ts'
import { levelOf } from '../replication/node-edges.ts'
import type { StoreLink } from '../replication/store-link.ts'
import type { WorkerPool } from '../workers/worker-pool.ts'
import type { WorkerProcess } from '../workers/worker-process.ts'
import { BanBook } from './ban-book.ts'
import { banControl } from './ban-control.ts'
import { BanTelling } from './ban-telling.ts'
import { banTerms } from './ban-terms.ts'
import { BanWriter } from './ban-writer.ts'
import { NeverBanned } from './never-banned.ts'
import { RefusalCounts } from './refusal-counts.ts'
import { SeldomLines } from './seldom-lines.ts'
import { type PassedBan, WaitingBans } from './waiting-bans.ts'
import type { ToldWorker } from '../workers/told-worker.ts'

export interface NodeBanningParts {
  /** As it was when the program started. */
  readonly config: Config
  readonly store: SqliteStore
  readonly link: StoreLink
  /** Undefined: this node is an edge. */
  readonly plane: EdgePlane | undefined
  readonly clock: Clock
  readonly log: Log
  /** The data directory. */
  readonly directory: string
  readonly pool: () => WorkerPool
  /** The program that this one has taken over from: somebody may still be in at its workers. */
  readonly before?: { readonly keeper: ToldWorker } | undefined
  /** More holds in all workers than was told last. */
  readonly onApplied: () => void
  readonly assertTakesChanges: () => void
}

/** Of one unit, on one node. */
const PACE: Pace = { most: 50, everyMs: 100 }
/** Units whose pace is known. */
const UNITS_MAX = 10_000
const CLEAN_EVERY_MS = 10_000
const RESOLVE_EVERY_MS = 60_000

export class NodeBanning implements Follower {
  readonly control: ReturnType<typeof banControl>
  readonly #parts: NodeBanningParts
  readonly #never: NeverBanned
  readonly #book: BanBook
  readonly #telling: BanTelling
  readonly #writer: BanWriter
  readonly #waiting: WaitingBans
  readonly #refusals = new RefusalCounts()
  readonly #lines: SeldomLines
  readonly #budgets = new Map<string, PaceBudget>()
  /** Bans that were asked for here, by who asked. */
  readonly #made = new Map([
    ['limit', 0],
    ['unit', 0],
  ])
  #config: Config
  /** All workers are past it. */
  #applied: Position
  /** Somebody was told of less than what caches are past. */
  #isHeld = false
  #callOffs: (() => void)[] = []

  constructor(parts: NodeBanningParts) {
    this.#parts = parts
    const { config, store, link, plane, clock, log, pool, before } = parts
    this.#config = config
    this.#lines = new SeldomLines(clock)
    const timers = systemTimers
    const never = (this.#never = new NeverBanned({
      ...parts,
      timers,
      onChange: () => {
        this.#telling.neverChanged()
        this.#book.reviewAll()
      },
    }))
    const book = (this.#book = new BanBook({
      store,
      clock,
      timers,
      log,
      never,
      clockOffMs: link.clockOffMs,
      onChange: (change) => this.#telling?.changed(change),
    }))
    this.#applied = book.position
    const predecessors = before === undefined ? [] : [before.keeper]
    const workers = () => [...pool().all(), ...predecessors]
    this.#telling = new BanTelling({ clock, timers, workers, set: () => book.set })
    const writer = (this.#writer = new BanWriter({
      store,
      writer: link.writer,
      clock,
      book,
      bansMax: () => this.#config.bans.max,
    }))
    const { askControl } = link
    const order = (bans: readonly PassedBan[]): Promise<readonly BanOutcome[]> => this.control.order(bans)
    const waiting = (this.#waiting = new WaitingBans({
      ...parts,
      timers,
      random: Math.random,
      book,
      async pass(bans) {
        if (askControl === undefined) return order(bans)
        const { outcomes } = (await askControl('/v1/edges/bans', { bans })) as { outcomes: BanOutcome[] }
        return outcomes
      },
    }))
    this.control = banControl({
      ...parts,
      nodeName: config.node.name ?? '',
      book,
      never,
      writer,
      waiting,
      follows: link.follows,
      level: (options) => levelOf(options, (plane?.edges().length ?? 0) > 0),
      workers: () => ({ workers: pool().ready().length, of: pool().size }),
      told: () => this.#telling.told(),
    })
  }

  /** For a worker that starts. */
  get set(): BanSet {
    return this.#book.set
  }

  /** From now on it enforces what stands, too. */
  enforceBy(sink: BanSink): void {
    this.#telling.enforceBy(sink)
  }

  /** The program that has taken over keeps more of them out, or less: our workers do the same until they end. */
  relay(change: BanChange): Promise<void> {
    return this.#telling.relay(change)
  }

  /** Somebody has controlled this node, with a valid token. */
  readonly called = (address: string): void => this.#never.called(address)

  /** The store has moved, by whomever. */
  advanced(): void {
    const book = this.#book
    book.advanced()
    if (book.hasClockMoved) book.reviewAll()
    const { position } = book
    if (position.id === this.#applied.id && position.log === this.#applied.log) return
    void this.#telling.told().then(() => {
      this.#applied = position
      if (!this.#isHeld) return
      this.#isHeld = false
      this.#parts.onApplied()
    })
  }

  /** How far this node is, of what holds for caches and at the door together. */
  behind(purged: EdgePurged): EdgePurged {
    const { log, id } = this.#applied
    if (log !== purged.log || id >= purged.id) return purged
    this.#isHeld = true
    return { ...purged, id }
  }

  start(): void {
    const { link } = this.#parts
    this.#never.start()
    this.#waiting.start()
    void this.#resolveControls()
    this.#callOffs.push(every(systemTimers, RESOLVE_EVERY_MS, () => void this.#resolveControls()))
    if (link.follows === undefined)
      this.#callOffs.push(every(systemTimers, CLEAN_EVERY_MS, () => void this.#clean()))
  }

  stop(): void {
    for (const callOff of this.#callOffs.splice(0)) callOff()
    this.#never.stop()
    this.#waiting.stop()
  }

  /** The program ends. */
  end(): void {
    this.stop()
    this.#book.stop()
  }

  follow(config: Config): Step {
    return {
      use: () => {
        this.#config = config
        this.#never.use(config)
      },
    }
  }

  /** What a worker says of bans. */
  hear(worker: WorkerProcess, message: Extract<FromWorker, { kind: 'ban' | 'refusals' }>): void {
    if (message.kind === 'refusals') {
      for (const refusals of message.refusals) this.#countRefusals(refusals)
      return
    }
    const { id, ban } = message
    void this.ask(ban).then((outcome) => worker.send({ kind: 'banDone', id, outcome }))
  }

  /** A unit or a limit of this node asks: it stands here when this resolves, and goes into the log. Never rejects. */
  async ask(request: BanRequest): Promise<BanOutcome> {
    const { clock } = this.#parts
    try {
      this.#parts.assertTakesChanges()
      const { by, sites } = request
      if (by.startsWith('unit ')) this.#assertMayBan(by.slice('unit '.length), sites)
      if (!this.#mayAsk(by))
        throw new EdgeError('ban-limit', `more than ${1000 / PACE.everyMs} bans of ${by} a second`)
      const { prefix, forMs, reason } = banTerms(request, this.#never, false)
      const name = formatPrefix(prefix)
      // Who asks for less than there is already takes nothing from it.
      const longer = this.#book.lasting(name, forMs)
      if (longer !== undefined) {
        await this.#telling.told()
        return { prefix: name, until: longer.until }
      }
      const at = clock.now()
      const record = { until: at + forMs, at, reason, by, node: this.#config.node.name ?? '' }
      if (this.#book.standingCount >= this.#config.bans.max && !this.#book.isLogged(name))
        throw new EdgeError(
          'ban-limit',
          `there are ${this.#config.bans.max} bans (\`bans.max\`): ${name} is not one of them`,
        )
      this.#waiting.add(name, record, forMs)
      await this.#telling.told()
      this.#count(by)
      return { prefix: name, until: record.until }
    } catch (error) {
      if (error instanceof EdgeError) return { code: error.code, message: error.message }
      return { code: 'internal', message: (error as Error).message }
    }
  }

  /** A ban is of whole nodes, whatever a unit is for. */
  #assertMayBan(unit: string, sites: readonly string[] | undefined): void {
    const { units } = this.#config.bans
    if (units === 'none')
      throw new EdgeError('ban-refused', `no unit bans on this node: \`bans.units\` is "none"`)
    if (units === 'unlimited' && sites !== undefined)
      throw new EdgeError(
        'ban-refused',
        `${unit} was deployed with a token that is limited to ${sites.join(', ')}, and a ban is of whole nodes: it bans where \`bans.units\` is "all"`,
      )
  }

  samples(): MetricSample[] {
    return [
      { name: 'orla_bans', labels: {}, value: this.#book.standingCount },
      { name: 'orla_bans_waiting', labels: {}, value: this.#book.waitingCount },
      ...Array.from(this.#made, ([by, value]) => ({ name: 'orla_bans_asked_total', labels: { by }, value })),
    ]
  }

  #countRefusals(refusals: CountedRefusals): void {
    const { clock, log } = this.#parts
    if (!this.#refusals.add(refusals, clock.monotonic())) return
    const { prefix, limit, after, forMs } = refusals
    // A limit of a unit's own.
    if (this.#config.bans.units === 'none' && limit.startsWith('unit ')) return
    const reason = `refused ${after} times within ${refusals.withinMs / 1000} s`
    void this.ask({ prefix, forMs, reason, by: `limit ${limit}` }).then((outcome) => {
      const rest = 'code' in outcome ? this.#lines.due(`${limit} ${outcome.code}`) : undefined
      if ('code' in outcome && rest !== undefined)
        log.warn(`the limit ${limit} does not ban ${prefix}: ${outcome.message}${rest}`)
    })
  }

  #count(by: string): void {
    const kind = by.startsWith('limit ') ? 'limit' : 'unit'
    this.#made.set(kind, this.#made.get(kind)! + 1)
  }

  /** Units have a pace; limits have theirs in how they are set. */
  #mayAsk(by: string): boolean {
    if (!by.startsWith('unit ')) return true
    const now = this.#parts.clock.monotonic()
    let budget = this.#budgets.get(by)
    if (budget === undefined) {
      if (this.#budgets.size >= UNITS_MAX) this.#budgets.delete(this.#budgets.keys().next().value!)
      this.#budgets.set(by, (budget = new PaceBudget(now, PACE)))
    }
    return budget.take(now, PACE)
  }

  async #clean(): Promise<void> {
    try {
      await this.#writer.clean()
    } catch (error) {
      // They have ended anyway; the next time comes soon.
      if (!(error instanceof EdgeError)) throw error
    }
  }

  async #resolveControls(): Promise<void> {
    const { store } = this.#config
    if (store.kind !== 'replica') return
    const found = await Promise.allSettled(
      store.control.map((url) => lookup(new URL(url).hostname.replace(/^\[|\]$/g, ''), { all: true })),
    )
    const addresses = found.flatMap((one) =>
      one.status === 'fulfilled' ? one.value.map(({ address }) => address) : [],
    )
    // Whoever cannot be looked up now has not moved.
    if (addresses.length > 0) this.#never.useControls(addresses)
  }
}
