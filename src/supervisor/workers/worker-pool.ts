/**
 * The workers of a node: starts them, replaces those that die, drains them.
 *
 * A start and a change of units take turns (`Turns`): a worker that starts is given the set that is live, and would miss a
 * flip that happened before it said `ready`. A worker that keeps dying waits longer before each start, outside of its
 * turn, so it holds up nobody else's change.
 */
import { fileURLToPath } from 'node:url'
import { EdgeError } from '../../base/errors.ts'
import { ERROR_CODES, type ErrorCode } from '../../base/error-codes.ts'
import type { Log } from '../log.ts'
import type { FromWorker, ToWorker } from '../../contract/messages.ts'
import type { TlsMaterial } from '../../contract/tls.ts'
import type { Turns } from '../turns.ts'
import type { ListenSockets } from '../listen-sockets.ts'
import { WORKER_SOCKETS, WorkerProcess } from './worker-process.ts'

const WORKER_ENTRY = fileURLToPath(new URL('../../worker.ts', import.meta.url))

type TlsUsed = Extract<FromWorker, { kind: 'tlsUsed' }>
export type StartMessage = Extract<ToWorker, { kind: 'start' }>

/** How long workers live, and what waits before each is replaced. Tests hold it in their hand. */
export interface PoolTime {
  now(): number
  /** Does the work so many milliseconds later. Returns how to call that off. */
  later(ms: number, work: () => void): () => void
}

const REAL_TIME: PoolTime = {
  now: () => performance.now(),
  later(ms, work) {
    const timer = setTimeout(work, ms)
    return () => clearTimeout(timer)
  },
}

export interface PoolOptions {
  readonly count: number
  /** Path of the program that a worker runs. Default: ours. */
  readonly entry?: string
  /** What they accept from: one set for each worker. Closed when the pool ends. */
  readonly sockets: ListenSockets
  readonly turns: Turns
  /** What a worker that starts now is told; the pool adds its sockets. */
  startMessage(worker: number): Omit<StartMessage, 'sockets' | 'isReplacement'>
  onMessage(worker: WorkerProcess, message: FromWorker): void
  onReady(worker: WorkerProcess): void
  onGone(worker: WorkerProcess): void
  readonly log: Log
  /** Milliseconds that a worker may take until it is ready, for tests. */
  readonly startMaxMs?: number
  readonly time?: PoolTime
}

/**
 * A worker that has not said `ready` by then is killed, and replaced. Generous: it takes a second on a quiet machine, but
 * one that is busy or starts for the first time, with nothing compiled, was seen to take half a minute.
 */
const START_MAX_MS = 120_000
/** A worker that lived longer than this is replaced at once; a shorter life doubles the wait. */
const LIFE_LONG_MS = 10_000
const WAIT_FIRST_MS = 50
const WAIT_MAX_MS = 5_000
/** How long a worker may take to use other certificates. */
const TLS_MAX_MS = 60_000

interface Slot {
  readonly index: number
  worker: WorkerProcess | undefined
  restarts: number
  waitMs: number
  /** When its worker was started. */
  startedMs: number
  /** Calls off the replacement that is waited for. */
  callOff: () => void
}

export class WorkerPool {
  readonly #options: PoolOptions
  readonly #time: PoolTime
  readonly #slots: Slot[]
  #isStarted = false
  #tlsId = 0
  #isEnding = false
  /** Slots whose worker is to be started in the next turn. */
  readonly #due: Slot[] = []
  readonly #waiters = new Set<() => void>()

