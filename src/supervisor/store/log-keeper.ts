/**
 * Lets the log on this node's disk go of its oldest entries: `store.log.keep` of them stay whoever needs them, and up to
 * `store.log.keepForEdges` for edges that lag. The state stays whole, and an edge that lags further takes a snapshot.
 *
 * It is done in slices, between which the supervisor does its other work: what is written over on the way (`secure_delete`) takes time.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { EdgeError } from '../../base/errors.ts'
import { UNITS_LOG } from '../../contract/shared-log.ts'
import type { Position } from '../../contract/store.ts'
import type { Log } from '../log.ts'
import type { NodeSurroundings } from '../node-surroundings.ts'

/** What the keeper touches of a store. */
export interface RotatedStore {
  position(): Position
  base(): Position
  rotate(id: number): void
}

export interface LogKeeperParts {
  readonly store: RotatedStore
  readonly keep: number
  readonly keepForEdges: number
  /** What all known edges have on their disks; undefined where there are none. */
  readonly neededFrom: () => number | undefined
  /** What runs here may be older than the end of the log, and is read from it at a start. */
  readonly live: () => number
  /** The same of the engine that this is a replica of, where there is one: edges are fed from here, so it needs no more. */
  readonly trimEngine?: ((id: number) => Promise<void>) | undefined
  readonly monotonic: () => number
  readonly log: Log
  readonly everyMs?: number
}

const EVERY_MS = 60_000
/** How long one slice may take, about. */
const SLICE_MS = 8
const SLICE_MIN = 8

export class LogKeeper {
  readonly #parts: LogKeeperParts
  #timer: NodeJS.Timeout | undefined
  #isStopped = true
  #rotating: Promise<void> | undefined
  /** What the engine was told last. */
  #trimmed = 0
  /** Entries of a slice: as many as took the time. */
  #slice = 64

  constructor(parts: LogKeeperParts) {
    this.#parts = parts
  }

  /** Also after `stop`. */
  start(): void {
    this.#isStopped = false
    const look = () => void this.rotate()
    this.#timer = setInterval(look, this.#parts.everyMs ?? EVERY_MS).unref()
    look()
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
  }

  /** Up to which id the log may let go now. */
  target(): number {
    const { store, keep, keepForEdges, neededFrom, live } = this.#parts
    const end = store.position().id
    const needed = Math.max(neededFrom() ?? end, end - keepForEdges)
    return Math.min(end - keep, needed, live())
  }

  /** Resolves when nothing is left to let go. One at a time. */
  rotate(): Promise<void> {
    this.#rotating ??= this.#run()
      .catch((error: Error) => this.#parts.log.warn(`the log lets go of nothing: ${error.message}`))
      .finally(() => (this.#rotating = undefined))
    return this.#rotating
  }

  async #run(): Promise<void> {
    const { store, monotonic } = this.#parts
    const target = this.target()
    for (;;) {
      const from = store.base().id
      if (this.#isStopped) return
      if (from >= target) return this.#trimEngine(from)
      const start = monotonic()
      store.rotate(Math.min(from + this.#slice, target))
      const tookMs = monotonic() - start
      this.#slice = Math.max(SLICE_MIN, Math.floor(this.#slice * (tookMs > SLICE_MS ? 0.5 : 1.25)))
      await nextTurn()
    }
  }

  async #trimEngine(id: number): Promise<void> {
    const { trimEngine } = this.#parts
    if (!trimEngine || id <= this.#trimmed) return
    try {
      await trimEngine(id)
      this.#trimmed = id
    } catch (error) {
      // Whoever follows it says so already; it is told again later.
      if (!(error instanceof EdgeError) || error.code !== 'store-unavailable') throw error
    }
  }
}

/** Of a node: `live` is the position that it runs. */
export const nodeLogKeeper = (around: NodeSurroundings, live: () => number): LogKeeper => {
  const { config, link, plane, clock } = around
  return new LogKeeper({
    ...around,
    ...config.store.log,
    neededFrom: () => plane?.neededFrom(),
    trimEngine: link.engine && ((id) => link.engine!.log(UNITS_LOG).trim(id)),
    live,
    monotonic: () => clock.monotonic(),
  })
}
