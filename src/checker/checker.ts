/**
 * Builds units in a process of its own that is kept warm, and replaced when it dies or takes too long.
 *
 * One build is in flight at a time, so it is known which one a process died over: that one is tried once more on the
 * next process, and given up if it dies again. The others wait in line and notice nothing.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { EdgeError } from '../base/errors.ts'
import { cpuSeconds } from '../base/proc.ts'
import type { BuildRequest, BuildResult, FromChecker, ToChecker } from './protocol.ts'

export interface CheckerOptions {
  /** CPU time that one build may use, in milliseconds, before its process is killed and the unit refused. Default 10,000. */
  readonly cpuMaxMs?: number
  /** How long one build may take, on a machine that has no time for it, before it is given up. Default 60,000. */
  readonly wallMaxMs?: number
  /** The folder with `orla.d.ts` and `globals.d.ts`. */
  readonly types?: string
  /** Told when a process ended that should not have. */
  readonly onDeath?: (message: string) => void
}

const CPU_MAX_MS = 10_000
const WALL_MAX_MS = 60_000
/** Of what a process prints, in characters. */
const PRINTED_MAX = 16_384
const ENTRY = fileURLToPath(
  new URL(`./process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
)
const TYPES = fileURLToPath(new URL('../unit/types', import.meta.url))

interface Job {
  readonly id: number
  readonly request: BuildRequest
  readonly resolve: (result: BuildResult) => void
  readonly reject: (error: EdgeError) => void
  tries: number
}

export class Checker {
  readonly #options: CheckerOptions
  readonly #jobs: Job[] = []
  /** The first of the jobs, while a process works on it. */
  #current: Job | undefined
  #child: ChildProcess | undefined
  #isReady = false
  #isClosed = false
  #timer: NodeJS.Timeout | undefined
  #lastId = 0
  #ready = Promise.withResolvers<void>()

  constructor(options: CheckerOptions = {}) {
    this.#options = options
  }

  /** Starts the process ahead of the first build. Resolves when it is warm, or ended before it was. */
  start(): Promise<void> {
    this.#ensureChild()
    return this.#ready.promise
  }

  /** Of the process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** What is wrong with the unit is in the result. Rejects with an `EdgeError` where the node could not find that out. */
  build(request: BuildRequest): Promise<BuildResult> {
    const { promise, resolve, reject } = Promise.withResolvers<BuildResult>()
    if (this.#isClosed) return Promise.reject(stopped())
    this.#jobs.push({ id: ++this.#lastId, request, resolve, reject, tries: 0 })
    this.#next()
    return promise
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#child?.kill('SIGKILL')
    this.#child = undefined
    for (const job of this.#jobs.splice(0)) job.reject(stopped())
    this.#ready.resolve()
  }

  #next(): void {
    if (this.#current || this.#isClosed) return
    const job = this.#jobs[0]
    if (!job) return
    const child = this.#ensureChild()
    // Sent when it says that it is warm: the time of the start is not the unit's.
    if (!this.#isReady) return
    this.#current = job
    job.tries++
    child.send({ kind: 'build', id: job.id, ...job.request } satisfies ToChecker)
    this.#limit(job, child)
  }

  /** A unit is refused for the CPU time it takes, and never for the time that the machine did not give it. */
  #limit(job: Job, child: ChildProcess): void {
    const { cpuMaxMs = CPU_MAX_MS, wallMaxMs = WALL_MAX_MS } = this.#options
    const cpuMs = () => cpuSeconds(child.pid!) * 1000
    const before = { cpuMs: cpuMs(), atMs: performance.now() }
    const look = () => {
      const usedMs = cpuMs() - before.cpuMs
      const tookMs = performance.now() - before.atMs
      if (usedMs < cpuMaxMs && tookMs < wallMaxMs) {
        this.#timer = setTimeout(look, Math.max(10, Math.min(cpuMaxMs - usedMs, wallMaxMs - tookMs)))
        return
      }
      this.#leave()
      child.kill('SIGKILL')
      if (usedMs >= cpuMaxMs) job.resolve(failed(`the check took more than ${cpuMaxMs} ms of CPU`))
      else job.reject(unfinished(tookMs, usedMs))
    }
    look()
  }

  /** The first job leaves the line. */
  #leave(): void {
    clearTimeout(this.#timer)
    this.#current = undefined
    this.#jobs.shift()
  }

  #finish(job: Job, result: BuildResult): void {
    this.#leave()
    job.resolve(result)
  }

  #ensureChild(): ChildProcess {
    if (this.#child) return this.#child
    const child = fork(ENTRY, [this.#options.types ?? TYPES], {
      serialization: 'advanced',
      execArgv: ['--max-old-space-size=1024', '--disable-sigusr1'],
      // What it prints is kept for the message of its death: it is no part of our own output.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: withoutSecrets(process.env),
      // Out of the node's process group: a Ctrl-C reaches all of that, and the bundler's service does not ignore it.
      detached: true,
    })
    let printed = ''
    child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => (printed = (printed + text).slice(0, PRINTED_MAX)))
    this.#child = child
    this.#isReady = false
    child.on('message', (message: FromChecker) => this.#onMessage(child, message))
    child.on('error', (error) => this.#onEnd(child, error.message))
    // Killed from outside, it has nothing to say; else its error is the reason. `close`: all it printed was read.
    child.on('exit', (_, signal) => signal && this.#onEnd(child, signal))
    child.on('close', (code) =>
      this.#onEnd(child, /^.*Error: .*$/m.exec(printed)?.[0] ?? `exit code ${code}`),
    )
    return child
  }

  #onMessage(child: ChildProcess, message: FromChecker): void {
    if (child !== this.#child) return
    if (message.kind === 'ready') {
      this.#isReady = true
      this.#ready.resolve()
    } else if (this.#current?.id === message.id) {
      this.#finish(this.#current, message.result)
    }
    this.#next()
  }

  #onEnd(child: ChildProcess, reason: string): void {
    if (child !== this.#child) return
    this.#child = undefined
    child.kill('SIGKILL')
    this.#ready.resolve()
    this.#ready = Promise.withResolvers<void>()
    if (this.#isClosed) return
    this.#options.onDeath?.(`the checker ended: ${reason}`)
    const job = this.#current ?? (this.#isReady ? undefined : this.#jobs[0])
    // A process that never got warm dies over nobody's code, but somebody has to be told after a while.
    if (job && !this.#isReady) job.tries++
    if (job && job.tries > 1) this.#finish(job, failed(`the checker died twice over this unit (${reason})`))
    this.#current = undefined
    clearTimeout(this.#timer)
    // One that was never warm would most likely die at once again: it is started for the next build.
    if (this.#isReady || this.#jobs.length > 0) this.#ensureChild()
    this.#isReady = false
  }
}

const failed = (message: string): BuildResult => ({
  ok: false,
  problems: [{ message, severity: 'error' }],
  buildMs: 0,
  checkMs: 0,
})

const stopped = () => new EdgeError('draining', 'the node is shutting down, and checks nothing more')

const unfinished = (tookMs: number, usedMs: number) =>
  new EdgeError(
    'check-unfinished',
    `the check did not end within ${Math.round(tookMs / 1000)} s, in which it got ${Math.round(usedMs)} ms of CPU`,
  )

/** What it reads comes from outside, and it needs none of our keys and tokens. */
function withoutSecrets(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('ORLA_')))
}
