/**
 * One report to a collector, by OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
 *
 * A collector is no friend: it may not answer, break off, or answer without end. One connection, one attempt at a time, a time for all of
 * it, and so many bytes of its answer are read; a redirect is not followed, since it would carry keys elsewhere.
 */
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { VERSION } from '../base/version.ts'
import type { CollectorSettings } from '../contract/telemetry.ts'
import { readFields } from './protobuf.ts'

export type Delivery =
  /** `rejected` of them were not taken, for a reason that trying again does not change. */
  | { readonly kind: 'accepted'; readonly rejected: number; readonly message: string }
  /** Trying again may help; not before `afterMs`, where the collector says so. */
  | { readonly kind: 'later'; readonly why: string; readonly afterMs: number | undefined }
  /** Trying again will not help. */
  | { readonly kind: 'refused'; readonly why: string }

/** Of an answer: room for a partial success with a long message. */
const ANSWER_BYTES_MAX = 64 * 1024
const MESSAGE_MAX = 200
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504])

const compressed = promisify(gzip)

export class Collector {
  readonly #settings: CollectorSettings
  readonly #contentType: string
  readonly #url: URL
  readonly #agent: HttpAgent | HttpsAgent
  #abort: (() => void) | undefined
  #isClosed = false

  constructor(settings: CollectorSettings, contentType: string) {
    this.#settings = settings
    this.#contentType = contentType
    this.#url = new URL(settings.url)
    const kept = { keepAlive: true, maxSockets: 1 }
    this.#agent =
      this.#url.protocol === 'https:'
        ? new HttpsAgent({ ...kept, ...(settings.ca !== undefined && { ca: settings.ca }) })
        : new HttpAgent(kept)
  }

  async send(report: Buffer): Promise<Delivery> {
    const isGzip = this.#settings.compression === 'gzip'
    const body = isGzip ? await compressed(report, { level: constants.Z_BEST_SPEED }) : report
    // It may have been closed while this was compressed, or put together.
    if (this.#isClosed) return { kind: 'later', why: 'it was given up', afterMs: undefined }
    return this.#post(body, isGzip)
  }

  /** Ends an attempt that is under way, and lets the connection go. None is made from here on. */
  close(): void {
    this.#isClosed = true
    this.#abort?.()
    this.#agent.destroy()
  }

  #post(body: Buffer, isGzip: boolean): Promise<Delivery> {
    const { headers, timeoutMs } = this.#settings
    return new Promise((resolve) => {
      const options = {
        method: 'POST',
        agent: this.#agent,
        headers: {
          'user-agent': `orla/${VERSION}`,
          ...headers,
          'content-type': this.#contentType,
          'content-length': body.length,
          ...(isGzip && { 'content-encoding': 'gzip' }),
        },
      }
      const isTls = this.#url.protocol === 'https:'
      const request = isTls ? requestHttps(this.#url, options) : requestHttp(this.#url, options)
      const settle = (delivery: Delivery) => {
        clearTimeout(timer)
        this.#abort = undefined
        resolve(delivery)
      }
      const end = (why: string) => {
        request.destroy()
        settle({ kind: 'later', why, afterMs: undefined })
      }
      const timer = setTimeout(() => end(`no answer within ${timeoutMs} ms`), timeoutMs)
      this.#abort = () => end('it was given up')
      request.on('error', (error: NodeJS.ErrnoException) =>
        settle({ kind: 'later', why: error.code ?? error.message.slice(0, MESSAGE_MAX), afterMs: undefined }),
      )
      request.on('response', (response) => {
        // The status says what counts: a body that takes too long, or is given up, does not change it.
        clearTimeout(timer)
        const late = setTimeout(() => response.destroy(), timeoutMs)
        this.#abort = () => response.destroy()
        readAnswer(response, (answer) => {
          clearTimeout(late)
          settle(deliveryOf(response, answer))
        })
      })
      request.end(body)
    })
  }
}

/** Calls `done` once: with the whole answer, or empty where it is too long or breaks off. */
function readAnswer(response: IncomingMessage, done: (answer: Buffer) => void): void {
  const pieces: Buffer[] = []
  let length = 0
  response.on('data', (piece: Buffer) => {
    length += piece.length
    if (length > ANSWER_BYTES_MAX) response.destroy()
    else pieces.push(piece)
  })
  response.on('error', () => {})
  response.on('close', () =>
    done(response.complete && length <= ANSWER_BYTES_MAX ? Buffer.concat(pieces) : NOTHING),
  )
}

const NOTHING = Buffer.alloc(0)

function deliveryOf(response: IncomingMessage, answer: Buffer): Delivery {
  const status = response.statusCode ?? 0
  const type = response.headers['content-type'] ?? ''
  if (status >= 200 && status < 300) return { kind: 'accepted', ...partialSuccess(answer, type) }
  const why = `status ${status}${reasonIn(answer, type)}`
  if (!RETRYABLE.has(status)) return { kind: 'refused', why }
  return { kind: 'later', why, afterMs: retryAfterMs(response.headers['retry-after']) }
}

/** RFC 9110 §10.2.3: seconds, or a date. */
export function retryAfterMs(text: string | undefined, nowMs = Date.now()): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

interface PartialSuccess {
  readonly rejected: number
  readonly message: string
}

const ALL_TAKEN: PartialSuccess = { rejected: 0, message: '' }

/** What a collector says of items that it did not take. What cannot be read says nothing. */
function partialSuccess(answer: Buffer, type: string): PartialSuccess {
  if (answer.length === 0) return ALL_TAKEN
  if (!type.includes('json')) {
    const part = readFields(answer)?.get(1)
    const fields = Buffer.isBuffer(part) ? readFields(part) : undefined
    return partOf(fields?.get(1), fields?.get(2))
  }
  const part = propertyOf(parsed(answer), 'partialSuccess')
  const rejected = propertyOf(part, 'rejectedSpans') ?? propertyOf(part, 'rejectedDataPoints')
  return partOf(Number(rejected ?? 0), propertyOf(part, 'errorMessage'))
}

function partOf(rejected: unknown, message: unknown): PartialSuccess {
  const count = typeof rejected === 'number' && rejected > 0 ? Math.floor(rejected) : 0
  return { rejected: Number.isFinite(count) ? count : 0, message: legible(message) }
}

/** `google.rpc.Status` tells why, in either form; so does a plain text. */
function reasonIn(answer: Buffer, type: string): string {
  const message = type.includes('json')
    ? propertyOf(parsed(answer), 'message')
    : type.includes('protobuf')
      ? readFields(answer)?.get(2)
      : type.startsWith('text/plain')
        ? answer
        : undefined
  const text = legible(message)
  return text === '' ? '' : `: ${text}`
}

/** A line of what somebody else wrote, for our log. */
function legible(message: unknown): string {
  const text = Buffer.isBuffer(message)
    ? message.toString('utf8')
    : typeof message === 'string'
      ? message
      : ''
  return text
    .slice(0, MESSAGE_MAX)
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
}

function parsed(answer: Buffer): unknown {
  try {
    return JSON.parse(answer.toString('utf8'))
  } catch {
    return undefined
  }
}

const propertyOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
