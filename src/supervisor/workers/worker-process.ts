/**
 * One worker as the supervisor sees it: a child process, what it last said, and the questions it has not answered.
 */
import { fork, type ChildProcess } from 'node:child_process'
import type { FromWorker, ToWorker } from '../../contract/messages.ts'
import { TRUST_SYSTEM_FLAG } from '../../tls/system-authorities.ts'

/**
 * `starting` until it says `ready`; `draining` from then on it is told to; `gone` when the process has ended.
 */
export type WorkerPhase = 'starting' | 'ready' | 'draining' | 'gone'

export interface WorkerEvents {
  onMessage(worker: WorkerProcess, message: FromWorker): void
  /** The process has ended. Called once. */
  onGone(worker: WorkerProcess, how: string): void
}

/** The worker ended before it answered. */
export class WorkerGone extends Error {}
/** The worker did not answer in time. */
export class WorkerSilent extends Error {}

interface Question {
  readonly hear: (message: FromWorker) => void
  readonly fail: (error: Error) => void
}

export class WorkerProcess {
  readonly index: number
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>
  phase: WorkerPhase = 'starting'
  readonly #child: ChildProcess
  readonly #questions = new Set<Question>()
  readonly #resolveEnded: () => void

  /** `sockets` are descriptors of this process; the worker finds them from `WORKER_SOCKETS` on. */
  constructor(index: number, entry: string, sockets: readonly number[], events: WorkerEvents) {
    this.index = index
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#resolveEnded = resolve
    this.#child = fork(entry, [], {
      serialization: 'advanced',
      // Nothing of the supervisor's environment is a worker's business; a secret there would reach further than meant.
      env: workerEnvironment(process.env),
      execArgv: [...WORKER_FLAGS],
      // Standard output belongs to the one line `ready …`, and to access logs that are sent there on purpose.
      stdio: ['ignore', 2, 2, 'ipc', 1, ...sockets],
    })
    this.#child.on('message', (message) => this.#hear(message as FromWorker, events))
    // A failed spawn has no exit; a failed send to a process that is ending is followed by one.
    this.#child.on('error', (error) => {
      if (this.#child.pid === undefined) this.#end(`could not be started: ${error.message}`, events)
    })
    this.#child.on('exit', (code, signal) => this.#end(signal ?? `exit code ${code}`, events))
  }

  /** 0 where the process could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  send(message: ToWorker): void {
    // The callback takes the error of a channel that is closing: the end of the process is told by `exit`.
    if (this.phase !== 'gone' && this.#child.connected) this.#child.send(message, () => undefined)
  }

  /** Sends, and waits for the message that answers. Rejects with `WorkerGone` or `WorkerSilent`. */
  ask<Answer extends FromWorker>(
    message: ToWorker,
    isAnswer: (heard: FromWorker) => heard is Answer,
    timeoutMs: number,
  ): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      if (this.phase === 'gone') return reject(new WorkerGone(`worker ${this.index} has ended`))
      const question: Question = {
        hear: (heard) => isAnswer(heard) && settle(() => resolve(heard)),
        fail: (error) => settle(() => reject(error)),
      }
      const settle = (then: () => void) => {
        clearTimeout(timer)
        this.#questions.delete(question)
        then()
      }
      const late = () => {
        if (!this.#questions.has(question)) return
        question.fail(new WorkerSilent(`worker ${this.index} did not answer within ${timeoutMs} ms`))
      }
      // After a stall of this process, what has arrived meanwhile is read first: it is not the worker that was late.
      const timer = setTimeout(() => setImmediate(late), timeoutMs)
      this.#questions.add(question)
      this.send(message)
    })
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (this.phase !== 'gone') this.#child.kill(signal)
  }

  #hear(message: FromWorker, events: WorkerEvents): void {
    for (const question of this.#questions) question.hear(message)
    events.onMessage(this, message)
  }

  #end(how: string, events: WorkerEvents): void {
    if (this.phase === 'gone') return
    this.phase = 'gone'
    for (const question of this.#questions)
      question.fail(new WorkerGone(`worker ${this.index} ended (${how})`))
    this.#resolveEnded()
    events.onGone(this, how)
  }
}

/** Where a worker finds the standard output of the program. */
export const WORKER_STDOUT = 4
/** The first of its listening sockets. */
export const WORKER_SOCKETS = 5

/** SIGUSR1 would make Node open its debugger to everybody on this machine. */
const WORKER_FLAGS: readonly string[] = ['--disable-sigusr1', TRUST_SYSTEM_FLAG]

/** What a process needs from its surroundings to run at all. */
function workerEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = [
    'NODE_COMPILE_CACHE',
    'NODE_EXTRA_CA_CERTS',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
    'TZ',
    'PATH',
    'TMPDIR',
  ]
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}
