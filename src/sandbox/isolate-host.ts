/**
 * One unit's isolate: made, filled with the guest and the unit's code, stepped, thrown away.
 *
 * There is one way in, `step`, and it is synchronous: code that resumed outside of it would run with no deadline. After
 * a termination of any kind the isolate is done with: its pending promises are lost and its state is half-way.
 */
import type { IsolatedVm } from './isolated-vm.ts'
import { logRecord } from './guest-text.ts'
import { LOG_LEVELS, SAY_AGAIN, type Guest, type GuestSetup, type Installed } from './protocol.ts'
import type ivm from 'isolated-vm'

/** What a sandbox knows of a version: what runs, and how much it may use. */
export interface UnitCode extends Omit<GuestSetup, 'entropy'> {
  readonly code: string
  readonly cpuMs: number
  readonly memoryMb: number
}

/** CPU time in which a unit's top level is done, in milliseconds. */
export const INSTALL_MS = 200
/** Over that, it is tried again before it is refused. */
const INSTALL_TRIES = 3
/**
 * The longest time-out of a try: longer than machines stand still, and short enough that all tries are over before the process
 * counts as starved.
 */
const INSTALL_WALL_MS = 16 * INSTALL_MS

/** An answer that was lost to an unhandled rejection is asked for again so often. */
const LOST_ANSWERS_MAX = 4
/**
 * isolated-vm hands over longer texts as memory outside of the heap that only a full collection frees. It counts against the
 * isolate's limit, and each full collection throws the unit's optimised code away: every few seconds under load, measured. So
 * a batch crosses in pieces below that length. One that is so long that it is mostly a body crosses in a list, which is copied
 * straight into the heap: measured for 64 KiB, a crossing takes 55 to 70 µs so, and 100 in pieces.
 */
const PIECE_LENGTH = 1000
const PIECES_MAX = 48
const WARN = LOG_LEVELS.indexOf('warn')

/** How a step ended that did not end well. */
export type CutReason =
  | 'timeout' // stopped by the trip wire; whether it is to blame, its CPU time says
  | 'memory' // the isolate was disposed by its memory limit
  | 'install' // the code did not compile, or its top level threw
  | 'broken' // the step itself threw, or answered with what is no string

export class CutError extends Error {
  readonly reason: CutReason

