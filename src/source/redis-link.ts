/**
 * A way to one Redis, a single server or a Cluster, that is opened when it is first needed and again after it broke.
 *
 * One connection (of a Cluster, one to each of its masters) carries all commands, one behind the other without waiting: none that blocks is ever given. After a failure nobody waits
 * for the next attempt: until its time has come, commands fail at once with what went wrong. That is what a unit wants, whose request goes on without it.
 */
import { createClient, createCluster, ErrorReply } from '@redis/client'
import { backOffMs } from '../base/back-off.ts'
import { EdgeError } from '../base/errors.ts'
import { readTlsFiles } from '../base/tls-files.ts'
import type { SourceConfig } from '../config/source-schema.ts'
import { type RedisAddress, redisAddress } from '../config/redis-address.ts'

export type RedisTarget = Pick<SourceConfig, 'url' | 'cluster' | 'username' | 'password' | 'tls' | 'timeout'>

/** As RESP 2 has it; texts in UTF-8. */
export type RedisReply = string | number | null | readonly RedisReply[]

export interface RedisCommand {
  readonly args: readonly string[]
  /** Whose slot it is for, in a Cluster. */
  readonly key: string
  readonly isWrite: boolean
}

/** What the server said no to. The connection is as good as before. */
export class RedisRefusal extends Error {}

/** What node-redis is for us, whether single or Cluster. */
interface Client {
  send(command: RedisCommand): Promise<unknown>
  destroy(): void
}

interface Clock {
  monotonic(): number
}

/** Commands whose answer is waited for, of all units together. */
const PENDING_MAX = 10_000
const BACK_OFF = { firstMs: 100, maxMs: 2_000 }

/** One connection, as long as it is used. */
interface Line {
  readonly client: Promise<Client>
  /** Commands that it owes an answer to, also where nobody waits for it any more. */
  unanswered: number
  /** When it last answered, or began to owe an answer. */
  heardAtMs: number
  watch: NodeJS.Timeout | undefined
}

export class RedisLink {
  readonly #target: RedisTarget
  readonly #clock: Clock
  #line: Line | undefined
  #pending = 0
  #failures = 0
  /** Why and until when nobody tries. */
  #failure: EdgeError | undefined
  #retryAtMs = 0
  #isClosed = false

  constructor(target: RedisTarget, clock: Clock) {
    this.#target = target
    this.#clock = clock
  }

  /**
   * Throws `RedisRefusal` where Redis says no, and `EdgeError` where it does not answer within `timeoutMs`. That ends the wait of this command
   * alone: others may have more time. The connection goes once it was silent for the `timeout` of the source.
   */
  async send(command: RedisCommand, timeoutMs: number = this.#target.timeout): Promise<RedisReply> {
    if (this.#pending >= PENDING_MAX)
      throw unavailable(`more than ${PENDING_MAX} commands wait for its answers`)
    const line = this.#open()
    this.#pending += 1
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(unavailable(silence(timeoutMs))), timeoutMs)
    try {
      return await Promise.race([this.#answer(line, command), late.promise])
    } finally {
      clearTimeout(timer)
      this.#pending -= 1
    }
  }

  close(): void {
    this.#isClosed = true
    if (this.#line) this.#drop(this.#line, 'it is not used any more')
  }

  async #answer(line: Line, command: RedisCommand): Promise<RedisReply> {
    const client = await line.client
    this.#expect(line)
    try {
      return (await client.send(command)) as RedisReply
    } catch (error) {
      if (error instanceof ErrorReply) throw new RedisRefusal(error.message, { cause: error })
      this.#drop(line, messageOf(error))
      throw unavailable(messageOf(error), error)
    } finally {
      this.#heard(line)
    }
  }

  #expect(line: Line): void {
    line.unanswered += 1
    if (line.unanswered > 1) return
    line.heardAtMs = this.#clock.monotonic()
    this.#watch(line, this.#target.timeout)
  }

  #heard(line: Line): void {
    line.unanswered -= 1
    line.heardAtMs = this.#clock.monotonic()
    if (line.unanswered > 0) return
    clearTimeout(line.watch)
    line.watch = undefined
  }

