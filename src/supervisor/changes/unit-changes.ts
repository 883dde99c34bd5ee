/**
 * Changes of units, from what was asked to live on every worker:
 *
 *     build, check → (in turn:) plan → try in a spare sandbox → append to the store → prepare on all → flip
 *
 * What is slow and touches nothing happens before the turn, so several people's units are checked while one is put live. Nothing is stored
 * before it was tried; where the workers refuse it all the same, the store gets the way it was appended, too. From the append on,
 * a change goes on whoever waits for it.
 */
import type { Clock } from '../../base/clock.ts'
import type { ErrorCode } from '../../base/error-codes.ts'
import { EdgeError } from '../../base/errors.ts'
import type { Timers } from '../../base/timers.ts'
import type { Config } from '../../config/schema.ts'
import { NotFinished, Refused, type ChangeOptions } from '../../control/node.ts'
import type { ChangeResult, Laggard, Problem } from '../../control/shapes.ts'
import type { UnitSet } from '../../contract/messages.ts'
import type { Effect, LocalStore, Position } from '../../contract/store.ts'
import type { EdgeLevel, Reached } from '../../replication/publication.ts'
import { appendPlanned, isConflict, type StoreWriter } from '../../replication/store-writer.ts'
import type { UnitVersion } from '../../contract/unit.ts'
import type { ModuleFacts } from '../../contract/unit-runner.ts'
import type { Epochs } from '../workers/epochs.ts'
import type { Log } from '../log.ts'
import { beginProgress, laggardsHere, nameOf, type ChangedPool, type Progress } from './change-progress.ts'
import type { Turns } from '../turns.ts'
import type { UnitTests, UnitTrials } from './unit-trials.ts'
import { behindPurges } from '../purging/purge-writer.ts'
import { limitWarnings } from './limit-warnings.ts'
import { refusal } from './refusals.ts'
import { inverse, type Undo } from './taking-back.ts'

/** A change as it is planned in its turn, when the store stands still. */
export interface Plan {
  readonly name: string
  readonly version: number
  readonly effects: readonly Effect[]
  /** To be tried before it is stored. */
  readonly unit?: UnitVersion
  /** To be tried, too, before any of it is stored; known as they are. */
  readonly others?: readonly UnitVersion[]
  /** The unit's own tests, to be run then. */
  readonly tests?: UnitTests
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
  /** Once it is live it is not taken back: more than the store was changed by it. */
  readonly staysWhereItIs?: () => boolean
  /** It changes this node alone, and its store only beside that. */
  readonly isLocal?: boolean
  /** The code of the error where workers refuse it, if not that of units. */
  readonly refusedAs?: ErrorCode
}

/** The edges that follow this node, as a change asks for them. */
export interface EdgeWaiting {
  /** Which of them have to run it; undefined where there are none. */
  level(options: ChangeOptions): EdgeLevel | undefined
  wait(level: EdgeLevel, position: Position, timeoutMs: number): Promise<Reached>
  /** The names of those that run it. */
  running(position: Position): readonly string[]
  /** Those that run it. */
  count(position: Position): Omit<ReachedEdges, 'ms'>
}

interface ReachedEdges {
  readonly live: number
  readonly of: number
  readonly workers: number
  readonly ofWorkers: number
  readonly ms: number
}

export interface ChangesOptions {
  readonly config: { readonly edge: Pick<Config['edge'], 'limitsRedis'> }
  readonly store: LocalStore
  readonly writer: StoreWriter
  readonly readSet: () => UnitSet
  readonly pool: ChangedPool
  readonly epochs: Epochs
  readonly trials: UnitTrials
  readonly clock: Clock
  readonly timers: Timers
  /** Edges that follow this node, and when they run what was appended. */
  readonly edges: EdgeWaiting
  readonly turns: Turns
  readonly log: Log
  /** Told of each change that has ended, well or not. */
  readonly onEnd: (ok: boolean, ms: number) => void
}

/** How long edges that ran a change are waited for when it is taken back. */
const GONE_MAX_MS = 3_000
/** Where other control planes come first again and again. */
const PLANS_MAX = 5

const ALL_OFF: Problem = { message: 'all units are switched off: it runs once they are on again' }

export class UnitChanges {
  readonly #options: ChangesOptions
  /** What is to be taken back once the store can be written again. */
  #owed: readonly Undo[] = []

  constructor(options: ChangesOptions) {
    this.#options = options
  }

