/**
 * The edges that a control plane knows: where each stands, whether it is there, how soon it runs what is published.
 *
 * An edge is known from its first connect until it is forgotten by hand; while it is away it counts as one that lags, but where it left in
 * order. What is known outlives a restart (`edges.json`), so a publish right after it waits for all edges, and the log keeps what they need.
 */
import { EdgeError } from '../base/errors.ts'
import { Histogram, type HistogramCounts } from '../base/histogram.ts'
import type { Clock } from '../base/clock.ts'
import {
  REPLICATION_PROTOCOL,
  type EdgeHello,
  type EdgePurged,
  type EdgeReport,
} from '../contract/replication.ts'
import type { RolloutSample } from '../contract/rollout.ts'
import { samePosition, type Position } from '../contract/store.ts'
import { Percentiles } from './percentiles.ts'

export type EdgePresence = 'connected' | 'away' | 'stopped'

/** What outlives a restart. */
export interface EdgeRecord {
  readonly name: string
  readonly instance: string
  readonly groups: readonly string[]
  readonly addresses: readonly string[]
  readonly version: string
  /** The name of the token that it came with. */
  readonly token: string
  readonly since: number
  readonly lastSeen: number
  readonly hasLeft: boolean
  readonly stored: Position
  readonly live: Position
}

export interface KnownEdge extends EdgeRecord {
  readonly presence: EdgePresence
  readonly epoch: number
  readonly enabled: boolean
  readonly workers: EdgeReport['workers']
  readonly rejected: EdgeReport['rejected']
  readonly rollouts: readonly RolloutSample[]
  readonly purged: EdgePurged | undefined
  readonly load: number | undefined
}

export interface LiveTimes {
  readonly count: number
  readonly p50: number
  readonly p99: number
}

interface Known {
  record: EdgeRecord
  connection: object | undefined
  /** It was heard of without a connection to here: it follows another control plane on the same engine. */
  isElsewhere: boolean
  seenMs: number
  report: EdgeReport | undefined
  readonly liveMs: Percentiles
}

/** Who brings an edge. */
export interface EdgeCaller {
  /** The name of the token. */
  readonly token: string
  readonly isAdmin: boolean
}

export interface EdgeRegistryOptions {
  readonly clock: Clock
  readonly records: readonly EdgeRecord[]
  /** Something changed that has to outlive a restart. */
  readonly onChange: () => void
  /** An edge is somewhere else than before, or came, or went. */
  readonly onMoved: () => void
}

/** An edge that was not heard of for so long is not there, whatever its connection says. */
const SILENT_MS = 40_000
/** Upper bounds of the time from the append to live on an edge, in seconds. */
const LIVE_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
/** Whoever has the token of one edge may make up names. */
const EDGES_MAX = 20_000
/** Publishes whose time is remembered. */
const COMMITS_MAX = 4096

export class EdgeRegistry {
  readonly #options: EdgeRegistryOptions
  readonly #edges = new Map<string, Known>()
  readonly #liveTimes = new Histogram(LIVE_BOUNDS)
  /** When an id was appended, on the monotonic clock. */
  readonly #committedMs = new Map<number, number>()

  constructor(options: EdgeRegistryOptions) {
    this.#options = options
    for (const record of options.records) this.#edges.set(record.name, this.#known(record))
  }

