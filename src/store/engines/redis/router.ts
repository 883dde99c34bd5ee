/**
 * Finds the server that keeps a log, and goes on looking where it died, moved or handed its place to another.
 *
 * One server and a Cluster are the same here: a log is asked for where it was last time, else at any address that is known, and a Cluster says
 * `MOVED` until it is the right one. All that is asked through here may be asked again: scripts tell what they did before.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { ErrorReply } from '@redis/client'
import { EdgeError } from '../../../base/errors.ts'
import { type Connection, type Connections, isSilence, type Purpose, type Reply } from './connections.ts'
import { failureOf } from './failure.ts'
import type { Script } from './scripts.ts'

/** Between two attempts that failed for want of a server, in milliseconds: at first, and at most. */
const PAUSE_MS = { first: 10, max: 200 } as const

/** The server that keeps the log, on one connection. */
export interface Server {
  readonly address: string
  /** Of one server, in one of its lives. */
  readonly connection: object
  /** Until the whole request has to be answered. */
  leftMs(): number
  ask(args: readonly string[], timeoutMs?: number): Promise<Reply>
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<Reply>
}

export class Router {
  readonly #connections: Connections
  readonly #timeoutMs: number
  /** Those of the configuration, and those that servers named. */
  readonly #known: string[]
  readonly #routes = new Map<string, string>()
  #next = 0

  constructor(connections: Connections, addresses: readonly string[], timeoutMs: number) {
    this.#connections = connections
    this.#known = [...addresses]
    this.#timeoutMs = timeoutMs
  }

  get known(): readonly string[] {
    return this.#known
  }

  learn(addresses: readonly string[]): void {
    for (const address of addresses) if (!this.#known.includes(address)) this.#known.push(address)
  }

  /** Any server that is not known to be gone: each call where the last one failed takes the next. */
  get any(): string {
    return this.#known[this.#next % this.#known.length]!
  }

  turnToNext(): void {
    this.#next++
  }

  /**
   * Does the work on the server that keeps the log, and again from its start where that failed on the way. Throws `store-unavailable` when
   * time is over, with the last problem, and `store-refused` at once.
   */
  async run<T>(log: string, purpose: Purpose, work: (server: Server) => Promise<T>): Promise<T> {
    const deadline = performance.now() + this.#timeoutMs
    const leftMs = () => deadline - performance.now()
    let pauseMs: number = PAUSE_MS.first
    let redirects = 0
    let asked: string | undefined
    let problem: string | undefined
    for (;;) {
      const address = asked ?? this.#routes.get(log) ?? this.any
      // A server that is silent leaves time to ask another, or again.
      const attemptMs = Math.max(leftMs() / 2, 1)
      let failure
      let connection: Connection | undefined
      try {
        connection = await this.#connections.to(address, purpose, attemptMs)
        const result = await work(new OnConnection(connection, leftMs, asked !== undefined))
        if (asked === undefined) this.#routes.set(log, address)
        return result
      } catch (error) {
        failure = failureOf(error, address)
        if (failure.isConnectionLost) connection?.end(error as Error)
      }
      asked = undefined
      if (failure.kind === 'refused') throw failure.error
      if (failure.kind === 'moved') this.#routes.set(log, failure.address)
      else if (failure.kind === 'ask') asked = failure.address
      else {
        this.#routes.delete(log)
        this.turnToNext()
      }
      if (failure.kind !== 'again') this.learn([failure.address])
      // That time ran out tells less than what went wrong before.
      if (problem === undefined || !isSilence(failure.problem)) problem = failure.problem
      // A new master is known to others a moment before it answers, and an old one may be named for a while after it died.
      const isSettled = failure.kind !== 'again' && redirects++ < 5
      if (leftMs() <= (isSettled ? 0 : pauseMs) || this.#connections.isClosed) {
        throw new EdgeError('store-unavailable', `Redis does not take or give what is asked: ${problem}`)
      }
      if (isSettled) continue
      await pause(pauseMs)
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS.max)
    }
  }
}

class OnConnection implements Server {
  readonly connection: Connection
  readonly #isAsking: boolean
  readonly leftMs: () => number

  constructor(connection: Connection, leftMs: () => number, isAsking: boolean) {
    this.connection = connection
    this.leftMs = leftMs
    this.#isAsking = isAsking
  }

  get address(): string {
    return this.connection.address
  }

  async ask(args: readonly string[], timeoutMs = Math.max(this.leftMs() / 2, 1)): Promise<Reply> {
    if (!this.#isAsking) return this.connection.ask(args, timeoutMs)
    // A slot that moves is open to who says so right before.
    const [, reply] = await Promise.all([
      this.connection.ask(['ASKING'], timeoutMs),
      this.connection.ask(args, timeoutMs),
    ])
    return reply
  }

  async run(script: Script, keys: readonly string[], args: readonly string[]): Promise<Reply> {
    const rest = [String(keys.length), ...keys, ...args]
    try {
      return await this.ask(['EVALSHA', script.sha, ...rest])
    } catch (error) {
      if (!(error instanceof ErrorReply && error.message.startsWith('NOSCRIPT'))) throw error
      return await this.ask(['EVAL', script.text, ...rest])
    }
  }
}
