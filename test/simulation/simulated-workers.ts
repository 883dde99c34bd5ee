/**
 * Workers of a simulated node: they hold the units as real ones do, answer late, die, and refuse what their machine does not run.
 *
 * What a unit's code says decides who refuses it: `refuse e1 e2`. Messages to one worker come in order, as on the channel between processes.
 */
import type { FromWorker, ToWorker, UnitSet } from '../../src/contract/messages.ts'
import type { UnitRunner } from '../../src/contract/unit-runner.ts'
import { versionKey, type UnitVersion } from '../../src/contract/unit.ts'
import type { Timers } from '../../src/base/timers.ts'
import { LiveSites } from '../../src/http/live-sites.ts'
import { LiveUnits } from '../../src/http/live-units.ts'
import type { FlippingPool, FlippingWorker } from '../../src/supervisor/workers/epochs.ts'
import type { ChangedPool } from '../../src/supervisor/changes/change-progress.ts'
import type { Turns } from '../../src/supervisor/turns.ts'
import { WorkerGone, WorkerSilent } from '../../src/supervisor/workers/worker-process.ts'
import type { Random } from '../../src/wire/http1/fuzz/random.ts'

export const refuses = (unit: Pick<UnitVersion, 'code'>, node: string): boolean =>
  unit.code.split(' ').includes(node)

/** The parts of a program that a simulated worker has no use for. */
class Runner implements UnitRunner {
  live: readonly UnitVersion[] = []
  readonly #prepare: (units: readonly UnitVersion[]) => Promise<readonly string[]>

  constructor(prepare: (units: readonly UnitVersion[]) => Promise<readonly string[]>) {
    this.#prepare = prepare
  }

  prepare(units: readonly UnitVersion[]): Promise<readonly string[]> {
    return this.#prepare(units)
  }

  setLive(units: readonly UnitVersion[]): void {
    this.live = units
  }

  run(): void {}
  refused(): void {}
  release(): void {}
  async close(): Promise<void> {}
}

interface PoolParts {
  readonly node: string
  readonly count: number
  readonly timers: Timers
  readonly random: Random
  readonly turns: Turns
  readonly words: Int32Array
  readonly live: () => UnitSet
  readonly onReady: () => void
}

const PREPARE_MS = 20

export class SimulatedWorker implements FlippingWorker {
  readonly index: number
  readonly pid: number
  phase: 'starting' | 'ready' | 'gone' = 'starting'
  readonly #parts: PoolParts
  readonly #onGone: () => void
  readonly #runner: Runner
  #units: LiveUnits | undefined
  /** Epochs that it said it can run. */
  readonly prepared = new Set<number>()
  readonly #questions = new Set<(error: Error) => void>()
  readonly #inbox: (() => void)[] = []
  #isHanging = false

  constructor(index: number, pid: number, parts: PoolParts, onGone: () => void) {
    this.index = index
    this.pid = pid
    this.#parts = parts
    this.#onGone = onGone
    this.#runner = new Runner((units) => this.#prepareUnits(units))
  }

  /** With the set that was live when it was started. */
  ready(set: UnitSet): void {
    if (this.phase === 'gone') return
    const served = { sites: [], limits: {} as never }
    const sites = new LiveSites(served, { build: () => assertNever(), onActive: () => {} })
    const { node, words } = this.#parts
    this.#units = new LiveUnits(set, { name: node, groups: [] }, this.#runner, sites, words)
    this.phase = 'ready'
  }

  /** What a request meets that starts now: its epoch, and the version of each unit. */
  serve(): { readonly epoch: number; readonly content: Readonly<Record<string, number>> } {
    const units = this.#units!
    units.matcher()
    const content = Object.fromEntries(this.#runner.live.map(({ name, version }) => [name, version]))
    return { epoch: units.epoch, content }
  }

  /** It answers nothing any more. */
  hang(): void {
    this.#isHanging = true
  }

  kill(): void {
    if (this.phase === 'gone') return
    this.phase = 'gone'
    for (const fail of this.#questions) fail(new WorkerGone(`worker ${this.index} ended`))
    this.#onGone()
  }

  send(message: ToWorker): void {
    this.#deliver(() => {
      if (message.kind === 'committed') this.#units?.matcher()
      if (message.kind === 'abort') this.#units?.abort(message.epoch)
    })
  }