  /** Makes the change and resolves when it is as far as `wait` asks. Throws `Refused`, `NotFinished` or a store's error. */
  async make(request: ChangeRequest, options: ChangeOptions): Promise<ChangeResult> {
    const { wait, timeoutMs } = options
    const progress = beginProgress(this.#options.store.position(), this.#now())
    const stored = Promise.withResolvers<void>()
    const live = this.#run(request, progress, stored.resolve)
    const done =
      wait === 'stored' ? Promise.race([stored.promise, live]) : this.#everywhere(live, progress, timeoutMs)
    const edges = wait === 'stored' ? undefined : this.#options.edges.level(options)
    let isAwaited = true
    live.then(
      () => this.#options.onEnd(true, this.#sinceMs(progress)),
      (error: Error) => {
        this.#options.onEnd(false, this.#sinceMs(progress))
        // Where nobody waits any more, the operator is told.
        if (!isAwaited) this.#options.log.warn(`${request.name}: ${error.message}`)
      },
    )
    let reached: ReachedEdges | undefined
    try {
      await this.#within(done, request, progress, options)
      if (edges) reached = await this.#reach(edges, request, progress, options)
    } finally {
      isAwaited = false
    }
    const { version, epoch, workers, timings, warnings, tests } = progress
    return {
      name: request.name,
      version,
      epoch,
      live: {
        workers: workers + (reached?.workers ?? 0),
        of: this.#options.pool.size + (reached?.ofWorkers ?? 0),
      },
      ...(reached && { edges: { live: reached.live, of: reached.of, ms: round(reached.ms) } }),
      ms: round(this.#sinceMs(progress)),
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

  #now(): number {
    return this.#options.clock.monotonic()
  }

  #sinceMs({ startedMs }: Progress): number {
    return this.#now() - startedMs
  }

  /** How long it took, in milliseconds. */
  async #timed(work: () => unknown): Promise<number> {
    const startMs = this.#now()
    await work()
    return round(this.#now() - startMs)
  }

  async #run(request: ChangeRequest, progress: Progress, onStored: () => void): Promise<void> {
    Object.assign(progress, await request.prepare?.())
    progress.step = 'an earlier change is not done yet'
    const asked = this.#now()
    await this.#options.turns.take(async () => {
      progress.timings.queueMs = round(this.#now() - asked)
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
      progress.timings.flipMs = await this.#timed(() => this.#flip(planned, undo, progress, refusedAs))
    }
    progress.epoch = epochs.live.epoch
    progress.workers = this.#options.pool.ready().length
    if (planned.unit) progress.warnings = [...progress.warnings, ...this.#warningsOf(planned.unit)]
    onLive?.(planned, epochs.live)
  }

  #warningsOf(unit: UnitVersion): Problem[] {
    const { config, epochs } = this.#options
    const { served, enabled } = epochs.live
    const ground = { served, hasRedis: config.edge.limitsRedis !== undefined }
    return [...limitWarnings(unit, ground), ...(enabled ? [] : [ALL_OFF])]
  }

  /** Planned, tried and appended; where another control plane was first, all of it anew, on what is there then. */
  async #store(request: ChangeRequest, progress: Progress): Promise<{ planned: Plan; undo?: Undo }> {
    const { store, writer } = this.#options
    for (let attempt = 1; ; attempt++) {
      const { planned, at } = await this.#plan(request, progress)
      if (planned.effects.length === 0) return request.isLocal ? { planned, undo: () => [] } : { planned }
      if (progress.isCalledOff)
        throw new EdgeError('not-finished', 'it was called off, as it was not done in time')
      progress.step = 'it is written to the store'
      const undo = inverse(store, planned)
      try {
        progress.timings.storeMs = await this.#timed(async () => {
          progress.position = await writer.append(planned.effects, behindPurges(store, at))
        })
        progress.appendedMs = this.#now()
        progress.undo = undo
        return { planned, undo }
      } catch (error) {
        if (attempt === PLANS_MAX || !isConflict(error)) throw error
      }
    }
  }

  /** `at`: where the store stood when it was planned. */
  async #plan({ plan }: ChangeRequest, progress: Progress): Promise<{ planned: Plan; at: Position }> {
    const { store, trials } = this.#options
    let at = store.position()
    let planned = plan()
    progress.version = planned.version
    if (planned.unit) {
      progress.step = 'it is tried in a sandbox'
      const { unit } = planned
      progress.timings.tryMs = await this.#timed(async () => {
        const facts = await trials.try(unit)
        at = store.position()
        planned = plan(facts)
      })
      progress.version = planned.version
      if (planned.tests && planned.unit) {
        progress.step = 'its tests are run'
        progress.tests = await trials.test(planned.unit, planned.tests)
      }
    }
    for (const unit of planned.others ?? []) {
      progress.step = `${unit.name} is tried in a sandbox`
      await trials.try(unit)
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
    this.#owed = [...more, ...this.#owed]
    // One by one: what the next one finds is what the one before left.
    for (let [undo] = this.#owed; undo; [undo] = this.#owed) {
      await appendPlanned(store, writer, undo)
      this.#owed = this.#owed.slice(1)
    }
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
    request: ChangeRequest,
    progress: Progress,
    options: ChangeOptions,
  ): Promise<void> {
    const { timeoutMs } = options
    const late = Promise.withResolvers<'late'>()
    const callOff = this.#options.timers.later(timeoutMs, () => late.resolve('late'))
    const outcome = await Promise.race([done, late.promise]).finally(callOff)
    if (outcome !== 'late') return
    const said = `${nameOf(request.name, progress)} is not live everywhere after ${timeoutMs} ms: ${progress.step}`
    throw await this.#late(said, laggardsHere(progress, this.#options), request, progress, options)
  }

  /** The node itself runs it: when do the edges? */
  async #reach(
    level: EdgeLevel,
    request: ChangeRequest,
    progress: Progress,
    options: ChangeOptions,
  ): Promise<ReachedEdges> {
    const { edges } = this.#options
    const { timeoutMs } = options
    const found = await edges.wait(level, progress.position, Math.max(0, timeoutMs - this.#sinceMs(progress)))
    if (found.kind === 'yes') {
      const ms = progress.appendedMs === 0 ? 0 : this.#now() - progress.appendedMs
      return { ...edges.count(progress.position), ms }
    }
    const name = nameOf(request.name, progress)
    if (found.kind === 'not-yet') {
      const said = `${name} is not live on every edge after ${timeoutMs} ms`
      throw await this.#late(said, found.laggards, request, progress, options)
    }
    const problems = found.problems.map((message) => ({ message: `edge ${found.by}: ${message}` }))
    const isChange = progress.undo !== undefined && !request.staysWhereItIs?.()
    const isBack = isChange && (await this.#withdraw(request, progress))
    const then = isBack ? 'it was taken back' : 'it stays in the store'
    throw new Refused(
      `the edge ${found.by} does not run ${name}, and ${then}: ${found.problems.join('; ')}`,
      problems,
      'edge-rejected',
    )
  }

  /** The time is up: what was asked for goes on, or is taken back. */
  async #late(
    said: string,
    laggards: readonly Laggard[],
    request: ChangeRequest,
    progress: Progress,
    { onTimeout }: ChangeOptions,
  ): Promise<NotFinished> {
    if (onTimeout !== 'withdraw' || request.isLocal || request.staysWhereItIs?.()) {
      const then = progress.undo ? 'it is in the log, and goes on' : 'it goes on'
      return new NotFinished(`${said}; ${then}`, laggards, 'kept')
    }
    progress.isCalledOff = true
    const isBack = await this.#withdraw(request, progress)
    return isBack
      ? new NotFinished(`${said}; it was withdrawn`, laggards, 'withdrawn')
      : new NotFinished(`${said}; it could not be withdrawn, and is in the log`, laggards, 'kept')
  }

  /** Takes a change back that is stored, on all nodes, in its own turn. True where nothing of it is left. */
  async #withdraw(request: ChangeRequest, progress: Progress): Promise<boolean> {
    const { turns, readSet, epochs, log, store, edges } = this.#options
    const holders = edges.running(progress.position)
    try {
      await turns.take(async () => {
        const { undo } = progress
        if (!undo) return
        await this.#undo(undo)
        const outcome = await epochs.flip(readSet())
        if (outcome.kind === 'refused') throw new EdgeError('worker-failed', outcome.problems.join('; '))
      })
      // It is gone from the log; who is told so finds it gone from those that ran it, too.
      if (holders.length > 0)
        await edges.wait({ kind: 'named', names: holders }, store.position(), GONE_MAX_MS)
      return true
    } catch (error) {
      log.warn(`${nameOf(request.name, progress)} could not be withdrawn: ${(error as Error).message}`)
      return false
    }
  }
}

const round = (ms: number) => Math.round(ms * 100) / 100
