/**
 * Tells all workers, and the packet plane, what stands: changes of one moment go in one message, so that a hundred bans a second are twenty messages.
 *
 * A worker that starts is given all of it; what it hears twice changes nothing.
 */
import type { Clock } from '../../base/clock.ts'
import type { Timers } from '../../base/timers.ts'
import type { BanChange, BanSet, BanSink } from '../../contract/bans.ts'
import type { FromWorker } from '../../contract/messages.ts'
import type { ToldWorker } from '../workers/told-worker.ts'

export interface BanTellingParts {
  readonly clock: Clock
  readonly timers: Timers
  /** Every process there is, ready or not. */
  readonly workers: () => readonly ToldWorker[]
  readonly set: () => BanSet
}

/** Between two messages. */
const PACE_MS = 50
/** A worker that does not answer for so long is ended by the pulse. */
const WORKER_MAX_MS = 60_000
/** One that starts lets nobody in yet. */
const STARTING_MAX_MS = 1_000

export class BanTelling {
  readonly #parts: BanTellingParts
  /** By prefix: whether it stands. */
  #changed = new Map<string, boolean>()
  #isNeverChanged = false
  #sink: BanSink | undefined
  #id = 0
  #lastMs = Number.NEGATIVE_INFINITY
  #next: Promise<void> | undefined
  #told: Promise<void> = Promise.resolve()

  constructor(parts: BanTellingParts) {
    this.#parts = parts
  }

  /** From now on it enforces them, too. */
  enforceBy(sink: BanSink): void {
    this.#sink = sink
    sink.replace(this.#parts.set())
  }

  changed({ added, removed }: BanChange): void {
    for (const prefix of removed) this.#changed.set(prefix, false)
    for (const prefix of added) this.#changed.set(prefix, true)
    this.#soon()
  }

  neverChanged(): void {
    this.#isNeverChanged = true
    this.#soon()
  }

  /** Tells all workers of a change that another program made, which enforces it with workers of its own. Resolves when they have it. */
  async relay(change: BanChange): Promise<void> {
    await Promise.allSettled(this.#askAll(change))
  }

  /** Resolves when every worker has what was changed until now. */
  async told(): Promise<void> {
    await this.#next
    await this.#told
  }

  #soon(): void {
    if (this.#next !== undefined) return
    const { clock, timers } = this.#parts
    const waitMs = Math.max(0, this.#lastMs + PACE_MS - clock.monotonic())
    this.#next = new Promise((resolve) => {
      const tell = () => {
        this.#next = undefined
        this.#lastMs = clock.monotonic()
        this.#tell()
        resolve()
      }
      if (waitMs === 0) queueMicrotask(tell)
      else timers.later(waitMs, tell)
    })
  }

  #tell(): void {
    const { set } = this.#parts
    const which = (isStanding: boolean) =>
      [...this.#changed].filter(([, stands]) => stands === isStanding).map(([prefix]) => prefix)
    const [added, removed] = [which(true), which(false)]
    const never = this.#isNeverChanged ? set().never : undefined
    this.#changed = new Map()
    this.#isNeverChanged = false
    this.#tellSink(added, removed, never !== undefined)
    const asked = this.#askAll({ added, removed, ...(never && { never }) })
    const before = this.#told
    // One that ends lets nobody in any more.
    this.#told = Promise.allSettled(asked).then(() => before)
  }

  #askAll(set: BanChange): Promise<unknown>[] {
    const id = ++this.#id
    const message = { kind: 'bans', id, set } as const
    const isAnswer = (heard: FromWorker): heard is Extract<FromWorker, { kind: 'bansUsed' }> =>
      heard.kind === 'bansUsed' && heard.id === id
    return this.#parts
      .workers()
      .map((worker) =>
        worker.ask(message, isAnswer, worker.phase === 'starting' ? STARTING_MAX_MS : WORKER_MAX_MS),
      )
  }

  #tellSink(added: readonly string[], removed: readonly string[], isReplaced: boolean): void {
    if (this.#sink === undefined) return
    if (isReplaced) return this.#sink.replace(this.#parts.set())
    if (removed.length > 0) this.#sink.remove(removed)
    if (added.length > 0) this.#sink.add(added)
  }
}
