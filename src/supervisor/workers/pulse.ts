/**
 * Asks every worker for its metrics every few seconds: so that little is lost when one dies, and one that answers
 * nothing at all is found and ended. Such a worker serves nobody, and would hold up every change of units.
 */
import { within } from '../../base/within.ts'
import type { FromWorker } from '../../contract/messages.ts'
import type { MetricSums } from '../metrics/metric-sums.ts'
import type { Log } from '../log.ts'
import type { WorkerPool } from './worker-pool.ts'
import { WorkerSilent, type WorkerProcess } from './worker-process.ts'

const EVERY_MS = 5_000
/** Far beyond the longest pause of a healthy worker, on a machine with work for ten. */
export const SILENCE_MAX_MS = 30_000

type Metrics = Extract<FromWorker, { kind: 'metrics' }>

export class Pulse {
  readonly #pool: WorkerPool
  readonly #sums: MetricSums
  readonly #log: Log
  readonly #silenceMaxMs: number
  /** Questions under way, one a worker: a slow one is not asked again and again. */
  readonly #asked = new Map<WorkerProcess, Promise<void>>()
  #id = 0
  #timer: NodeJS.Timeout | undefined

  constructor(pool: WorkerPool, sums: MetricSums, log: Log, silenceMaxMs = SILENCE_MAX_MS) {
    this.#silenceMaxMs = silenceMaxMs
    this.#pool = pool
    this.#sums = sums
    this.#log = log
  }

  start(): void {
    this.#timer = setInterval(() => void this.take(), EVERY_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Asks all, and waits for the answers at most that long: what comes later is there for the next who asks. */
  async take(withinMs = this.#silenceMaxMs): Promise<void> {
    const answers = Promise.all(
      this.#pool.ready().map((worker) => this.#asked.get(worker) ?? this.#ask(worker)),
    )
    await within(withinMs, answers)
  }

  #ask(worker: WorkerProcess): Promise<void> {
    const id = ++this.#id
    const answered = worker
      .ask(
        { kind: 'metrics', id },
        (heard): heard is Metrics => heard.kind === 'metrics' && heard.id === id,
        this.#silenceMaxMs,
      )
      .then(
        ({ samples }) => this.#sums.update(worker.pid, samples),
        (error: Error) => {
          if (!(error instanceof WorkerSilent)) return
          this.#log.warn(`${error.message}: it is ended`)
          worker.kill()
        },
      )
      .finally(() => this.#asked.delete(worker))
    this.#asked.set(worker, answered)
    return answered
  }
}
