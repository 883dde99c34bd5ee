/**
 * A response in the cache: whole, immutable, and with everything that a hit needs made ready beforehand.
 *
 * A hit is written as one string: `headPrefix`, the few lines that change from second to second, and `bodyText`. That
 * is why a small body is kept as text beside its bytes.
 */
import { headerValue, headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { boundedStatus } from './cache-status.ts'
import { Encodings } from './encodings.ts'
import { formatHttpDate } from './http-date.ts'
import { notModifiedHeaders } from './conditional.ts'
import type { Hit } from './lookup.ts'
import type { StoredBody } from './stored-body.ts'
import type { StorePlan } from './storing.ts'
import { parseHeaderLines } from '../fields.ts'
import { passedHeaders } from './passed-headers.ts'
import { OWN_FIELD } from './targeted-control.ts'
import { sharedName } from './shared-names.ts'
import { ageOf, copyText } from './text.ts'
import { updatedHeaders } from './updating.ts'
import type { Variants } from './variants.ts'
import type { Selecting } from './vary.ts'

/** Bodies up to this size are also had as text: with the head they make one write. */
const BODY_TEXT_BYTES_MAX = 4096

/**
 * Headers of one connection or one moment, which are not kept (RFC 9111 §3.1); ours take the place of the last four.
 */
const NOT_KEPT = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'age',
  'cache-status',
  'content-length',
  'transfer-encoding',
])

/** The clock may have been set back this much before an entry seems to come from the future, and is not trusted. */
const CLOCK_SKEW_MS = 60_000

/**
 * What a response weighs beyond its text and body. Together with the sums in `bytes` it came out 3 to 40 % above the
 * memory that 50 000 entries really took, from a bare one of 2 bytes to one of 4 kB with ten headers.
 */
const RESPONSE_OVERHEAD_BYTES = 1024
const HEADER_OVERHEAD_BYTES = 64
const CHOICE_OVERHEAD_BYTES = 128
/** Its place in the index of tags, and its own text. */
const TAG_OVERHEAD_BYTES = 128
const NO_TAGS: readonly string[] = []

/** A response as it came from the origin, or as units made it. */
export interface IncomingResponse {
  readonly status: number
  readonly reason: string
  readonly headers: HeaderList
  /** Names that `Connection` gave. */
  readonly nominated?: readonly string[]
  /** The headers as the origin sent them, where units changed them since. */
  readonly before?: HeaderList | undefined
  /** Seconds for which it is fresh, whatever its headers say. */
  readonly ttlSeconds?: number | undefined
}

export class StoredResponse {
  readonly kind = 'response'
  readonly status: number
  readonly reason: string
  /**
   * End-to-end headers with `content-length`; without `age`, `cache-status` and those of a connection. With what is for this cache
   * alone, which `headPrefix` has not.
   */
  readonly headers: HeaderList
  readonly body: StoredBody
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly date: string | undefined
  /** `Cache-Status` of the caches before us, for `appendCacheStatus`. */
  priorCacheStatus: string | undefined
  /** Fresh from `notBeforeMs` to before this. −∞: never without asking. */
  freshUntilMs: number
  /** As it was stored. */
  readonly plan: StorePlan
  readonly responseTimeMs: number
  readonly selecting: Selecting
  /** Names that it can be purged by, see `purging/response-tags.ts`: known once it is known under which key it stands. */
  tags: readonly string[] = NO_TAGS
  /** The last purge that it was checked against: those after it are not known to mean it or not. */
  purgeNumber = 0
  /** The header lines as the origin sent them, where units changed them: what a 304 is about. */
  readonly beforeLines: string | undefined
  /**
   * The status line and the headers, each line with its end; `age`, `cache-status`, `connection` and the empty line
   * are for the one who sends it. `date` is the origin's (RFC 9110 §6.6.1: when the message was made, so it is not
   * rewritten).
   */
  readonly headPrefix: string

  /** For the pipeline: the head as it was last sent, and the second (since 1970) it is good for. */
  headText = ''
  headTextSecond = -1

  /** For the cache: the one result object of its hits, and the set it belongs to. */
  readonly hit: Hit
  owner: Variants | undefined = undefined
  slot = ''

  #encodings: Encodings | undefined
  #bodyText: string | undefined
  #notModifiedPrefix: string | undefined