  constructor(reason: CutReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** CPU time of this thread, in microseconds. */
export function threadCpuUs(): number {
  const usage = process.threadCpuUsage()
  return usage.user + usage.system
}

const asleep = new Int32Array(new SharedArrayBuffer(4))

/**
 * The same to the microsecond. The kernel counts a thread's time at its ticks and whenever it sleeps, so it sleeps for a moment first, for
 * authors who watch single calls. A moment that is over before the timer is set is no sleep, so it may not be too short.
 */
export function exactThreadCpuUs(): number {
  Atomics.wait(asleep, 0, 0, 0.2)
  return threadCpuUs()
}

export class IsolateHost {
  readonly #ivm: IsolatedVm
  readonly #guestSource: string
  #guestCache: ivm.ExternalCopy<ArrayBuffer> | undefined

  constructor(ivm: IsolatedVm, guestSource: string) {
    this.#ivm = ivm
    // WebAssembly memory is not counted by the isolate's limit. On the same line, for positions in stacks.
    this.#guestSource = `delete globalThis.WebAssembly;${guestSource}`
  }

  /** Makes an isolate and runs the unit's top level. Throws `CutError`. */
  make(unit: UnitCode): UnitIsolate {
    let timeoutMs = INSTALL_MS
    let timesOver = 0
    for (;;) {
      // Without `onCatastrophicError`: where a termination takes more than five seconds, which a machine that stands still is enough for,
      // isolated-vm would call it from its timer's thread, and that ends the process with SIGSEGV. A process that V8 does not let
      // go of is ended by its worker, and without memory it aborts by itself.
      const isolate = new this.#ivm.Isolate({ memoryLimit: unit.memoryMb })
      const cpuStart = threadCpuUs()
      try {
        return this.#fill(isolate, unit, timeoutMs)
      } catch (error) {
        const cut = cutError(error, isolate, 'install')
        if (!isolate.isDisposed) isolate.dispose()
        if (cut.reason !== 'timeout') throw cut
        // The time-out is wall time: on a busy machine it says nothing, so it is tried again with more of it. And a core that the
        // machine's host took away counts as CPU time: nobody is so unlucky again and again.
        const isUnlucky = (threadCpuUs() - cpuStart) / 1000 < INSTALL_MS * 0.75
        if (isUnlucky ? timeoutMs >= INSTALL_WALL_MS : ++timesOver === INSTALL_TRIES) throw cut
        if (isUnlucky) timeoutMs *= 2
      }
    }
  }

  #fill(isolate: ivm.Isolate, unit: UnitCode, timeout: number): UnitIsolate {
    const context = isolate.createContextSync()
    const guestScript = isolate.compileScriptSync(this.#guestSource, {
      filename: 'orla-guest.js',
      ...(this.#guestCache ? { cachedData: this.#guestCache } : { produceCachedData: true }),
    }) as ivm.Script & { cachedData?: ivm.ExternalCopy<ArrayBuffer> }
    this.#guestCache ??= guestScript.cachedData
    const guest = guestScript.runSync(context, { reference: true, timeout }) as ivm.Reference<Guest>
    const install = guest.getSync('install', { reference: true }) as ivm.Reference<Guest['install']>
    const step = guest.getSync('step', { reference: true }) as ivm.Reference<Guest['step']>
    // The wrapper stands on the first line of the code, so that its lines are those of the source map.
    const script = isolate.compileScriptSync(`(function (exports, module) {${unit.code}\n})`, {
      filename: `${unit.name}@${unit.version}.js`,
    })
    const define = script.runSync(context, { reference: true, timeout }) as ivm.Reference
    const shared = new SharedArrayBuffer(12)
    const { name, version, env, node, isTest = false, hasRedis = false } = unit
    const setup: GuestSetup = { name, version, env, node, isTest, hasRedis, entropy: entropy() }
    const answer = install.applySync(
      undefined,
      [define.derefInto(), JSON.stringify(setup), new this.#ivm.ExternalCopy(shared).copyInto()],
      { timeout },
    )
    const installed = JSON.parse(String(answer)) as Installed
    if (!installed.ok) throw new CutError('install', installed.stack || installed.message)
    const facts = JSON.stringify({ phases: installed.phases, fields: installed.fields })
    return new UnitIsolate(isolate, step, new Int32Array(shared), facts)
  }
}

/** 32 random bytes in hex: an isolate has no source of its own. */
const entropy = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')

/** A filled isolate. */
export class UnitIsolate {
  readonly #isolate: ivm.Isolate
  readonly #step: ivm.Reference<Guest['step']>
  readonly #progress: Int32Array
  /** JSON of `ModuleFacts`: what the module said of itself. */
  readonly facts: string
  /** Kept, since a fresh one a call costs. */
  readonly #options = { timeout: 0, result: { copy: true as const } }
  /** For a batch in a list. */
  readonly #longOptions = { timeout: 0, arguments: { copy: true as const }, result: { copy: true as const } }
  readonly #pieces: string[] = []

  constructor(isolate: ivm.Isolate, step: ivm.Reference<Guest['step']>, progress: Int32Array, facts: string) {
    this.#isolate = isolate
    this.#step = step
    this.#progress = progress
    this.facts = facts
  }

  /** Index of the entry that runs or ran last; -1 outside of entries. The guest writes it, so its range is checked. */
  get progress(): number {
    const index = this.#progress[0]!
    return index >= 0 && index < 2 ** 30 ? index : -1
  }

  /** Id of the invocation that runs, where the guest knows it; else 0. */
  get runningId(): number {
    const id = this.#progress[1]!
    return id > 0 ? id : 0
  }

  /** Invocations await something in there, so the guest says: what it gets by lying is a step for nothing, or none. */
  get isAwaiting(): boolean {
    return this.#progress[2]! > 0
  }

  /** Throws `CutError`; the isolate is useless then, and disposed. */
  step(batch: string | readonly string[], timeoutMs: number): string {
    this.#options.timeout = timeoutMs
    this.#longOptions.timeout = timeoutMs
    this.#progress[0] = -1
    this.#progress[1] = 0
    let warnings = ''
    let entry: string | readonly string[] = batch
    for (let tries = 0; tries < LOST_ANSWERS_MAX; tries++) {
      try {
        return warnings + this.#enter(entry)
      } catch (error) {
        const cut = cutError(error, this.#isolate, 'broken')
        if (cut.reason !== 'broken') {
          this.dispose()
          throw cut
        }
        // A rejection that nobody handled took the answer's place: it is asked for again.
        warnings += logRecord(WARN, `an unhandled rejection: ${cut.message}`)
        entry = `${SAY_AGAIN} \n`
      }
    }
    this.dispose()
    throw new CutError('broken', 'its step throws')
  }

  #enter(entry: string | readonly string[]): string {
    const answers: unknown =
      typeof entry !== 'string'
        ? this.#step.applySync(undefined, [entry], this.#longOptions)
        : entry.length > PIECE_LENGTH * PIECES_MAX
          ? this.#step.applySync(undefined, [[entry]], this.#longOptions)
          : this.#step.applySync(undefined, this.#inPieces(entry), this.#options)
    const answer: unknown = Array.isArray(answers) ? answers[0] : undefined
    if (typeof answer !== 'string') throw new CutError('broken', 'the step answered with what is no text')
    return answer
  }

  #inPieces(entry: string): string[] {
    const pieces = this.#pieces
    pieces.length = 0
    for (let at = 0; at < entry.length; at += PIECE_LENGTH) pieces.push(entry.slice(at, at + PIECE_LENGTH))
    return pieces
  }

  dispose(): void {
    if (!this.#isolate.isDisposed) this.#isolate.dispose()
  }
}

/** What an error out of isolated-vm means. The texts are its own; what a unit throws never gets here as one of them. */
function cutError(error: unknown, isolate: ivm.Isolate, otherwise: CutReason): CutError {
  if (error instanceof CutError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (isolate.isDisposed) return new CutError('memory', 'the isolate outgrew its memory')
  if (message === 'Script execution timed out.') return new CutError('timeout', message)
  return new CutError(otherwise, error instanceof Error ? (error.stack ?? message) : message)
}
