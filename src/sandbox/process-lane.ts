/**
 * The lane to a sandbox process: writes frames, reads answers, watches that it gets on, and tells how it died.
 *
 * It trusts nothing that comes back: an answer must be to the frame that is due, a slot must be known, a length must be
 * in bounds. Whatever is not so ends the process, and the worker goes on with another.
 */
import { readFileSync } from 'node:fs'
import type { CoreWatch } from '../base/core-time.ts'
import { isRunnable } from '../base/proc.ts'
import * as frames from './frames.ts'
import { FrameWriter } from './frame-writer.ts'
import { CUT_REASONS, FrameReader, textFrame, type FrameHead } from './frames.ts'
import { INSTALL_MS, type UnitCode } from './isolate-host.ts'
import { Lane, type Entry, type Frame, type LaneEvents, type LaneSlot } from './lane.ts'
import { launchSandbox, type LaunchOptions } from './launch.ts'
import { closeMark, openMark, readMark, type Mark } from './mark.ts'
import { SLICE_MS } from './protocol.ts'
import { RunSpan } from './run-span.ts'
import type { UnitSlot } from './unit-slot.ts'
import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'

export interface ProcessLaneOptions extends Omit<LaunchOptions, 'markFd'> {
  /** The guest's source. */
  readonly guest: string
  /** `edge.node`. */
  readonly node: UnitCode['node']
  /** Resident memory of the process at most, in bytes. */
  readonly memoryMax: number
  /** Of all lanes of a worker. */
  readonly cores: CoreWatch
}

/** Why a sandbox ended. */
export interface Death {
  readonly signal: NodeJS.Signals | null
  readonly code: number | null
  /** The end of what it wrote to its standard error. */
  readonly errors: string
  /** The unit that it was in, and was not answered. */
  readonly entered: UnitSlot | undefined
  /** Set where the worker ended it. `unit` is the one to blame, if any. */
  readonly killed:
    | { readonly unit: UnitSlot | undefined; readonly reason: 'cpu' | 'memory' | 'stalled' }
    | undefined
}

/** Over its budget by so much without a sign, a process is ended if it was the unit's CPU that ran out. */
const GRACE_MS = 50
/** So much CPU time in one crossing is no gap, whatever the cores lost. */
const CLEAR_MS = 3000
/** Over that, it is noted which cores it was on. */
const LOOK_AT_CORE_MS = 20
/** So long without a sign it is ended, and nobody is blamed. */
const STALL_MS = 2000
/** The same for one that would run: the machine has no time for it, and a new one would get no more. */
const STARVED_MS = 20_000
const BOOT_MS = 60_000
/** A process that was asked to end does so within this time, or is killed. */
const END_MS = 500
const MEMORY_EVERY_MS = 50
const ERRORS_KEPT = 16 * 1024
const PAGE_BYTES = 4096
/** Of the memory that a sandbox may have: who takes so much in one crossing is to blame when it runs out. */
const GUILTY_SHARE = 0.1
/** Isolates dropped at a time when memory is short. */
const EVICTED_AT_ONCE = 4

export class ProcessLane extends Lane {
  readonly #options: ProcessLaneOptions
  readonly #onDead: (lane: ProcessLane, death: Death) => void
  readonly #onReady: (lane: ProcessLane) => void
  readonly #markFd = openMark()
  readonly #reader: FrameReader
  #child: ChildProcess | undefined
  readonly #writer = new FrameWriter()
  isClosed = false
  isReady = false
  /** Runs as a user without rights. */
  isNobody = false
  #errors = ''
  /** When there was a sign of it: a piece of an answer is one as well. */
  #progressAt = performance.now()
  /** Of what runs now, and of what is told now. */
  #running: RunSpan
  #told: RunSpan
  #memoryAt = 0
  /** Memory when the crossing that goes on was first seen. */
  #growth = { crossingUs: -1, bytes: 0 }