  constructor(
    response: IncomingResponse,
    body: StoredBody,
    plan: StorePlan,
    selecting: Selecting,
    responseTimeMs: number,
  ) {
    const kept = keptHeaders(response, body.length, responseTimeMs, plan.withheld)
    const sent = passedHeaders(kept)
    this.status = response.status
    this.reason = copyText(response.reason)
    this.headPrefix = copyText(`HTTP/1.1 ${response.status} ${response.reason}\r\n${headerLines(sent)}`)
    this.headers = cutHeaders(this.headPrefix, sent)
    // It is not sent, but a 304 that does not repeat it leaves it as it was.
    const own = sent === kept ? undefined : headerValues(kept, OWN_FIELD)
    if (own !== undefined) this.headers = [...this.headers, OWN_FIELD, copyText(own)]
    this.body = body
    this.etag = headerValue(this.headers, 'etag')
    this.lastModified = headerValue(this.headers, 'last-modified')
    this.date = headerValue(this.headers, 'date')
    const told = headerValues(response.headers, 'cache-status')
    const prior = told === undefined ? undefined : boundedStatus(told)
    this.priorCacheStatus = prior === undefined ? undefined : copyText(prior)
    this.freshUntilMs = plan.freshUntilMs
    this.plan = plan
    this.responseTimeMs = responseTimeMs
    this.selecting = selecting
    this.beforeLines =
      response.before &&
      copyText(
        headerLines(
          keptHeaders({ ...response, headers: response.before }, body.length, responseTimeMs, plan.withheld),
        ),
      )
    this.hit = {
      kind: 'hit',
      entry: this,
      ageSeconds: 0,
      ttlSeconds: 0,
      hasRange: false,
      isNotModified: false,
      isFromDisk: false,
    }
  }

  /** The body, a character a byte; undefined where it is too long to be worth it. */
  get bodyText(): string | undefined {
    if (this.body.length > BODY_TEXT_BYTES_MAX) return undefined
    return (this.#bodyText ??= this.body.bytes.toString('latin1'))
  }

  /** `headPrefix` of the `304` that stands for this response. */
  get notModifiedPrefix(): string {
    return (this.#notModifiedPrefix ??= copyText(
      `HTTP/1.1 304 Not Modified\r\n${headerLines(notModifiedHeaders(this.headers))}`,
    ))
  }

  /** What a 304 with these headers makes of it, before units have looked at it. */
  updatedBy(headers: HeaderList): IncomingResponse {
    const stored = this.beforeHeaders ?? this.headers
    return { status: this.status, reason: this.reason, headers: updatedHeaders(stored, headers) }
  }

  /** As the origin sent them, where units changed them. */
  get beforeHeaders(): HeaderList | undefined {
    return this.beforeLines === undefined ? undefined : parseHeaderLines(this.beforeLines)
  }

  /** What it stands under. */
  get key(): string {
    return this.owner?.key ?? this.slot
  }

  /** It is stale from this moment on, as if its time were up. False: it was before. */
  expire(nowMs: number): boolean {
    if (this.freshUntilMs <= nowMs) return false
    this.freshUntilMs = nowMs
    return true
  }

