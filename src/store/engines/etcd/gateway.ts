/**
 * The members of an etcd, as one: asks one of them, and another where it fails, until the time is over.
 *
 * Whatever is asked may be asked twice, as the answer of the first time may have been lost: all requests of this engine are
 * reads, or transactions that do nothing the second time.
 */
import type { TlsMaterial } from '../../../base/tls-files.ts'
import type { IncomingMessage } from 'node:http'
import { EdgeError } from '../../../base/errors.ts'
import { errorFor, type Failure, failureFrom, failureOf } from './gateway-error.ts'
import { type HttpAnswer, httpCalls } from './http-call.ts'

export interface GatewayOptions {
  readonly urls: readonly string[]
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly tls?: TlsMaterial | undefined
  /** For all tries of one request. */
  readonly timeoutMs: number
  /** From 0 up to 1. */
  readonly random: () => number
}

/** Thrown by `ask` where a revision is gone. */
export class Compacted extends Error {}

export interface Gateway {
  readonly urls: readonly URL[]
  /** Where the members are, without user and password. */
  readonly address: string
  readonly timeoutMs: number
  /** The answer's JSON. Throws `EdgeError`, or `Compacted`. */
  ask(path: string, body: object): Promise<Answer>
  /** The same of one member, asked once. */
  askMember(url: URL, path: string, body: object): Promise<Answer>
  /** An answer that goes on, of the member whose turn it is. */
  stream(path: string, body: object): Promise<IncomingMessage>
  /** The member that is asked first did not do: the next one is. */
  turn(): void
  /** A time of about so many milliseconds: clients that lost one server at one moment do not come back at one moment. */
  jittered(ms: number): number
  close(): void
}

export type Answer = Readonly<Record<string, unknown>>

/** A try that hangs has not used up the time of the others. */
const TRIES_IN_TIME = 3
const PAUSE_MS = 100

export function etcdGateway(options: GatewayOptions): Gateway {
  const { username, password, timeoutMs, random } = options
  const urls = options.urls.map((url) => new URL(url))
  const address = urls.map(({ host }) => host).join(', ')
  const calls = httpCalls(options.tls ?? {})
  let turn = 0
  let token: string | undefined
  let isClosed = false

  const member = (): URL => urls[turn % urls.length]!
  const at = (url: URL, path: string): URL => new URL(url.pathname.replace(/\/$/, '') + path, url.origin)
  const jittered = (ms: number): number => ms * (0.5 + random())

  /** One try at one member, logging in where that is needed. */
  async function once(url: URL, path: string, text: string, tryMs: number): Promise<Answer | Failure> {
    try {
      token ??= await login(url, tryMs)
      const used = token
      const answer = await calls.post(at(url, path), text, { timeoutMs: tryMs, token })
      const read = answerOf(answer)
      // Of several requests with the old token only the first lets it go.
      if ('kind' in read && read.kind === 'token' && token === used) token = undefined
      return read
    } catch (error) {
      return error instanceof LoginFailed ? error.failure : failureFrom(error)
    }
  }

  async function login(url: URL, tryMs: number): Promise<string | undefined> {
    if (username === undefined) return undefined
    const body = JSON.stringify({ name: username, password: password ?? '' })
    const answer = answerOf(await calls.post(at(url, '/v3/auth/authenticate'), body, { timeoutMs: tryMs }))
    if (!isFailure(answer)) return String(answer['token'])
    // As etcd's own client does: where nobody has to log in, nobody does.
    if (/authentication is not enabled/.test(answer.detail)) return undefined
    throw new LoginFailed(answer)
  }

  /** Tries until it is done, refused, or late. */
  async function ask(path: string, body: object): Promise<Answer> {
    const text = JSON.stringify(body)
    const endMs = performance.now() + timeoutMs
    let hasRenewed = false
    let last: Failure = { kind: 'unavailable', detail: 'none' }
    for (let tries = 1; !isClosed; tries += 1) {
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) break
      const url = member()
      const tryMs = Math.min(leftMs, timeoutMs / TRIES_IN_TIME)
      const answer = await once(url, path, text, tryMs)
      if (!isFailure(answer)) return answer
      if (answer.kind === 'compacted') throw new Compacted(answer.detail)
      // One that was cut short by the end says less than the one before.
      if (tries === 1 || tryMs < leftMs) last = answer
      if (answer.kind === 'token' && !hasRenewed) {
        hasRenewed = true
        continue
      }
      // A certificate may be wrong at one member alone; what etcd itself refuses, all of them do.
      if (answer.kind === 'refused' && (answer.cause === undefined || tries >= urls.length)) {
        throw errorFor(answer, address)
      }
      if (member() === url) turn += 1
      const pauseMs = tries % urls.length === 0 ? jittered(PAUSE_MS) : 0
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, Math.min(pauseMs, leftMs))))
    }
    if (isClosed) throw new EdgeError('store-unavailable', `etcd at ${address}: the connection was closed`)
    throw errorFor(
      { ...last, detail: `no answer within ${timeoutMs} ms; the last try: ${last.detail}` },
      address,
    )
  }

  return {
    urls,
    address,
    timeoutMs,
    ask,
    jittered,
    async askMember(url, path, body) {
      const answer = await once(url, path, JSON.stringify(body), timeoutMs / TRIES_IN_TIME)
      if (isFailure(answer)) throw errorFor(answer, url.host)
      return answer
    },
    async stream(path, body) {
      const url = member()
      const tryMs = timeoutMs / TRIES_IN_TIME
      token ??= await login(url, tryMs)
      const response = await calls.open(at(url, path), JSON.stringify(body), { timeoutMs: tryMs, token })
      if (response.statusCode !== 200) {
        response.destroy()
        token = undefined
        throw new EdgeError('store-unavailable', `etcd at ${url.host}: ${response.statusCode}`)
      }
      return response
    },
    turn: () => void (turn += 1),
    close() {
      isClosed = true
      calls.close()
    },
  }
}

class LoginFailed extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.detail)
    this.failure = failure
  }
}

const isFailure = (answer: Answer | Failure): answer is Failure => typeof answer['kind'] === 'string'

function answerOf(answer: HttpAnswer): Answer | Failure {
  if (answer.status !== 200) return failureOf(answer)
  try {
    const value: unknown = JSON.parse(answer.text)
    // Every answer of etcd's has a header; what a proxy or another program says has none.
    if (typeof value === 'object' && value !== null && 'header' in value) return value as Answer
  } catch {
    // Said below.
  }
  return failureOf(answer)
}