  /** Starts the process after `delayMs`; what is sent meanwhile waits. */
  constructor(
    options: ProcessLaneOptions,
    events: LaneEvents,
    onReady: (lane: ProcessLane) => void,
    onDead: (lane: ProcessLane, death: Death) => void,
    delayMs = 0,
  ) {
    super(events, options.node)
    this.#options = options
    this.#onReady = onReady
    this.#onDead = onDead
    this.#running = new RunSpan(options.cores.latest)
    this.#told = new RunSpan(options.cores.latest)
    this.#reader = new FrameReader((head, bytes, start, end) => this.#receive(head, bytes, start, end))
    this.#writer.write(textFrame(frames.START, 0, 0, options.guest))
    if (delayMs > 0) setTimeout(() => this.#launch(), delayMs)
    else this.#launch()
  }

  #launch(): void {
    if (this.isClosed) return
    const child = launchSandbox({ ...this.#options, markFd: this.#markFd })
    this.#child = child
    child.on('error', (error) => {
      this.#errors += error.message
      if (child.pid === undefined) this.#ended(null, null)
    })
    child.on('close', (code, signal) => this.#ended(code, signal))
    child.stderr?.on('data', (piece: Buffer) => {
      this.#errors = (this.#errors + piece.toString('latin1')).slice(-ERRORS_KEPT)
    })
    const socket = child.stdio[3] as Socket
    socket.on('data', (piece: Buffer) => this.#onData(piece))
    // A broken pipe is told by the end of the process.
    socket.on('error', () => {})
    this.#writer.open(socket)
  }

  /** Undefined before it is started. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  protected load(slot: number, unit: UnitCode): void {
    this.#writer.write(textFrame(frames.LOAD, 0, slot, JSON.stringify(unit)))
  }

  protected unload(slot: number): void {
    this.#writer.write(textFrame(frames.UNLOAD, 0, slot, ''))
  }

  protected drop(slot: number): void {
    this.#writer.write(textFrame(frames.DROP, 0, slot, ''))
  }

  protected send(sending: readonly Frame[]): void {
    this.#writer.send(sending)
    if (this.frames.length > sending.length) return
    // Nothing was due: the clock of the watch starts now. It has left already: nobody waits for a look at many cores.
    this.#progressAt = performance.now()
    this.#options.cores.look(this.#progressAt)
    this.#running.begin(this.#options.cores.latest)
  }

  #onData(piece: Buffer): void {
    // What a killed process still had to say: it was sent elsewhere.
    if (this.isClosed) return
    this.#progressAt = performance.now()
    if (!this.#reader.isAmid) this.#tells()
    try {
      this.#reader.push(piece)
    } catch (error) {
      if (!(error instanceof frames.FrameError)) throw error
      this.#errors += error.message
      this.kill()
    }
  }

  #receive(head: FrameHead, bytes: Buffer, start: number, end: number): void {
    const { kind, seq, a, b, patience } = head
    if (kind === frames.READY && !this.isReady) {
      this.isReady = true
      this.isNobody = a === 1
      this.#onReady(this)
      return
    }
    const isAnswer = kind === frames.ANSWERED || kind === frames.CUT
    if (!isAnswer && kind !== frames.PREPARED) throw new frames.FrameError(`a frame of kind ${kind}`)
    const frame = seq > 0 ? this.take(seq) : undefined
    // What a route brought has no frame of ours, and no number.
    const isDue = frame
      ? kind === frames.PREPARED || head.slot === frame.slot.unit.index
      : isAnswer && seq === 0
    if (!isDue) throw new frames.FrameError('an answer that was not due')
    if (frame?.onPrepared) {
      if (kind !== frames.PREPARED) throw new frames.FrameError('not what was asked for')
      const text = bytes.toString('utf8', start, end)
      const hasProblem = patience === 1
      if (hasProblem) this.markGone(frame.slot)
      frame.onPrepared(hasProblem ? text : '', hasProblem ? '' : text)
      return
    }
    const at = frame?.slot ?? this.slots.get(head.slot)
    // An answer for a unit that was taken away meanwhile.
    if (!at) return
    if (!isAnswer) throw new frames.FrameError('not what was asked for')
    if (kind === frames.ANSWERED) {
      if (start + b > end) throw new frames.FrameError('a list longer than its frame')
      const entries =
        frame?.entries ?? this.#entries(at, bytes.toString('latin1', start, start + b).split(' '))
      const text = bytes.toString('utf8', start + b, end)
      this.events.answered(at, entries, a, text, text.length === end - start - b)
    } else {
      const text = bytes.toString('utf8', start, end)
      const line = text.indexOf('\n')
      const reason = CUT_REASONS[patience]
      if (line < 0 || !reason) throw new frames.FrameError('a cut that says nothing')
      const [runningId, ...ids] = text.slice(0, line).split(' ')
      const entries = frame?.entries ?? this.#entries(at, ids)
      const message = text.slice(line + 1)
      this.events.cut(at, entries, {
        reason,
        cpuUs: a,
        progress: b - 1,
        runningId: Number(runningId),
        message,
        patience: frame?.patience ?? 1,
      })
    }
  }

  /** The invocations of a frame that a route made. */
  #entries(slot: LaneSlot, ids: readonly string[]): Entry[] {
    const entries: Entry[] = []
    for (const id of ids) {
      const invocation = this.events.byId(Number(id))
      // A number keeps the place of one that is gone.
      entries.push(invocation?.where === slot ? invocation : 0)
    }
    return entries
  }

  /**
   * What is told now is one span, however many answers it holds: the first of them waited in there while the others ran, and
   * the last look may be from after those began.
   */
  #tells(): void {
    const next = this.#told
    this.#told = this.#running
    this.#running = next
    next.begin(this.#options.cores.latest)
  }

  override lostMs(): number {
    return this.#told.lostMs(this.pid)
  }

  override stalledMs(now: number): number {
    return this.frames.length === 0 ? 0 : now - this.#progressAt
  }

  /**
   * Looks whether it gets on. Called every few milliseconds while something is due; for the time since the last look in which this
   * worker was held up, nobody else is to blame.
   */
  check(now: number, heldUpMs: number): void {
    if (this.isClosed) return
    this.#options.cores.look(now)
    this.#progressAt = Math.min(now, this.#progressAt + heldUpMs)
    const stalledMs = this.stalledMs(now)
    if (!this.isReady) {
      if (stalledMs > BOOT_MS) this.#end(undefined, 'stalled')
      return
    }
    if (stalledMs > LOOK_AT_CORE_MS) this.#running.see(this.pid)
    if (stalledMs > GRACE_MS) this.#checkProgress(stalledMs)
    // It may have been ended just now, and its mark is closed.
    if (!this.isClosed && now - this.#memoryAt >= MEMORY_EVERY_MS) {
      this.#memoryAt = now
      this.#checkMemory()
    }
  }

  #checkProgress(stalledMs: number): void {
    const mark = readMark(this.#markFd)
    const unit = this.#entered(mark)
    const budgetMs = unit ? this.#budgetMs(mark, unit) : 0
    if (unit && stalledMs > budgetMs + GRACE_MS && this.#isOver(mark, budgetMs)) this.#end(unit, 'cpu')
    else if (stalledMs > Math.max(this.#wouldRun(stalledMs) ? STARVED_MS : STALL_MS, 2 * budgetMs))
      this.#end(undefined, 'stalled')
  }

  #budgetMs(mark: Mark, unit: UnitSlot): number {
    // It has a deadline of its own, and may be tried again: this is for what ignores it.
    if (mark.isInstall) return INSTALL_MS * 6
    const patience = this.frames[0]?.seq === mark.seq ? this.frames[0].patience : 1
    return (unit.unit.manifest.limits.cpuMs + SLICE_MS) * patience
  }

  /** It runs or waits for a core or memory, and neither sleeps nor was stopped. */
  #wouldRun(stalledMs: number): boolean {
    return stalledMs > STALL_MS && this.pid !== undefined && isRunnable(this.pid)
  }

  #isOver(mark: Mark, budgetMs: number): boolean {
    const cpuMs = this.#cpuMsSince(mark)
    if (cpuMs <= budgetMs) return false
    return cpuMs > Math.max(2 * budgetMs, CLEAR_MS) || cpuMs - this.#running.lostMs(this.pid) > budgetMs
  }

  /** CPU time of its main thread since the mark was set, in milliseconds. */
  #cpuMsSince(mark: Mark): number {
    try {
      const ranNs = Number(readFileSync(`/proc/${this.pid}/schedstat`, 'latin1').split(' ')[0])
      return ranNs / 1e6 - mark.cpuUs / 1e3
    } catch {
      // Without that file, wall time has to do.
      return Infinity
    }
  }

  #checkMemory(): void {
    let bytes: number
    try {
      bytes = Number(readFileSync(`/proc/${this.pid}/statm`, 'latin1').split(' ')[1]) * PAGE_BYTES
    } catch {
      return
    }
    const { memoryMax } = this.#options
    if (bytes > memoryMax * 0.8) this.evictIdle(EVICTED_AT_ONCE)
    const mark = readMark(this.#markFd)
    const unit = this.#entered(mark)
    // No two crossings begin at the same CPU time.
    if (mark.cpuUs !== this.#growth.crossingUs) this.#growth = { crossingUs: mark.cpuUs, bytes }
    if (bytes <= memoryMax) return
    const grownBy = bytes - this.#growth.bytes
    if (unit && grownBy > memoryMax * GUILTY_SHARE) this.#end(unit, 'memory')
    // Not yet clear whose: the next look tells, if there is room for it.
    else if (!unit || bytes > memoryMax * 1.5) this.#end(undefined, 'memory')
  }

  #entered(mark: Mark): UnitSlot | undefined {
    if (mark.slot === undefined) return undefined
    const isDue = mark.seq === 0 || this.frames.some((frame) => frame.seq === mark.seq)
    return isDue ? this.slots.get(mark.slot)?.unit : undefined
  }

  /** Kills it, and does not wait for its memory to be given back: what was in it goes on elsewhere now. */
  #end(unit: UnitSlot | undefined, reason: 'cpu' | 'memory' | 'stalled'): void {
    this.kill()
    this.#ended(null, 'SIGKILL', { unit, reason })
  }

  kill(): void {
    this.#child?.kill('SIGKILL')
  }

  /** Ends the process; resolves when it is gone. */
  end(): Promise<void> {
    const child = this.#child
    if (!child || this.isClosed) {
      this.#ended(0, null)
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.kill(), END_MS)
      child.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      this.#writer.end()
    })
  }

  #ended(code: number | null, signal: NodeJS.Signals | null, killed?: Death['killed']): void {
    if (this.isClosed) return
    const entered = this.#entered(readMark(this.#markFd))
    this.isClosed = true
    closeMark(this.#markFd)
    this.#onDead(this, { signal, code, errors: this.#errors, entered, killed })
  }
}