  constructor(options: PoolOptions) {
    this.#options = options
    this.#time = options.time ?? REAL_TIME
    this.#slots = Array.from({ length: options.count }, (_, index) => ({
      index,
      worker: undefined,
      restarts: 0,
      waitMs: 0,
      startedMs: 0,
      callOff: () => {},
    }))
  }

  get size(): number {
    return this.#slots.length
  }

  /** Where the workers listen, with the ports that the system chose. */
  get addresses(): readonly string[] {
    return this.#options.sockets.addresses
  }

  get slots(): readonly Readonly<Slot>[] {
    return this.#slots
  }

  /** Every process there is, whatever its phase. */
  all(): WorkerProcess[] {
    return this.#slots.flatMap(({ worker }) => (worker && worker.phase !== 'gone' ? [worker] : []))
  }

  ready(): WorkerProcess[] {
    return this.all().filter((worker) => worker.phase === 'ready')
  }

  /** To those that are ready: one that starts is told everything then, see `onReady`. */
  broadcast(message: ToWorker): void {
    for (const worker of this.ready()) worker.send(message)
  }

  /** Resolves when those that are ready use it. One that is gone holds up nobody, nor one that hangs: the pulse ends it. */
  async useTls(tls: TlsMaterial): Promise<void> {
    const id = ++this.#tlsId
    const isAnswer = (heard: FromWorker): heard is TlsUsed => heard.kind === 'tlsUsed' && heard.id === id
    const message = { kind: 'tls', id, tls } as const
    await Promise.allSettled(this.ready().map((worker) => worker.ask(message, isAnswer, TLS_MAX_MS)))
  }

  /** Starts all; throws what the first one that cannot start says. The others are ended then. */
  async start(): Promise<void> {
    try {
      await this.#options.turns.take(async () => {
        await Promise.all(this.#slots.map((slot) => this.#launch(slot)))
      })
      this.#isStarted = true
      // One that was ready may have ended while slower ones started.
      for (const slot of this.#slots)
        if (slot.worker?.phase === 'gone') this.#revive(slot, slot.worker, 'while others started')
    } catch (error) {
      await this.kill()
      throw error
    }
  }

  /** Resolves when every slot has a worker that is ready, or when the time is up. */
  async whenAllReady(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs
    while (this.ready().length < this.size) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) return false
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer)
          this.#waiters.delete(wake)
          resolve()
        }
        const timer = setTimeout(wake, leftMs)
        this.#waiters.add(wake)
      })
    }
    return true
  }

  /** Lets every worker finish what is in flight. Those that have not ended after the time are killed. */
  async drain(timeoutMs: number): Promise<void> {
    this.#isEnding = true
    for (const slot of this.#slots) slot.callOff()
    // Before the workers close theirs: what the kernel took for the last one would wait for nobody.
    this.#options.sockets.close()
    const gone = this.all().map((worker) => {
      // One that has not started serves nobody, and would not hear it.
      if (worker.phase === 'starting') worker.kill()
      worker.phase = 'draining'
      worker.send({ kind: 'drain' })
      return worker.ended
    })
    const timer = setTimeout(() => void this.kill(), timeoutMs)
    await Promise.all(gone)
    clearTimeout(timer)
  }

  /** Ends all workers at once, and starts no more. Resolves when they have ended. */
  async kill(): Promise<void> {
    this.#isEnding = true
    for (const slot of this.#slots) slot.callOff()
    this.#options.sockets.close()
    await Promise.all(this.all().map((worker) => (worker.kill(), worker.ended)))
  }

  /** Forks a worker into its slot and waits until it is ready. */
  async #launch(slot: Slot): Promise<void> {
    const message = this.#options.startMessage(slot.index)
    const sockets = await this.#options.sockets.of(slot.index)
    const descriptors = sockets.map(({ fd }) => fd)
    const worker = new WorkerProcess(slot.index, this.#options.entry ?? WORKER_ENTRY, descriptors, {
      onMessage: (from, heard) => this.#options.onMessage(from, heard),
      onGone: (ended, how) => this.#gone(slot, ended, how),
    })
    slot.worker = worker
    slot.startedMs = this.#time.now()
    const answer = await worker
      .ask(
        {
          ...message,
          isReplacement: this.#isStarted,
          sockets: sockets.map(({ listener }, index) => ({ listener, fd: WORKER_SOCKETS + index })),
        },
        (heard): heard is Extract<FromWorker, { kind: 'ready' | 'failed' }> =>
          heard.kind === 'ready' || heard.kind === 'failed',
        this.#options.startMaxMs ?? START_MAX_MS,
      )
      .catch((error: Error) => {
        // A machine that is too busy, or somebody who killed it: an operator is told so, with no trace of our own code.
        throw new EdgeError('worker-failed', `not ready: ${error.message}`)
      })
    if (answer.kind === 'failed') {
      worker.kill()
      throw new EdgeError(isErrorCode(answer.code) ? answer.code : 'worker-failed', answer.message)
    }
    worker.phase = 'ready'
    if (answer.dns.length > 0) this.#options.sockets.dns = answer.dns
    this.#options.onReady(worker)
    for (const wake of this.#waiters) wake()
  }

  #gone(slot: Slot, worker: WorkerProcess, how: string): void {
    this.#options.onGone(worker)
    if (!this.#isEnding && this.#isStarted) this.#revive(slot, worker, how)
  }

  #revive(slot: Slot, { pid }: WorkerProcess, how: string): void {
    const livedMs = this.#time.now() - slot.startedMs
    slot.restarts += 1
    this.#replaceAfter(slot, livedMs > LIFE_LONG_MS ? 0 : backOff(slot))
    if (slot.waitMs > WAIT_FIRST_MS) this.#options.sockets.giveUp(slot.index)
    this.#options.log.warn(`worker ${slot.index} (pid ${pid}) ended: ${how}; it is replaced`)
  }

  #replaceAfter(slot: Slot, waitMs: number): void {
    slot.waitMs = waitMs
    slot.callOff = this.#time.later(waitMs, () => void this.#replace(slot))
  }

  /** Starts all that are due by the time it is their turn: several that died together start together. */
  async #replace(slot: Slot): Promise<void> {
    this.#due.push(slot)
    await this.#options.turns.take(async () => {
      await Promise.all(this.#due.splice(0).map((due) => this.#relaunch(due)))
    })
  }

  async #relaunch(slot: Slot): Promise<void> {
    if (this.#isEnding) return
    const { worker } = slot
    try {
      await this.#launch(slot)
    } catch (error) {
      this.#options.log.warn(`worker ${slot.index} did not start: ${(error as Error).message}`)
      // It has ended or is killed, and `#gone` goes on from there.
      if (slot.worker !== worker) return slot.worker?.kill()
      // Its sockets could not be opened: there is no process whose end would have it tried again.
      if (!this.#isEnding) this.#replaceAfter(slot, backOff(slot))
    }
  }
}

const backOff = ({ waitMs }: Slot): number => Math.min(WAIT_MAX_MS, waitMs * 2 || WAIT_FIRST_MS)

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code)
