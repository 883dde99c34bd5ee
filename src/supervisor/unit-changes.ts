/**
 * Changes of units, from what was asked to live on every worker:
 *
 *     build, check → (in turn:) plan → try in a spare sandbox → append to the store → prepare on all → flip
 *
 * What is slow and touches nothing happens before the turn, so several people's units are checked while one is put live. Nothing is stored
 * before it was tried; where the workers refuse it all the same, the store gets the way it was appended, too. From the append on,
 * a change goes on whoever waits for it.
 */
import type { ErrorCode } from '../base/error-codes.ts'
import { EdgeError } from '../base/errors.ts'
import { NotFinished, Refused, type ChangeOptions } from '../control/node.ts'
import type { ChangeResult, ChangeTimings, Laggard, Problem } from '../control/shapes.ts'
import type { FromWorker, UnitSet } from '../contract/messages.ts'
import type { Effect, LocalStore, Position } from '../contract/store.ts'
import { appendPlanned, isConflict, type StoreWriter } from '../replication/store-writer.ts'
import { versionKey, type UnitVersion } from '../contract/unit.ts'
import type { ModuleFacts, TestReport } from '../contract/unit-runner.ts'
import type { Epochs } from './epochs.ts'
import type { Log } from './log.ts'
import type { Turns } from './turns.ts'
import type { WorkerPool } from './worker-pool.ts'
import { notDone, refusal, refusalOfTests, refusalOfTry } from './refusals.ts'
import { inverse, type Undo } from './taking-back.ts'
import type { WorkerProcess } from './worker-process.ts'

/** A change as it is planned in its turn, when the store stands still. */
export interface Plan {
  readonly name: string
  readonly version: number
  readonly effects: readonly Effect[]
  /** To be tried before it is stored. */
  readonly unit?: UnitVersion
  /** The unit's own tests, to be run then. */
  readonly tests?: { readonly code: string; readonly sourceMap: string }
}

export interface ChangeRequest {
  readonly name: string
  /** Before the turn: may be slow, touches nothing. What it returns goes into the result. */
  readonly prepare?: () => Promise<Pick<ChangeResult, 'timings' | 'warnings'>>
  /**
   * In the turn: reads the store, writes nothing. Where the plan has a unit, it is made again with what trying that brought to
   * light, and then it counts.
   */
  readonly plan: (module?: ModuleFacts) => Plan
  /** After the flip, still in the turn. */
  readonly onLive?: (plan: Plan, set: UnitSet) => void
  /** Where nothing came of it, still in the turn. */
  readonly onFailed?: () => void
  /** The code of the error where workers refuse it, if not that of units. */
  readonly refusedAs?: ErrorCode
}

export interface ChangesOptions {
  readonly store: LocalStore
  readonly writer: StoreWriter
  readonly readSet: () => UnitSet
  readonly pool: WorkerPool
  readonly epochs: Epochs
  readonly turns: Turns
  readonly log: Log
  /** Told of each change that has ended, well or not. */
  readonly onEnd: (ok: boolean, ms: number) => void
}

type Tried = Extract<FromWorker, { kind: 'tried' }>
type Tested = Extract<FromWorker, { kind: 'tested' }>

/**
 * A worker that has not answered by then hangs: a unit whose top level never ends is ended by its sandbox far earlier. A sandbox that is just
 * being started is waited for, which takes half of that on a machine without time; who answers nothing at all is ended by the pulse.
 */
const TRY_MAX_MS = 60_000
/** What a unit's own tests may take. */
const TESTS_MAX_MS = 120_000
/** Where other control planes come first again and again. */
const PLANS_MAX = 5

const ALL_OFF: Problem = { message: 'all units are switched off: it runs once they are on again' }

/** A change on its way. */
interface Progress {
  readonly startedAt: number
  /** What it is doing, for those who ask why it is not done. */
  step: string
  /** The worker that tries it now. */
  trying: WorkerProcess | undefined
  timings: ChangeTimings
  warnings: readonly Problem[]
  /** Tests that passed; undefined where there are none. */
  tests: number | undefined
  version: number
  epoch: number
  workers: number
}

export class UnitChanges {
  readonly #options: ChangesOptions
  #tryId = 0
  /** What is to be taken back once the store can be written again. */
  #owed: readonly Undo[] = []

  constructor(options: ChangesOptions) {
    this.#options = options
  }

