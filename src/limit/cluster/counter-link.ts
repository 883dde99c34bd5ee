/**
 * One connection to one server that keeps counts. All questions go over it one behind the other, without waiting for the answers before.
 *
 * Every question is answered within the time, or the connection is given up: Redis answers in order, so where one is late, those behind it are later. What
 * broke, was silent or is not understood is left behind, and who asks again finds another (`counters.ts`). What was asked and not
 * answered may have been counted there; it is counted here, too.
 */
import { ErrorReply } from '@redis/client'
import type { Clock } from '../../base/clock.ts'
import { Lifeline } from '../../base/lifeline.ts'
import { type RedisClient, redisClient, type RedisCredentials } from '../../base/redis-client.ts'

/** What Redis answers. */
export type Reply = string | number | null | readonly Reply[]

export interface LinkOptions extends RedisCredentials {
  readonly clock: Clock
  /** For one question. */
  readonly timeoutMs: number
}

/** Questions at once; who comes then is told that there is no room. */
const WAITING_MAX = 10_000
/** Places of questions that are over, until they are taken away. */
const COMPACTED_AT = 1_000
/** To connect, with TLS and the password: that is more than one question. */
const CONNECT_MS_MIN = 1_000
/** A timer that is later than this was late because this process stood still. */
const LATE_MS = 5

interface Question {
  readonly dueMs: number
  isOver: boolean
  readonly reject: (problem: Error) => void
}

export class CounterLink {
  readonly address: string
  readonly #client: RedisClient
  readonly #options: LinkOptions
  /** Called once, when it is of no more use. */
  readonly #onEnd: (problem: Error) => void
  /** In the order in which they were asked, from `#first` on. */
  #questions: Question[] = []
  #first = 0
  #timer: NodeJS.Timeout | undefined
  /** Of those who prepare, too. */
  readonly #life = new Lifeline()

  constructor(address: string, options: LinkOptions, onEnd: (problem: Error) => void) {
    this.address = address
    this.#options = options
    this.#onEnd = onEnd
    this.#client = redisClient(address, options, this.#connectMs)
    this.#client.on('error', (error: Error) => this.end(error))
  }

  get #connectMs(): number {
    return Math.max(CONNECT_MS_MIN, 2 * this.#options.timeoutMs)
  }

  get isUsable(): boolean {
    return this.#life.problem === undefined && this.#client.isReady
  }

  /** Throws what is wrong. */
  async open(): Promise<void> {
    await this.#within(this.#connectMs, this.#client.connect())
  }

  /** Before anything is counted on it; there is time for that as for connecting. */
  prepare(args: readonly string[]): Promise<Reply> {
    return this.#within(this.#connectMs, this.#client.sendCommand<Reply>(args))
  }

  /** Throws an `ErrorReply` where Redis refuses, else what is wrong with the connection. */
  ask(args: readonly string[]): Promise<Reply> {
    if (this.#life.problem !== undefined) return Promise.reject(this.#life.problem)
    if (this.#questions.length - this.#first >= WAITING_MAX) return Promise.reject(new Crowded())
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const question: Question = {
      dueMs: this.#options.clock.monotonic() + this.#options.timeoutMs,
      isOver: false,
      reject,
    }
    this.#questions.push(question)
    this.#timer ??= this.#wake(this.#options.timeoutMs)
    this.#client.sendCommand<Reply>(args).then(
      (reply) => {
        this.#over(question)
        resolve(reply)
      },
      (error: Error) => {
        this.#over(question)
        // The first problem says why; those after it only that the connection is gone.
        reject(error instanceof ErrorReply ? error : (this.#life.problem ?? error))
      },
    )
    return promise
  }

  /** Whoever still waits is told the problem. */
  end(problem: Error): void {
    if (!this.#life.cut(problem)) return
    clearTimeout(this.#timer)
    try {
      this.#client.destroy()
    } catch {
      // It was closed already.
    }
    for (const question of this.#questions.slice(this.#first)) question.reject(problem)
    this.#questions = []
    this.#first = 0
    this.#onEnd(problem)
  }

  /** Answers come in the order of the questions: the first that waits is near. */
  #over(question: Question): void {
    question.isOver = true
    const questions = this.#questions
    while (this.#first < questions.length && questions[this.#first]!.isOver) this.#first += 1
    if (this.#first === questions.length) {
      this.#questions = []
      this.#first = 0
    } else if (this.#first > COMPACTED_AT) {
      questions.splice(0, this.#first)
      this.#first = 0
    }
  }

  #wake(afterMs: number): NodeJS.Timeout {
    const dueMs = this.#options.clock.monotonic() + afterMs
    const timer = setTimeout(() => {
      const lateMs = this.#options.clock.monotonic() - dueMs
      // What came meanwhile is read first: an answer that lies in the socket is not late.
      setImmediate(() => this.#look(lateMs > LATE_MS ? lateMs : 0))
    }, afterMs)
    return timer.unref()
  }

  /** `stoodMs`: how long this process did nothing; nobody is blamed for that time. */
  #look(stoodMs: number): void {
    if (this.#life.problem !== undefined) return
    this.#timer = undefined
    const next = this.#questions[this.#first]
    if (next === undefined) return
    const leftMs = next.dueMs + stoodMs - this.#options.clock.monotonic()
    if (leftMs <= 0) this.end(new Silence(this.#options.timeoutMs))
    else this.#timer = this.#wake(Math.ceil(leftMs))
  }

  /** What is in the queue of a client that never became ready is not always told of its end. */
  #within<T>(ms: number, work: Promise<T>): Promise<T> {
    return this.#life.hold(ms, work, () => this.end(new Silence(ms)))
  }
}

/** Nothing came in time. */
class Silence extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`)
  }
}

/** There are more questions than may wait. The connection is as good as before. */
export class Crowded extends Error {}
