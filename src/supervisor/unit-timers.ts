/**
 * Runs the `timer` of units, once on the node: this process keeps the time, and chooses the worker.
 *
 * A run that is due while the one before still runs is left out. A worker that dies takes no run along: another one does it
 * again, a few times, since it may be the run that ended the worker.
 */
import type { Clock } from '../base/clock.ts'
import type { FromWorker, MetricSample, UnitSet } from '../contract/messages.ts'
import { PHASE_BITS, type UnitVersion } from '../contract/unit.ts'
import { runsOn, type NodeIdentity } from '../unit/matcher.ts'
import { scheduleOf, type Schedule } from '../unit/schedule.ts'
import type { WorkerProcess } from './workers/worker-process.ts'

export interface UnitTimersOptions {
  readonly node: NodeIdentity
  readonly clock: Clock
  /** The workers that may be asked. */
  ready(): readonly WorkerProcess[]
}

interface Timer {
  unit: UnitVersion
  readonly schedule: Schedule
  /** The schedule as it was written: a new version with the same one goes on in step. */
  readonly said: string
  due: number
  run: Run | undefined
}

interface Run {
  readonly id: number
  /** Undefined: it waits for a worker. */
  worker: WorkerProcess | undefined
  tries: number
}

const TRIES_MAX = 3
/** Looked at this often at least: the clock of the machine may be set. */
const WAIT_MAX_MS = 30_000
/** How soon a worker is looked for again, when none is ready. */
const RETRY_MS = 100

export class UnitTimers {
  readonly #options: UnitTimersOptions
  readonly #timers = new Map<string, Timer>()
  #wake: NodeJS.Timeout | undefined
  #lastId = 0
  #turn = 0
  #isStopped = false
  readonly #counts = new Map<string, { ok: number; failed: number; overlapped: number; lost: number }>()

  constructor(options: UnitTimersOptions) {
    this.#options = options
  }

  /** The units that are live now. */
  setLive({ enabled, units }: Pick<UnitSet, 'enabled' | 'units'>): void {
    const { clock, node } = this.#options
    const live = enabled ? units.filter((unit) => hasTimer(unit) && runsOn(unit, node)) : []
    const names = new Set(live.map(({ name }) => name))
    for (const name of this.#timers.keys()) if (!names.has(name)) this.#timers.delete(name)
    for (const unit of live) {
      const schedule = scheduleOf(unit.manifest)
      if (!schedule) continue
      const said = `${unit.manifest.every} ${unit.manifest.cron}`
      const before = this.#timers.get(unit.name)
      if (before?.said === said) before.unit = unit
      else {
        const due = schedule.next(clock.now())
        this.#timers.set(unit.name, { unit, schedule, said, due, run: before?.run })
      }
    }
    this.#setWake()
  }

  /** A worker has done what it was asked. */
  ran(worker: WorkerProcess, { id, result }: Extract<FromWorker, { kind: 'timerRan' }>): void {
    for (const timer of this.#timers.values()) {
      if (timer.run?.id !== id || timer.run.worker !== worker) continue
      timer.run = undefined
      this.#count(timer, result)
      return
    }
  }

  workerGone(worker: WorkerProcess): void {
    for (const timer of this.#timers.values()) {
      const { run } = timer
      if (run?.worker !== worker) continue
      run.worker = undefined
      if (run.tries < TRIES_MAX) continue
      timer.run = undefined
      this.#count(timer, 'lost')
    }
    this.#setWake()
  }

  /** After `stop`. What was due meanwhile is run once. */
  start(): void {
    this.#isStopped = false
    this.#setWake()
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#wake)
  }

  samples(): MetricSample[] {
    return [...this.#counts].flatMap(([unit, counts]) =>
      Object.entries(counts).map(([result, value]) => ({
        name: 'orla_timer_runs_total',
        labels: { unit, result },
        value,
      })),
    )
  }

  #setWake(): void {
    clearTimeout(this.#wake)
    if (this.#isStopped || this.#timers.size === 0) return
    const now = this.#options.clock.now()
    let waitMs = WAIT_MAX_MS
    for (const { due, run } of this.#timers.values()) {
      waitMs = Math.min(waitMs, run && !run.worker ? RETRY_MS : Math.max(due - now, 0))
    }
    this.#wake = setTimeout(() => this.#look(), waitMs)
  }

  #look(): void {
    const now = this.#options.clock.now()
    for (const timer of this.#timers.values()) {
      if (timer.due <= now) {
        if (timer.run) this.#count(timer, 'overlapped')
        else timer.run = { id: ++this.#lastId, worker: undefined, tries: 0 }
        timer.due = following(timer, now)
      }
      if (timer.run && !timer.run.worker) this.#send(timer, timer.run)
    }
    this.#setWake()
  }

  #send({ unit: { name, version } }: Timer, run: Run): void {
    const ready = this.#options.ready()
    const worker = ready[this.#turn++ % ready.length]
    if (!worker) return
    run.worker = worker
    run.tries++
    worker.send({ kind: 'runTimer', id: run.id, name, version })
  }

  #count({ unit }: Timer, result: 'ok' | 'failed' | 'overlapped' | 'lost'): void {
    let counts = this.#counts.get(unit.name)
    if (!counts) this.#counts.set(unit.name, (counts = { ok: 0, failed: 0, overlapped: 0, lost: 0 }))
    counts[result]++
  }
}

/** The next one after now, in step with the one that was due. What was missed meanwhile is not made up for. */
function following({ schedule, due }: Timer, now: number): number {
  const { everyMs } = schedule
  if (everyMs === undefined) return schedule.next(now)
  return due + Math.ceil((now - due + 1) / everyMs) * everyMs
}

const hasTimer = ({ phases }: UnitVersion): boolean => (phases & PHASE_BITS.timer) !== 0