  #known(record: EdgeRecord): Known {
    return {
      record,
      connection: undefined,
      isElsewhere: false,
      seenMs: 0,
      report: undefined,
      liveMs: new Percentiles(),
    }
  }

  /**
   * An edge connects. Throws `edge-conflict` where another one with that name is here, or has the name and came with another token. What is returned says whether this connection is still
   * the edge's, and is to be told when it is over.
   */
  connect(
    hello: EdgeHello,
    { token, isAdmin }: EdgeCaller,
  ): { readonly isCurrent: () => boolean; readonly end: () => void } {
    const { clock, onChange, onMoved } = this.#options
    const before = this.#edges.get(hello.name)
    const isOther = before !== undefined && before.record.instance !== hello.instance
    if (before && isOther && this.#isHere(before)) {
      throw new EdgeError(
        'edge-conflict',
        `another edge called ${hello.name} is connected, from another data directory`,
      )
    }
    if (before && isOther && before.record.token !== token && !isAdmin) {
      throw new EdgeError(
        'edge-conflict',
        `the edge ${hello.name} came with another token, from another data directory`,
      )
    }
    if (!before && this.#edges.size >= EDGES_MAX)
      throw new EdgeError('edge-conflict', `${EDGES_MAX} edges are known already`, {
        hint: 'forget some: `orla edges remove NAME`',
      })
    const { name, instance, groups, addresses, version, positions } = hello
    const isSame = before?.record.instance === instance
    const stored = positions['units'] ?? { log: '', id: 0, hash: '' }
    const record: EdgeRecord = {
      name,
      instance,
      groups,
      addresses,
      version,
      token,
      since: isSame ? before.record.since : clock.now(),
      lastSeen: clock.now(),
      hasLeft: false,
      stored,
      live: isSame ? before.record.live : { ...stored, id: 0 },
    }
    const known = isSame ? before : this.#known(record)
    const connection = {}
    known.record = record
    known.connection = connection
    known.isElsewhere = false
    known.seenMs = clock.monotonic()
    this.#edges.set(name, known)
    onChange()
    onMoved()
    return {
      isCurrent: () =>
        this.#edges.get(name) === known && known.connection === connection && this.#isHere(known),
      end: () => {
        if (known.connection !== connection) return
        known.connection = undefined
        known.isElsewhere = false
        known.record = { ...known.record, lastSeen: clock.now() }
        onChange()
        onMoved()
      },
    }
  }

  /**
   * What an edge says that follows this control plane, or another one on the same engine. Throws `edge-unknown` for one that is not known and does
   * not say who it is, and what `connect` throws.
   */
  report(report: EdgeReport, caller?: EdgeCaller): void {
    const { clock, onChange, onMoved } = this.#options
    const known = this.#heardOf(report, caller)
    const wasHere = this.#isHere(known)
    const { live, stored, isLeaving = false } = report
    known.seenMs = clock.monotonic()
    this.#noteLive(known, live)
    const isMoved =
      isLeaving ||
      !wasHere ||
      known.report?.rejected?.id !== report.rejected?.id ||
      known.report?.purged?.id !== report.purged?.id ||
      !samePosition(known.record.live, live)
    known.report = report
    known.record = { ...known.record, live, stored, lastSeen: clock.now(), hasLeft: isLeaving }
    if (isLeaving) known.connection = undefined
    known.isElsewhere = !isLeaving && known.connection === undefined
    if (isMoved) onChange()
    if (isMoved) onMoved()
  }

  #heardOf({ name, instance, about, stored }: EdgeReport, caller: EdgeCaller | undefined): Known {
    const known = this.#edges.get(name)
    if (known?.record.instance === instance) return known
    if (!about || !caller)
      throw new EdgeError('edge-unknown', `no edge ${name} of this instance is known here`)
    // It may have the name under the same conditions as one that connects.
    const hello = { protocol: REPLICATION_PROTOCOL, name, instance, ...about, positions: { units: stored } }
    this.connect(hello, caller).end()
    return this.#edges.get(name)!
  }

  #noteLive(known: Known, live: Position): void {
    const { log, id } = known.record.live
    if (log !== live.log) return
    const now = this.#options.clock.monotonic()
    for (let at = live.id; at > id; at--) {
      const committed = this.#committedMs.get(at)
      // Before the oldest one that is remembered is none.
      if (committed === undefined) break
      known.liveMs.add(now - committed)
      this.#liveTimes.observe((now - committed) / 1000)
    }
  }

  /** The log was appended to, up to this id. */
  committed(from: number, to: number): void {
    const now = this.#options.clock.monotonic()
    for (let id = from + 1; id <= to; id++) this.#committedMs.set(id, now)
    for (const id of this.#committedMs.keys()) {
      if (this.#committedMs.size <= COMMITS_MAX) break
      this.#committedMs.delete(id)
    }
  }

  forget(name: string): KnownEdge {
    const known = this.#edges.get(name)
    if (!known) throw new EdgeError('edge-unknown', `there is no edge ${name.slice(0, 80)}`)
    this.#edges.delete(name)
    this.#options.onChange()
    this.#options.onMoved()
    return this.#describe(known)
  }

  list(): readonly KnownEdge[] {
    return [...this.#edges.values()].map((known) => this.#describe(known))
  }

  /** From the append to live on all its workers, in milliseconds, of the last publishes. */
  liveMs(name: string): LiveTimes | undefined {
    const times = this.#edges.get(name)?.liveMs
    if (!times || times.count === 0) return undefined
    return { count: times.count, p50: round(times.at(0.5)), p99: round(times.at(0.99)) }
  }

  /** Of all edges and entries, in seconds. */
  get liveTimes(): HistogramCounts {
    return this.#liveTimes.value
  }

  records(): readonly EdgeRecord[] {
    return [...this.#edges.values()].map(({ record }) => record)
  }

  /** The lowest id that a known edge has on its disk: what comes after it is still needed. Undefined: nobody needs anything. */
  neededFrom(log: string): number | undefined {
    const ids = this.records().flatMap(({ stored }) => (stored.log === log ? [stored.id] : []))
    return ids.length === 0 ? undefined : Math.min(...ids)
  }

  #isHere({ connection, isElsewhere, seenMs }: Known): boolean {
    return (connection !== undefined || isElsewhere) && this.#options.clock.monotonic() - seenMs < SILENT_MS
  }

  #describe(known: Known): KnownEdge {
    const { record, report } = known
    const presence = this.#isHere(known) ? 'connected' : record.hasLeft ? 'stopped' : 'away'
    return {
      ...record,
      presence,
      epoch: report?.epoch ?? 0,
      enabled: report?.enabled ?? true,
      workers: report?.workers ?? { live: 0, of: 0 },
      rejected: report?.rejected,
      rollouts: report?.rollouts ?? [],
      purged: report?.purged,
      load: report?.load,
    }
  }
}

const round = (ms: number): number => Math.round(ms * 10) / 10
