/**
 * The side of a control plane that edges meet: feeds them, knows them, and says when a publish has come as far as was asked for.
 */
import type { HistogramCounts } from '../base/histogram.ts'
import type { Clock } from '../base/clock.ts'
import type { Timers } from '../base/timers.ts'
import type { DnsEdgeState } from '../contract/dns.ts'
import type { EdgeHello, EdgeReport, FeedSource } from '../contract/replication.ts'
import { UNITS_LOG } from '../contract/shared-log.ts'
import type { Position } from '../contract/store.ts'
import { EdgeFeed, type EdgeFeedOptions } from './edge-feed.ts'
import { EdgeFile } from './edge-file.ts'
import { EdgeRegistry, type EdgeCaller, type KnownEdge, type LiveTimes } from './edge-registry.ts'
import { reached, rejectingBefore, type EdgeLevel, type Reached } from './publication.ts'

export interface EdgePlaneOptions {
  readonly clock: Clock
  readonly timers: Timers
  /** The data directory. */
  readonly directory: string
  readonly sources: readonly FeedSource[]
  readonly welcome: EdgeFeedOptions['welcome']
  /** This node itself, as an edge among the others. */
  readonly self?: (() => DnsEdgeState) | undefined
  readonly warn: (line: string) => void
}

export class EdgePlane {
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #feed: EdgeFeed
  readonly #registry: EdgeRegistry
  readonly #file: EdgeFile
  readonly #units: FeedSource
  readonly #self: (() => DnsEdgeState) | undefined
  readonly #waiters = new Set<() => void>()
  #seen: Position
  #isWaking = false

  constructor({ clock, timers, directory, sources, welcome, self, warn }: EdgePlaneOptions) {
    this.#clock = clock
    this.#self = self
    this.#timers = timers
    this.#feed = new EdgeFeed({
      sources,
      timers,
      welcome,
      edges: () => this.states(),
      now: () => clock.now(),
    })
    this.#file = new EdgeFile(directory, timers, warn)
    this.#units = sources.find(({ log }) => log === UNITS_LOG)!
    this.#seen = this.#units.position()
    this.#registry = new EdgeRegistry({
      clock,
      records: this.#file.read(),
      onChange: () => this.#file.write(() => this.#registry.records()),
      onMoved: () => this.#wake(),
    })
  }

  /** Thousands may say at once that they run what was published: whoever waits looks once for all of them. */
  #wake(): void {
    if (this.#isWaking || this.#waiters.size === 0) return
    this.#isWaking = true
    setImmediate(() => {
      this.#isWaking = false
      for (const wake of this.#waiters) wake()
    })
  }

  /** A log has moved. */
  advanced(): void {
    const now = this.#units.position()
    if (now.log === this.#seen.log && now.id > this.#seen.id) this.#registry.committed(this.#seen.id, now.id)
    this.#seen = now
    this.#feed.advanced()
  }

  /** What an edge is told from here on. `isAllowed` is asked again and again. */
  follow(hello: EdgeHello, caller: EdgeCaller, isAllowed: () => boolean): ReadableStream<Uint8Array> {
    const connection = this.#registry.connect(hello, caller)
    try {
      const mayGoOn = () => isAllowed() && connection.isCurrent()
      return this.#feed.follow(hello, mayGoOn, connection.end)
    } catch (error) {
      connection.end()
      throw error
    }
  }

  report(report: EdgeReport, caller?: EdgeCaller): void {
    const { log, id } = this.#units.position()
    // Nobody has what is not there: who says so has it up to the end at most.
    const within = <T extends { readonly log: string; readonly id: number }>(place: T): T =>
      place.log === log && place.id > id ? { ...place, id } : place
    const { live, rejected, purged } = report
    const checked = {
      ...report,
      live: within(live),
      rejected: rejected && within(rejected),
      purged: purged && within(purged),
    }
    this.#registry.report(checked, caller)
  }

  /** How all edges do, this node among them: for whoever sends clients to them. */
  states(): readonly DnsEdgeState[] {
    return [...(this.#self ? [this.#self()] : []), ...this.#registry.list().map(stateOf)]
  }

  edges(): readonly KnownEdge[] {
    return this.#registry.list()
  }

  /** From the append to live, of all edges and entries, in seconds. */
  get liveTimes(): HistogramCounts {
    return this.#registry.liveTimes
  }

  liveMs(name: string): LiveTimes | undefined {
    return this.#registry.liveMs(name)
  }

  /** It is not waited for any more, and nothing is kept for it. It may come again. */
  forget(name: string): KnownEdge {
    return this.#registry.forget(name)
  }

  /** What all edges that are known have on their disks; undefined where there are none. */
  neededFrom(): number | undefined {
    return this.#registry.neededFrom(this.#units.position().log)
  }

  /** Resolves when the level is reached, an edge rejects it, or the time is up; then with what is missing. */
  wait(level: EdgeLevel, position: Position, timeoutMs: number): Promise<Reached> {
    return this.#wait(level, position, timeoutMs, () => this.#registry.list())
  }

  /** The same for a purge: whatever else an edge runs or rejects, its caches are past that position. */
  waitPurged(level: EdgeLevel, position: Position, timeoutMs: number): Promise<Reached> {
    return this.#wait(level, position, timeoutMs, () => this.#registry.list().map(asPurged))
  }

  async #wait(
    level: EdgeLevel,
    position: Position,
    timeoutMs: number,
    edges: () => readonly KnownEdge[],
  ): Promise<Reached> {
    const deadline = this.#clock.monotonic() + timeoutMs
    const rejecting = rejectingBefore(edges(), position)
    for (;;) {
      const found = reached(level, position, edges(), this.#clock.now(), rejecting)
      const leftMs = deadline - this.#clock.monotonic()
      if (found.kind !== 'not-yet' || leftMs <= 0) return found
      await new Promise<void>((resolve) => {
        const wake = () => {
          callOff()
          this.#waiters.delete(wake)
          resolve()
        }
        const callOff = this.#timers.later(leftMs, wake)
        this.#waiters.add(wake)
      })
    }
  }

  close(): void {
    this.#feed.close()
    this.#file.close(this.#registry.records())
  }
}

const stateOf = ({ name, groups, presence, lastSeen, load }: KnownEdge): DnsEdgeState => ({
  name,
  groups,
  isConnected: presence === 'connected',
  seenAt: lastSeen,
  load,
  isDraining: presence === 'stopped',
})

/** Where its caches are, as if that were what it runs. */
export const asPurged = (edge: KnownEdge): KnownEdge => ({
  ...edge,
  live: edge.purged ? { ...edge.purged, hash: '' } : edge.live,
  rejected: undefined,
})