  /** Makes the change and resolves when it is as far as `wait` asks. Throws `Refused`, `NotFinished` or a store's error. */
  async make(request: ChangeRequest, { wait, timeoutMs }: ChangeOptions): Promise<ChangeResult> {
    const progress: Progress = {
      startedAt: performance.now(),
      step: 'it is built and checked',
      trying: undefined,
      timings: {},
      warnings: [],
      tests: undefined,
      version: 0,
      epoch: 0,
      workers: 0,
    }
    const stored = Promise.withResolvers<void>()
    const live = this.#run(request, progress, stored.resolve)
    const done =
      wait === 'stored' ? Promise.race([stored.promise, live]) : this.#everywhere(live, progress, timeoutMs)
    let isAwaited = true
    live.then(
      () => this.#options.onEnd(true, sinceMs(progress)),
      (error: Error) => {
        this.#options.onEnd(false, sinceMs(progress))
        // Where nobody waits any more, the operator is told.
        if (!isAwaited) this.#options.log.warn(`${request.name}: ${error.message}`)
      },
    )
    await this.#within(done, request, progress, timeoutMs).finally(() => (isAwaited = false))
    const { version, epoch, workers, timings, warnings, tests } = progress
    return {
      name: request.name,
      version,
      epoch,
      live: { workers, of: this.#options.pool.size },
      ms: round(sinceMs(progress)),
      timings,
      warnings: [...warnings],
      ...(tests !== undefined && { tests }),
    }
  }

  /** Runs the work when no change is under way, and what failed ones wrote is taken back. */
  inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    return this.#options.turns.take(async () => {
      await this.#undo()
      return work()
    })
  }

  async #run(request: ChangeRequest, progress: Progress, onStored: () => void): Promise<void> {
    Object.assign(progress, await request.prepare?.())
    progress.step = 'an earlier change is not done yet'
    const asked = performance.now()
    await this.#options.turns.take(async () => {
      progress.timings.queueMs = round(performance.now() - asked)
      try {
        await this.#inTurn(request, progress, onStored)
      } catch (error) {
        request.onFailed?.()
        throw error
      }
    })
  }

  async #inTurn(request: ChangeRequest, progress: Progress, onStored: () => void): Promise<void> {
    const { epochs } = this.#options
    const { onLive, refusedAs } = request
    await this.#undo()
    const { planned, undo } = await this.#store(request, progress)
    if (undo) {
      onStored()
      progress.step = 'not every worker has prepared it'
      progress.timings.flipMs = await timed(() => this.#flip(planned, undo, progress, refusedAs))
    }
    progress.epoch = epochs.live.epoch
    progress.workers = this.#options.pool.ready().length
    if (planned.unit && !epochs.live.enabled) progress.warnings = [...progress.warnings, ALL_OFF]
    onLive?.(planned, epochs.live)
  }

  /** Planned, tried and appended; where another control plane was first, all of it anew, on what is there then. */
  async #store(request: ChangeRequest, progress: Progress): Promise<{ planned: Plan; undo?: Undo }> {
    const { store, writer } = this.#options
    for (let attempt = 1; ; attempt++) {
      const { planned, at } = await this.#plan(request, progress)
      if (planned.effects.length === 0) return { planned }
      progress.step = 'it is written to the store'
      const undo = inverse(store, planned)
      try {
        progress.timings.storeMs = await timed(() => writer.append(planned.effects, at))
        return { planned, undo }
      } catch (error) {
        if (attempt === PLANS_MAX || !isConflict(error)) throw error
      }
    }
  }

  /** `at`: where the store stood when it was planned. */
  async #plan({ plan }: ChangeRequest, progress: Progress): Promise<{ planned: Plan; at: Position }> {
    const { store } = this.#options
    let at = store.position()
    let planned = plan()
    progress.version = planned.version
    if (planned.unit) {
      progress.step = 'it is tried in a sandbox'
      const { unit } = planned
      progress.timings.tryMs = await timed(async () => {
        const facts = await this.#try(unit, progress)
        at = store.position()
        planned = plan(facts)
      })
      progress.version = planned.version
      if (planned.tests && planned.unit) await this.#test(planned.unit, planned.tests, progress)
    }
    return { planned, at }
  }

  async #flip(
    planned: Plan,
    undo: Undo,
    progress: Progress,
    refusedAs: ErrorCode | undefined,
  ): Promise<void> {
    try {
      const set = this.#options.readSet()
      progress.epoch = set.epoch
      const outcome = await this.#options.epochs.flip(set)
      if (outcome.kind === 'refused') throw refusal(planned, outcome.problems, refusedAs)
    } catch (error) {
      await this.#undo(undo)
      throw error
    }
  }

  /** Takes back what was stored and cannot be live. Where the disk is full, the next change does it first. */
  async #undo(...more: readonly Undo[]): Promise<void> {
    const { store, writer } = this.#options
    this.#owed = [...this.#owed, ...more]
    if (this.#owed.length === 0) return
    await appendPlanned(store, writer, () => this.#owed.flatMap((undo) => undo()))
    this.#owed = []
  }

  /**
   * Asks a worker; where it dies over it or does not answer, a second one. Not all of them: a death takes connections with it.
   */
  async #try(unit: UnitVersion, progress: Progress): Promise<ModuleFacts | undefined> {
    const workers = this.#options.pool.ready().slice(0, 2)
    if (workers.length === 0) throw new EdgeError('worker-failed', 'no worker is there to try it in')
    let failure: unknown
    for (const worker of workers) {
      const id = ++this.#tryId
      const isAnswer = (heard: FromWorker): heard is Tried => heard.kind === 'tried' && heard.id === id
      progress.trying = worker
      try {
        const { problems, module } = await worker.ask({ kind: 'try', id, unit }, isAnswer, TRY_MAX_MS)
        if (problems.length === 0) return module
        throw refusalOfTry(unit, problems)
      } catch (error) {
        if (error instanceof Refused) throw error
        failure = error
      } finally {
        progress.trying = undefined
      }
    }
    throw notDone(unit, 'it could not be tried', failure)
  }

  /** Its own tests, as the version that it would be. */
  async #test(unit: UnitVersion, tests: NonNullable<Plan['tests']>, progress: Progress): Promise<void> {
    progress.step = 'its tests are run'
    const [worker] = this.#options.pool.ready()
    if (!worker) throw new EdgeError('worker-failed', 'no worker is there to run its tests')
    const id = ++this.#tryId
    const isAnswer = (heard: FromWorker): heard is Tested => heard.kind === 'tested' && heard.id === id
    let report: TestReport
    try {
      report = await worker.ask({ kind: 'test', id, unit, tests }, isAnswer, TESTS_MAX_MS)
    } catch (error) {
      throw notDone(unit, 'its tests could not be run', error)
    }
    if (report.failures.length > 0) throw refusalOfTests(unit, report)
    progress.tests = report.passed
  }

  /** Waits also for workers that are being replaced: they start with the new set. */
  async #everywhere(live: Promise<void>, progress: Progress, timeoutMs: number): Promise<void> {
    await live
    const { pool } = this.#options
    if (progress.workers === pool.size) return
    progress.step = 'a worker is being replaced'
    if (await pool.whenAllReady(timeoutMs)) progress.workers = pool.size
  }

  async #within(
    done: Promise<void>,
    { name }: ChangeRequest,
    progress: Progress,
    timeoutMs: number,
  ): Promise<void> {
    const late = Promise.withResolvers<'late'>()
    const timer = setTimeout(() => late.resolve('late'), timeoutMs)
    const outcome = await Promise.race([done, late.promise]).finally(() => clearTimeout(timer))
    if (outcome !== 'late') return
    const version = progress.version === 0 ? name : versionKey({ name, version: progress.version })
    throw new NotFinished(`${version} is not live everywhere after ${timeoutMs} ms: ${progress.step}`, [
      ...this.#laggards(progress),
    ])
  }

  #laggards({ step, trying }: Progress): readonly Laggard[] {
    const { pool, epochs } = this.#options
    if (trying) {
      const reason = `pid ${trying.pid} has not said yet whether it runs in a sandbox`
      return [{ who: `worker ${trying.index}`, reason }]
    }
    const preparing = epochs.waitingFor.map(({ index, pid }) => ({
      who: `worker ${index}`,
      reason: `pid ${pid} has not prepared the new set yet`,
    }))
    const missing = pool.slots
      .filter(({ worker }) => worker?.phase !== 'ready')
      .map(({ index }) => ({ who: `worker ${index}`, reason: 'it is being replaced' }))
    const laggards = [...preparing, ...missing]
    return laggards.length > 0 ? laggards : [{ who: 'control', reason: step }]
  }
}

/** How long it took, in milliseconds. */
async function timed(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return round(performance.now() - start)
}

const round = (ms: number) => Math.round(ms * 100) / 100
const sinceMs = ({ startedAt }: Progress) => performance.now() - startedAt
