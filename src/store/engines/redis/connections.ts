/**
 * Connections to servers by address, one for each purpose, made when first needed.
 *
 * One that broke, was silent for too long, or said what is not Redis's protocol is not mended but left behind: who asks again gets a new
 * one. So what was written on a connection and its `WAIT` can never be on two of them. node-redis speaks the protocol; where to ask, how
 * often and how long stays with us (decision 0018).
 */
import { EdgeError } from '../../../base/errors.ts'
import { Lifeline } from '../../../base/lifeline.ts'
import { type RedisClient, redisClient, type RedisCredentials } from '../../../base/redis-client.ts'
import { parseInfo, type ServerInfo } from './server-info.ts'

/** What Redis answers. */
export type Reply = string | number | null | readonly Reply[]

/** Reads do not wait behind a write that waits for its replicas; and who subscribes can do nothing else. */
export type Purpose = 'read' | 'write' | 'subscribe'

const SILENCE = 'no answer within'

/** Whether a problem is that nothing came. */
export const isSilence = (problem: string): boolean => problem.includes(SILENCE)

export class Connection {
  readonly address: string
  /** Undefined where this user may not ask for it. */
  info: ServerInfo | undefined
  /** Resolves when it is of no more use. */
  readonly ended: Promise<void>
  readonly #client: RedisClient
  readonly #end: () => void
  readonly #life = new Lifeline()

  constructor(address: string, credentials: RedisCredentials, timeoutMs: number) {
    this.address = address
    this.#client = redisClient(address, credentials, timeoutMs)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    this.#end = resolve
    this.#client.on('error', (error: Error) => this.end(error))
  }

  get isUsable(): boolean {
    return this.#life.problem === undefined
  }

  async open(timeoutMs: number): Promise<this> {
    await this.#inTime(this.#client.connect(), timeoutMs)
    return this
  }

  /** Throws an `ErrorReply` where Redis refuses, else what is wrong with the connection. */
  async ask(args: readonly string[], timeoutMs: number): Promise<Reply> {
    return this.#inTime(this.#client.sendCommand<Reply>(args), timeoutMs)
  }

  async subscribe(channel: string, onMessage: (message: string) => void, timeoutMs: number): Promise<void> {
    await this.#inTime(this.#client.subscribe(channel, onMessage), timeoutMs)
  }

  /** Whoever still waits for an answer on it is told the problem. */
  end(problem: Error): void {
    if (!this.#life.cut(problem)) return
    try {
      this.#client.destroy()
    } catch {
      // It was closed already.
    }
    this.#end()
  }

  /** What is in the queue of a client that never became ready is not always told of its end. */
  #inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
    return this.#life.hold(timeoutMs, work, () =>
      this.end(new Error(`${SILENCE} ${Math.round(timeoutMs)} ms`)),
    )
  }
}

export class Connections {
  readonly #credentials: RedisCredentials
  readonly #onOpen: (connection: Connection, timeoutMs: number) => Promise<void>
  readonly #open = new Map<string, Promise<Connection>>()
  /** Also those that are not open yet. */
  readonly #all = new Set<Connection>()
  #isClosed = false

  /** `onOpen` is called once for each connection, before anybody gets it. */
  constructor(
    credentials: RedisCredentials,
    onOpen: (connection: Connection, timeoutMs: number) => Promise<void> = async () => {},
  ) {
    this.#credentials = credentials
    this.#onOpen = onOpen
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  async to(address: string, purpose: Purpose, timeoutMs: number): Promise<Connection> {
    if (this.#isClosed) throw closed()
    const key = `${purpose} ${address}`
    const there = this.#open.get(key)
    if (there !== undefined) {
      const connection = await there
      if (connection.isUsable) return connection
    }
    // Others may have come here first while it was waited for.
    const other = this.#open.get(key)
    if (other !== undefined && other !== there) return other
    const opening = this.#connect(address, timeoutMs)
    this.#open.set(key, opening)
    opening.catch(() => {
      if (this.#open.get(key) === opening) this.#open.delete(key)
    })
    return opening
  }

  async #connect(address: string, timeoutMs: number): Promise<Connection> {
    const connection = new Connection(address, this.#credentials, timeoutMs)
    this.#all.add(connection)
    void connection.ended.then(() => this.#all.delete(connection))
    const deadline = performance.now() + timeoutMs
    const leftMs = () => Math.max(deadline - performance.now(), 1)
    try {
      await connection.open(timeoutMs)
      connection.info = await askInfo(connection, leftMs())
      await this.#onOpen(connection, leftMs())
      if (this.#isClosed) throw closed()
      return connection
    } catch (error) {
      connection.end(error as Error)
      throw error
    }
  }

  close(): void {
    this.#isClosed = true
    for (const connection of this.#all) connection.end(closed())
    this.#open.clear()
  }
}

const closed = () => new EdgeError('store-unavailable', 'the engine of the store is closed')

export async function askInfo(connection: Connection, timeoutMs: number): Promise<ServerInfo | undefined> {
  let text: Reply
  try {
    text = await connection.ask(['INFO'], timeoutMs)
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return undefined
    throw error
  }
  const info = typeof text === 'string' ? parseInfo(text) : undefined
  if (info === undefined) throw new Error('what answers there is not Redis')
  return info
}