  /** It in other codings. */
  get encodings(): Encodings {
    return (this.#encodings ??= new Encodings())
  }

  /** Takes over the bodies that were made of the same body, before a 304 renewed it. */
  inheritEncodings(before: StoredResponse): void {
    if (before.#encodings === undefined || before.body !== this.body) return
    for (const [coding, body] of before.#encodings.bodies) this.encodings.bodies.set(coding, body)
  }

  /** The same response with another body and head. */
  withBody(
    headers: HeaderList,
    body: StoredBody,
    status = this.status,
    reason = this.reason,
  ): StoredResponse {
    const { bornMs, freshUntilMs, selecting } = this
    const plan: StorePlan = {
      store: true,
      bornMs,
      freshUntilMs,
      staleAllowed: this.staleAllowed,
      staleWhileRevalidateMs: this.staleWhileRevalidateMs,
      staleIfErrorMs: this.staleIfErrorMs,
      withheld: [],
      lifetimeSource: 'none',
      vary: [],
    }
    const view = new StoredResponse({ status, reason, headers }, body, plan, selecting, this.responseTimeMs)
    view.priorCacheStatus = this.priorCacheStatus
    return view
  }

  /** When the origin made it, by our clock: its age is a moment minus this. */
  get bornMs(): number {
    return this.plan.bornMs
  }

  // The rest as `StorePlan` has it.

  get staleAllowed(): boolean {
    return this.plan.staleAllowed
  }

  get staleWhileRevalidateMs(): number {
    return this.plan.staleWhileRevalidateMs
  }

  get staleIfErrorMs(): number {
    return this.plan.staleIfErrorMs
  }

  get notBeforeMs(): number {
    return this.responseTimeMs - CLOCK_SKEW_MS
  }

  isFresh(nowMs: number): boolean {
    return nowMs < this.freshUntilMs && nowMs >= this.notBeforeMs
  }

  ageSeconds(nowMs: number): number {
    return ageOf(this.bornMs, nowMs)
  }

  /**
   * What it takes in memory, with all that is made later, to within some tens of percent; never too little for its
   * body.
   */
  get bytes(): number {
    const text = this.headPrefix.length
    // Three heads: the prefix, the one of the 304, and the one last sent.
    let bytes =
      this.body.memoryBytes +
      3 * text +
      (this.headers.length / 2) * HEADER_OVERHEAD_BYTES +
      RESPONSE_OVERHEAD_BYTES
    if (this.body.length <= BODY_TEXT_BYTES_MAX) bytes += this.body.length
    for (const { received } of this.selecting) bytes += 2 * (received?.length ?? 0) + CHOICE_OVERHEAD_BYTES
    // Each view has heads of its own.
    if (this.#encodings !== undefined)
      bytes +=
        this.#encodings.bytes + (this.#encodings.bodies.size + 1) * (3 * text + RESPONSE_OVERHEAD_BYTES)
    for (const tag of this.tags) bytes += tag.length + TAG_OVERHEAD_BYTES
    return bytes + (this.priorCacheStatus?.length ?? 0) + (this.beforeLines?.length ?? 0)
  }
}

/** The headers that are kept of a response, less those that are withheld; with its length, where that is known. */
export function keptHeaders(
  response: IncomingResponse,
  bodyBytes: number | undefined,
  responseTimeMs: number,
  withheld: readonly string[],
): HeaderList {
  const { headers, nominated } = response
  const kept: string[] = []
  let hasDate = false
  // What is whole here is served in parts, whatever the origin does (RFC 9110 §14.3): worth its line where there is much of it. What is
  // encoded may be so by us, and is then served whole.
  let isDivisible = response.status === 200 && (bodyBytes ?? 0) > BODY_TEXT_BYTES_MAX
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (NOT_KEPT.has(name) || nominated?.includes(name) === true || withheld.includes(name)) continue
    if (name === 'date') hasDate = true
    if (name === 'accept-ranges' || name === 'content-encoding') isDivisible = false
    kept.push(name, headers[i + 1]!)
  }
  if (isDivisible) kept.push('accept-ranges', 'bytes')
  // RFC 9110 §6.6.1: a recipient with a clock dates what is not dated, if it keeps it.
  if (!hasDate) kept.push('date', formatHttpDate(responseTimeMs))
  // The length is known now, however the body came. RFC 9110 §8.6: none with 204.
  if (response.status !== 204 && bodyBytes !== undefined) kept.push('content-length', String(bodyBytes))
  return kept
}

export function headerLines(headers: HeaderList): string {
  let lines = ''
  for (let i = 0; i < headers.length; i += 2) lines += `${headers[i]}: ${headers[i + 1]}\r\n`
  return lines
}

/** The same names and values, as pieces of the prefix: they then share its memory, and keep no other text alive. */
function cutHeaders(prefix: string, headers: HeaderList): HeaderList {
  const cut: string[] = []
  let at = prefix.indexOf('\r\n') + 2
  for (let i = 0; i < headers.length; i += 2) {
    const nameEnd = at + headers[i]!.length
    const valueEnd = nameEnd + 2 + headers[i + 1]!.length
    cut.push(sharedName(headers[i]!) ?? prefix.slice(at, nameEnd), prefix.slice(nameEnd + 2, valueEnd))
    at = valueEnd + 2
  }
  // Pushing leaves room for more, which would never be used.
  return cut.slice()
}
