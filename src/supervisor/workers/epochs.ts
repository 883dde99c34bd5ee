/**
 * Changes the set of live units on all workers at one moment.
 *
 *     prepare → every worker compiles the new set beside the old one, and says `prepared`
 *     flip    → one store to the shared word, which each worker reads at the start of each request
 *
 * Without the two phases a client would see an older version after a newer one, as its requests meet different workers
 * (measured: in 60 of 60 publishes; with them in 0 of 560). A worker that dies while it prepares counts as not there:
 * its replacement starts with whatever is live by then. One that does not answer holds up the change; it is the pulse
 * (`pulse.ts`) that ends a worker which answers nothing at all.
 */
import type { AbridgedSet, FromWorker, ToWorker, UnitSet } from '../../contract/messages.ts'
import { abridge } from '../../unit/abridged-set.ts'
import { WorkerGone, type WorkerProcess } from './worker-process.ts'

/** Index of the word that holds the epoch. */
export const EPOCH_WORD = 0

/** Longer than the pulse takes to end a worker that hangs, so this is never what ends the wait. */
const PREPARE_MAX_MS = 120_000

export type FlipOutcome =
  | { readonly kind: 'live'; readonly workers: number }
  /** A worker cannot run the set: the one before stays. */
  | { readonly kind: 'refused'; readonly problems: readonly string[] }

/** A worker, as far as a flip needs it. */
export type FlippingWorker = Pick<WorkerProcess, 'index' | 'pid' | 'ask' | 'kill'>

export interface FlippingPool {
  ready(): readonly FlippingWorker[]
  broadcast(message: ToWorker): void
}

type Prepared = Extract<FromWorker, { kind: 'prepared' }>

export class Epochs {
  readonly #words: Int32Array
  readonly #pool: FlippingPool
  #live: UnitSet
  readonly #onPrepared: (next: UnitSet) => void
  readonly #onFlip: (live: UnitSet) => void
  readonly #waitingFor = new Set<FlippingWorker>()

  /** `onPrepared` is told what all workers are ready to run, before the first request runs with it; `onFlip` what is live from then on. */
  constructor(
    words: Int32Array,
    pool: FlippingPool,
    live: UnitSet,
    onFlip: (live: UnitSet) => void = () => {},
    onPrepared: (next: UnitSet) => void = () => {},
  ) {
    this.#onPrepared = onPrepared
    this.#onFlip = onFlip
    this.#words = words
    this.#pool = pool
    this.#live = live
    Atomics.store(words, EPOCH_WORD, live.epoch)
  }

  /** The set that requests which start now run with. */
  get live(): UnitSet {
    return this.#live
  }

  /** The workers that a flip in progress waits for. */
  get waitingFor(): readonly FlippingWorker[] {
    return [...this.#waitingFor]
  }

  /** To be called in its turn: two flips at once would mix. */
  async flip(set: UnitSet): Promise<FlipOutcome> {
    // A worker that is ready runs the set that is live: it started with it, or prepared it.
    const units = abridge(set, this.#live)
    const answers = await Promise.all(this.#pool.ready().map((worker) => this.#prepare(worker, units)))
    const prepared = answers.filter((answer) => answer !== undefined)
    const problems = [...new Set(prepared.flatMap((answer) => answer.problems))]
    if (problems.length > 0) {
      this.#pool.broadcast({ kind: 'abort', epoch: set.epoch })
      return { kind: 'refused', problems }
    }
    this.#onPrepared(set)
    Atomics.store(this.#words, EPOCH_WORD, set.epoch)
    this.#live = set
    this.#pool.broadcast({ kind: 'committed', epoch: set.epoch })
    this.#onFlip(set)
    return { kind: 'live', workers: prepared.length }
  }

  async #prepare(worker: FlippingWorker, units: AbridgedSet): Promise<Prepared | undefined> {
    this.#waitingFor.add(worker)
    try {
      return await worker.ask(
        { kind: 'prepare', units },
        (heard): heard is Prepared => heard.kind === 'prepared' && heard.epoch === units.epoch,
        PREPARE_MAX_MS,
      )
    } catch (error) {
      if (error instanceof WorkerGone) return undefined
      worker.kill()
      return undefined
    } finally {
      this.#waitingFor.delete(worker)
    }
  }
}
