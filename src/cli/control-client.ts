/**
 * Talks to a control plane: JSON there and back, and what goes wrong in words for a person at a terminal.
 *
 * On `node:http` and not on `fetch`, whose code takes as long to load as the rest of the command: a deploy is meant to be
 * felt as instant.
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EdgeError } from '../base/errors.ts'
import { ERROR_CODES, type ErrorCode } from '../base/error-codes.ts'
import type { ProblemDetails } from '../control/shapes.ts'
import { type Arguments, UsageError } from './arguments.ts'
import type { Terminal } from './command.ts'

/** Where a token asks too much: how often it is tried, and how long it is waited for at most. */
const TRIES_MAX = 5
const WAIT_MAX_SECONDS = 10

const DEFAULT_URL = 'http://127.0.0.1:8081'

/** What the control plane says when it refuses (RFC 9457). What answers need not be one: every part may be absent. */
export type Refusal = Partial<ProblemDetails>

/** A refusal with all that was said about it. */
export class ControlRefusal extends EdgeError {
  readonly details: Refusal

  constructor(code: ErrorCode, details: Refusal, status: number) {
    const message = details.detail ?? details.title ?? `the control plane answered ${status}`
    super(code, message, details.hint === undefined ? {} : { hint: details.hint })
    this.details = details
  }
}

export interface CallOptions {
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
  /** The body as it is, instead of JSON. */
  readonly bytes?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds without an answer after which the control plane counts as not answering. Default 30 s. */
  readonly timeoutMs?: number
}

export class ControlClient {
  readonly #url: URL
  readonly #token: string | undefined

  constructor(url: URL, token: string | undefined) {
    this.#url = url
    this.#token = token
  }

  static from(args: Arguments, terminal: Terminal): ControlClient {
    const given = args.text('control') ?? nonEmpty(terminal.env['ORLA_CONTROL']) ?? DEFAULT_URL
    const url = URL.canParse(given) ? new URL(given) : undefined
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
      throw new UsageError(`--control takes a URL such as ${DEFAULT_URL}, not "${given}"`)
    }
    const token = args.text('token') ?? nonEmpty(terminal.env['ORLA_TOKEN'])
    return new ControlClient(url, token ?? (isOnThisMachine(url) ? keptToken(terminal.cwd) : undefined))
  }

  /** The JSON of a success. Whatever else comes is thrown as an `EdgeError`. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<unknown> {
    const text = await readText(await this.#answer(method, path, options))
    return text === '' ? undefined : this.#parse(text)
  }

  /** The body of a success, as it is. */
  async bytes(method: string, path: string, options: CallOptions = {}): Promise<Buffer> {
    return readAll(await this.#answer(method, path, options))
  }

  /** The body of a success as it comes: for events. Ends when the control plane does, or `signal` aborts. */
  stream(path: string, query: CallOptions['query'], signal: AbortSignal): Promise<IncomingMessage> {
    return this.#answer('GET', path, query === undefined ? {} : { query }, signal)
  }

  /** The head of a success. Whoever asks too much waits as long as it is told to, some times. */
  async #answer(
    method: string,
    path: string,
    options: CallOptions,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    for (let tries = 1; ; tries += 1) {
      const response = await this.#send(method, path, options, signal)
      if (isSuccess(response)) return response
      const refusal = this.#refusal(response, await readText(response))
      const seconds = Number(response.headers['retry-after'])
      const isToWait = refusal.code === 'too-many-requests' && seconds <= WAIT_MAX_SECONDS
      if (!isToWait || tries === TRIES_MAX) throw refusal
      await sleep(seconds * 1000, undefined, { signal })
    }
  }

  #send(
    method: string,
    path: string,
    { query, body, bytes, headers: more, timeoutMs = 30_000 }: CallOptions,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    const url = new URL(path, this.#url)
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value))
    }
    const content = bytes ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)))
    const type = bytes ? 'application/octet-stream' : 'application/json'
    const headers = {
      ...more,
      accept: 'application/json',
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      ...(content && { 'content-type': type, 'content-length': content.length }),
    }
    // Not by `import`, which reads all that a module exports: what `node:http` exports of `fetch` is loaded by that.
    const { request: send } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http')
    return new Promise((resolve, reject) => {
      const request = send(url, { method, headers, ...(signal && { signal }) }, (response) => {
        request.setTimeout(0)
        resolve(response)
      })
      request.setTimeout(timeoutMs, () => request.destroy(new Error('no answer in time')))
      request.on('error', (error) => reject(this.#unreachable(error)))
      request.end(content)
    })
  }

  #refusal(response: IncomingMessage, text: string): EdgeError {
    const details = response.headers['content-type']?.includes('json') ? this.#parse(text) : {}
    if (typeof details !== 'object' || details === null) return this.#garbage()
    const problem = details as Refusal
    const status = response.statusCode!
    if (status === 401) {
      return new EdgeError(
        'unauthorized',
        `the control plane at ${this.#url.origin} asks for a valid token${problem.detail === undefined ? '' : `: ${problem.detail}`}`,
        {
          hint: 'give that of its configuration, or the one in control.token of its data directory: --token, or $ORLA_TOKEN',
        },
      )
    }
    return new ControlRefusal(codeOf(problem, status), problem, status)
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text) as unknown
    } catch {
      throw this.#garbage()
    }
  }

  #garbage(): EdgeError {
    return new EdgeError('control-unreachable', `what answers at ${this.#url.origin} is not a control plane`)
  }

  #unreachable(error: NodeJS.ErrnoException): EdgeError {
    const at = this.#url.origin
    if (error.code === 'ECONNREFUSED') {
      return new EdgeError(
        'control-unreachable',
        `nothing answers at ${at}; is the node running? (--control)`,
      )
    }
    // llhttp's codes: something listens there that does not speak HTTP.
    if (error.code?.startsWith('HPE_')) return this.#garbage()
    const reason = error.code === 'ECONNRESET' ? 'it closed the connection' : error.message
    return new EdgeError('control-unreachable', `${at} does not answer: ${reason}`, { cause: error })
  }
}

const isSuccess = (response: IncomingMessage): boolean =>
  response.statusCode! >= 200 && response.statusCode! < 300

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text)

function codeOf(problem: Refusal, status: number): ErrorCode {
  if (problem.code !== undefined && Object.hasOwn(ERROR_CODES, problem.code)) return problem.code as ErrorCode
  return status === 504 ? 'not-finished' : 'request-invalid'
}

/** No other machine is sent what lies in a folder here. */
const isOnThisMachine = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname)

/** The token of a node that was started in this folder with the data directory that is the default, or whose data directory this folder is. */
function keptToken(cwd: string): string | undefined {
  for (const path of ['data/control.token', 'control.token']) {
    try {
      return nonEmpty(readFileSync(join(cwd, path), 'utf8').trim())
    } catch {
      // The next one, or none.
    }
  }
  return undefined
}

async function readText(response: IncomingMessage): Promise<string> {
  return (await readAll(response)).toString()
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}