  /** Where nothing comes for that long, what is behind the connection is gone, or hangs. */
  #watch(line: Line, afterMs: number): void {
    const { timeout } = this.#target
    line.watch = setTimeout(() => {
      const leftMs = line.heardAtMs + timeout - this.#clock.monotonic()
      if (leftMs > 0) this.#watch(line, Math.ceil(leftMs))
      else this.#drop(line, silence(timeout))
    }, afterMs)
  }

  #open(): Line {
    if (this.#isClosed) throw unavailable('it is not used any more')
    if (this.#line) return this.#line
    if (this.#failure && this.#clock.monotonic() < this.#retryAtMs) throw this.#failure
    const client: Promise<Client> = connect(this.#target, (reason) => this.#drop(line, reason)).then(
      (opened) => {
        if (this.#line !== line) opened.destroy()
        this.#failures = 0
        return opened
      },
      (error: unknown) => {
        this.#drop(line, messageOf(error))
        throw unavailable(messageOf(error), error)
      },
    )
    client.catch(() => undefined)
    const line: Line = { client, unanswered: 0, heardAtMs: 0, watch: undefined }
    return (this.#line = line)
  }

  /** Whoever waits for its answers is told that it broke. */
  #drop(line: Line, reason: string): void {
    if (this.#line !== line) return
    clearTimeout(line.watch)
    this.#line = undefined
    this.#failure = unavailable(reason)
    this.#failures += 1
    this.#retryAtMs = this.#clock.monotonic() + backOffMs(this.#failures, Math.random, BACK_OFF)
    line.client.then(
      (client) => client.destroy(),
      () => undefined,
    )
  }
}

const silence = (ms: number): string => `no answer within ${ms} ms`

const unavailable = (reason: string, cause?: unknown): EdgeError =>
  new EdgeError('source-unavailable', `Redis does not answer: ${reason}`, { cause })

const messageOf = (error: unknown): string => {
  // A name with several addresses fails with a reason for each: the first is told.
  const first = error instanceof AggregateError ? error.errors[0] : error
  return first instanceof Error ? first.message || first.name : String(first)
}

/** To the first of the addresses that answers. */
async function connect(target: RedisTarget, onBroken: (reason: string) => void): Promise<Client> {
  if (target.cluster === true) return connectCluster(target)
  let failure: unknown
  for (const address of target.url.map(redisAddress)) {
    try {
      return await connectSingle(target, address, onBroken)
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

async function connectSingle(
  target: RedisTarget,
  address: RedisAddress,
  onBroken: (reason: string) => void,
): Promise<Client> {
  const { host, port } = address
  const client = createClient({
    ...shared(target, address),
    database: address.database,
    socket: { host, port, ...socketOf(target, address) },
  })
  client.on('error', (error: Error) => onBroken(messageOf(error)))
  const destroy = (): void => {
    if (client.isOpen) client.destroy()
  }
  const isOneOfMany = await opened(target, destroy, async () => {
    await client.connect()
    return target.cluster === undefined && (await isCluster(client))
  })
  if (isOneOfMany) {
    destroy()
    return connectCluster(target)
  }
  return { send: ({ args }) => client.sendCommand([...args]), destroy }
}

/** The time to connect counts until it answers: a server that stands still accepts, and says nothing. */
async function opened<T>({ timeout }: RedisTarget, destroy: () => void, work: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(silence(timeout))), timeout)
  try {
    return await Promise.race([work(), late.promise])
  } catch (error) {
    destroy()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Where the user may not ask, it is taken for one server. */
async function isCluster(client: { sendCommand(args: string[]): Promise<unknown> }): Promise<boolean> {
  try {
    return String(await client.sendCommand(['INFO', 'cluster'])).includes('cluster_enabled:1')
  } catch (error) {
    if (error instanceof ErrorReply) return false
    throw error
  }
}

async function connectCluster(target: RedisTarget): Promise<Client> {
  const addresses = target.url.map(redisAddress)
  const socket = socketOf(target, addresses[0]!)
  const cluster = createCluster({
    rootNodes: addresses.map(({ host, port }) => ({ socket: { host, port } })),
    defaults: { ...shared(target, addresses[0]!), socket },
  })
  // Told by each command that meets it.
  cluster.on('error', () => undefined)
  const destroy = (): void => {
    if (cluster.isOpen) cluster.destroy()
  }
  await opened(target, destroy, () => cluster.connect())
  return { send: ({ args, key, isWrite }) => cluster.sendCommand(key, !isWrite, [...args]), destroy }
}

const shared = ({ username, password }: RedisTarget, address: RedisAddress) => {
  const user = username ?? address.username
  const secret = password ?? address.password
  return {
    // In RESP 3 some replies have other shapes.
    RESP: 2 as const,
    disableOfflineQueue: true,
    // Of each connection, with those that nobody waits for any more: one master of a Cluster may be silent while others answer.
    commandsQueueMaxLength: PENDING_MAX,
    disableClientInfo: true,
    ...(user !== undefined && { username: user }),
    ...(secret !== undefined && { password: secret }),
  }
}

/** It is opened anew by whoever needs it: see `RedisLink`. */
function socketOf({ timeout, tls }: RedisTarget, { isTls }: RedisAddress) {
  const common = { connectTimeout: timeout, reconnectStrategy: false as const }
  if (!isTls) return common
  return { ...common, tls: true as const, ...readTlsFiles('sources.tls', tls ?? {}) }
}