  ask<Answer extends FromWorker>(
    message: ToWorker,
    isAnswer: (heard: FromWorker) => heard is Answer,
    timeoutMs: number,
  ): Promise<Answer> {
    const { timers, random } = this.#parts
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    if (this.phase === 'gone') return Promise.reject(new WorkerGone(`worker ${this.index} has ended`))
    this.#questions.add(reject)
    const callOff = timers.later(timeoutMs, () => reject(new WorkerSilent(`worker ${this.index} is silent`)))
    this.#deliver(async () => {
      const heard: FromWorker = await this.#answer(message)
      timers.later(random.below(5), () => {
        if (this.phase === 'gone' || this.#isHanging || !isAnswer(heard)) return
        const said: FromWorker = heard
        if (said.kind === 'prepared' && said.problems.length === 0) this.prepared.add(said.epoch)
        resolve(heard)
      })
    })
    return promise.finally(() => {
      callOff()
      this.#questions.delete(reject)
    })
  }

  async #answer(message: ToWorker): Promise<FromWorker> {
    if (message.kind === 'try') {
      await this.#wait(this.#parts.random.below(PREPARE_MS))
      return {
        kind: 'tried',
        id: message.id,
        problems: [],
        module: { phases: message.unit.phases, fields: {} },
      }
    }
    if (message.kind !== 'prepare') throw new Error(`a simulated worker knows no ${message.kind}`)
    const { units } = message
    return { kind: 'prepared', epoch: units.epoch, problems: await this.#units!.prepare(units) }
  }

  async #prepareUnits(units: readonly UnitVersion[]): Promise<readonly string[]> {
    const { random, node } = this.#parts
    // Now and then a machine is busy.
    await this.#wait(random.chance(0.1) ? 200 + random.below(2000) : random.below(PREPARE_MS))
    return units
      .filter((unit) => refuses(unit, node))
      .map((unit) => `${node} does not run ${versionKey(unit)}`)
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#parts.timers.later(ms, resolve))
  }

  #deliver(work: () => void): void {
    const { timers, random } = this.#parts
    this.#inbox.push(work)
    timers.later(random.below(4), () => {
      const next = this.#inbox.shift()
      if (this.phase === 'ready' && !this.#isHanging) next?.()
    })
  }
}

export class SimulatedPool implements FlippingPool, ChangedPool {
  readonly #parts: PoolParts
  readonly slots: { readonly index: number; worker: SimulatedWorker | undefined }[]
  readonly #waiting = new Set<() => void>()
  #pid = 0

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.slots = Array.from({ length: parts.count }, (_, index) => ({ index, worker: undefined }))
  }

  get size(): number {
    return this.slots.length
  }

  ready(): readonly SimulatedWorker[] {
    return this.slots.flatMap(({ worker }) => (worker?.phase === 'ready' ? [worker] : []))
  }

  broadcast(message: ToWorker): void {
    for (const worker of this.ready()) worker.send(message)
  }

  async start(): Promise<void> {
    await this.#parts.turns.take(async () => {
      await Promise.all(this.slots.map((slot) => this.#launch(slot)))
    })
  }

  whenAllReady(timeoutMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const check = () => this.ready().length === this.size && resolve(true)
    this.#waiting.add(check)
    const callOff = this.#parts.timers.later(timeoutMs, () => resolve(false))
    check()
    return promise.finally(() => {
      callOff()
      this.#waiting.delete(check)
    })
  }

  /** In its turn, so the set that is live does not change meanwhile. */
  async #launch(slot: SimulatedPool['slots'][number]): Promise<void> {
    const { timers, random, turns, live } = this.#parts
    const worker = new SimulatedWorker(slot.index, ++this.#pid, this.#parts, () => {
      timers.later(50 + random.below(500), () => void turns.take(() => this.#launch(slot)))
    })
    slot.worker = worker
    const set = live()
    await new Promise<void>((resolve) => void timers.later(20 + random.below(100), resolve))
    worker.ready(set)
    if (worker.phase !== 'ready') return
    for (const check of this.#waiting) check()
    this.#parts.onReady()
  }

  /** Whether a worker that is there said that it can run it. */
  wasPrepared(epoch: number): boolean {
    return this.slots.some(({ worker }) => worker?.prepared.has(epoch))
  }
}

function assertNever(): never {
  throw new Error('a simulated node has no sites')
}
