/**
 * One request through the phases of one unit, as the pipeline sends it: what the unit answered, or what the origin did, and the request
 * as the unit left it.
 *
 * There is neither a site nor a cache: the origin's answer is given. A phase that fails ends it, whatever the unit's `onError` says: a test
 * is there to see that.
 */
import { systemClock } from '../base/clock.ts'
import type { Trip, TripOutcome, UnitBody } from '../contract/unit-runner.ts'
import { PHASE_BITS, type FailureReason, type Phase, type UnitVersion } from '../contract/unit.ts'
import { Client } from '../http/client.ts'
import { editHeaders, type Edits, parseEdits, parseOriginEdits } from '../http/edits.ts'
import { newPiece, pieceText } from '../http/body/piece-text.ts'
import { statedTtlSeconds } from '../http/caching/freshness.ts'
import { parseHeaderLines } from '../http/fields.ts'
import type { LimitedRequest } from '../http/limits/request-limit.ts'
import { UnitStates } from '../http/unit-states.ts'
import { requestEdits } from '../http/unit-trip.ts'
import type { UnitDispatcher } from '../sandbox/unit-dispatcher.ts'
import { headerValue, inLowerCase, type HeaderList } from '../wire/http1/message.ts'
import { serialiseHeaders } from '../wire/http1/serialise.ts'
import type { TrialLimits } from './trial-limits.ts'

/** The endpoints of a site that is played: two, so that a unit can choose. */
export const ENDPOINTS = ['http://origin-1.example.org', 'http://origin-2.example.org']

/** Bytes of a streamed body. */
const BODY_MAX = 16 * 1024 * 1024
/** Milliseconds in which a streamed body has to end: many are made to go on for as long as somebody reads. */
const STREAM_MS_MAX = 30_000

export interface UnitRequest {
  readonly method: string
  /** Path and query, in origin form. */
  readonly target: string
  /** With `host`. */
  readonly headers: HeaderList
  /** A character a byte. */
  readonly body: string
  readonly address: string
  readonly scheme: 'http' | 'https'
  /** Who the origin's endpoints are, by name. */
  readonly endpoints: readonly string[]
  readonly origin: UnitResponse
}

export interface UnitResponse {
  readonly status: number
  readonly headers: HeaderList
  /** A character a byte. */
  readonly body: string
}

export interface UnitAnswer {
  readonly response: UnitResponse
  /** `limit`: one of the unit's field refused, and the unit did not run. */
  readonly by: 'unit' | 'origin' | 'limit'
  readonly request: {
    readonly method: string
    readonly path: string
    readonly query: string
    readonly headers: HeaderList
    /** The one that `origin` chose. */
    readonly endpoint: string | undefined
  }
  /** What `rewrite` or `access` said that the answer is kept under. */
  readonly cacheKey: string | undefined
  /** For how many seconds `originResponse` said that the answer is kept. */
  readonly ttlSeconds: number | undefined
  /** What each phase that ran cost, in microseconds of CPU. */
  readonly runs: readonly { readonly phase: Phase; readonly cpuUs: number }[]
}

/** A phase failed. */
export class PhaseFailed extends Error {
  readonly phase: Phase

  constructor({ phase, reason, message }: Extract<TripOutcome, { kind: 'failed' }>) {
    super(reason === 'throw' ? `${phase}: ${message}` : `${phase} failed (${reason}): ${message}`)
    this.phase = phase
  }
}

export interface RequestOptions {
  /** Tells what was used since it was last asked, where that is measured better than the runner does. */
  readonly takeCpuUs?: () => number
  /** A streamed body ends where this is aborted. */
  readonly wanted?: AbortSignal
  /** What it has to pass first. Absent: nothing. */
  readonly limits?: TrialLimits
}

export async function runRequest(
  runner: UnitDispatcher,
  unit: UnitVersion,
  request: UnitRequest,
  options: RequestOptions,
): Promise<UnitAnswer> {
  const course = new Course(runner, unit, request, options)
  const refusal = await options.limits?.refusal(limitedRequest(request))
  if (refusal !== undefined) {
    const left = requestLeft(request, valid(parseOriginEdits('', 'origin')))
    return {
      response: refusal,
      by: 'limit',
      request: left,
      cacheKey: undefined,
      ttlSeconds: undefined,
      runs: [],
    }
  }
  const { edits, made } = await beforeOrigin(course)
  const ofRequest = requestEdits(edits)
  const went = made === undefined ? await aroundOrigin(course, ofRequest) : undefined
  const staged = valid(parseEdits(edits))
  let response = withEdits(went?.response ?? made!, staged)

  if (course.has('headerFilter')) {
    const outcome = await course.run('headerFilter', ofRequest, { response: responseText(response) })
    response = withEdits(response, valid(parseEdits(outcome.edits)))
  }
  if (course.has('bodyFilter')) {
    const before = Buffer.from(response.body, 'latin1')
    const body = pieceText(before, true, unit.manifest.chunks === 'text')
    const outcome = await course.run('bodyFilter', ofRequest, { response: responseText(response), body })
    if (outcome.kind === 'response')
      response = { ...response, body: Buffer.concat(newPiece(before, outcome)).toString('latin1') }
  }
  if (course.has('log')) await course.run('log', ofRequest, { response: responseText(response) })
  return {
    response,
    by: went?.by ?? 'unit',
    request: requestLeft(request, valid(parseOriginEdits(withoutKey(went?.asked ?? ofRequest), 'origin'))),
    cacheKey: staged.cacheKey,
    ttlSeconds: went?.ttlSeconds,
    runs: course.runs,
  }
}

/** The request as limits look at it. */
function limitedRequest({ method, target, headers, address }: UnitRequest): LimitedRequest {
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const list = inLowerCase(headers)
  const host = headerValue(list, 'host') ?? ''
  const client = new Client({
    address,
    port: 0,
    scheme: 'http',
    forwardedHost: undefined,
    certificate: undefined,
  })
  return { head: { method, path, host, headers: list }, client, connection: {}, startedMs: performance.now() }
}

/** What the answer is kept under is nothing that the origin is asked. */
const withoutKey = (edits: string): string => edits.replaceAll(/^k .*\n/gm, '')

type Went = Exclude<TripOutcome, { kind: 'failed' }>

/** Runs phase after phase, and keeps what they cost and what the unit keeps of the request. */
class Course {
  readonly request: UnitRequest
  readonly runs: { phase: Phase; cpuUs: number }[] = []
  readonly #runner: UnitDispatcher
  readonly #unit: UnitVersion
  readonly #options: RequestOptions
  readonly #head: string
  readonly #states = new UnitStates()

  constructor(runner: UnitDispatcher, unit: UnitVersion, request: UnitRequest, options: RequestOptions) {
    this.#runner = runner
    this.#unit = unit
    this.#options = options
    this.#head = `${request.method} ${request.target} HTTP/1.1\r\n${serialiseHeaders(request.headers)}`
    this.request = request
  }

  has(phase: Phase): boolean {
    return (this.#unit.phases & PHASE_BITS[phase]) !== 0
  }

  /** `edits` are those of the phases before; `meta` is what this phase alone is told. Throws `PhaseFailed`. */
  async run(
    phase: Phase,
    edits: string,
    parts: { readonly response?: string; readonly body?: Trip['body']; readonly meta?: object } = {},
  ): Promise<Went> {
    const { takeCpuUs, wanted } = this.#options
    const { address, scheme } = this.request
    const { response = '', body = '', meta = {} } = parts
    const trip = {
      meta: JSON.stringify({ client: { address, port: 50_000, scheme }, scheme, ...meta }),
      head: this.#head,
      response,
      edits: edits + this.#states.lines,
      body,
    }
    const outcome = await tripOf(this.#runner, this.#unit, phase, trip, wanted)
    if (takeCpuUs) this.runs.push({ phase, cpuUs: takeCpuUs() })
    else for (const { cpuUs } of outcome.runs) this.runs.push({ phase, cpuUs })
    if (outcome.kind === 'failed') throw new PhaseFailed(outcome)
    return { ...outcome, edits: this.#states.take(outcome.edits) }
  }
}

/** The phases up to `content`: what they changed, and the answer that one of them made. */
async function beforeOrigin(course: Course): Promise<{ edits: string; made: UnitResponse | undefined }> {
  let edits = ''
  for (const phase of ['rewrite', 'access', 'content'] as const) {
    if (!course.has(phase)) continue
    const outcome = await course.run(phase, edits, phase === 'content' ? { body: course.request.body } : {})
    edits += outcome.edits
    if (outcome.kind === 'response') return { edits, made: responseOf(outcome) }
  }
  return { edits, made: undefined }
}

interface AroundOrigin {
  readonly response: UnitResponse
  readonly by: UnitAnswer['by']
  /** Edits of the request as the origin sees it: those of `origin` are for it and for `originResponse` alone. */
  readonly asked: string
  readonly ttlSeconds: number | undefined
}

/** `origin`, the origin's answer or what stands in for it, and `originResponse`. */
async function aroundOrigin(course: Course, ofRequest: string): Promise<AroundOrigin> {
  const { origin, endpoints } = course.request
  let went: AroundOrigin = { response: origin, by: 'origin', asked: ofRequest, ttlSeconds: undefined }
  if (course.has('origin')) {
    const outcome = await course.run('origin', ofRequest, { meta: { endpoints } })
    went = { ...went, asked: ofRequest + outcome.edits }
    if (outcome.kind === 'response') {
      // The pipeline gives what stands in for an origin's answer the shape of one.
      const answer = responseOf(outcome)
      went = { ...went, response: { ...answer, headers: inLowerCase(answer.headers) }, by: 'unit' }
    }
  }
  if (!course.has('originResponse')) return went
  const { response, asked } = went
  const ttl = statedTtlSeconds(response.status, response.headers, systemClock.now())
  const parts = { response: responseText(response), meta: ttl === undefined ? {} : { ttl } }
  const { edits } = await course.run('originResponse', asked, parts)
  const changed = valid(parseOriginEdits(edits, 'originResponse'))
  return { ...went, response: withEdits(response, changed), ttlSeconds: changed.ttlSeconds }
}

export function tripOf(
  runner: UnitDispatcher,
  unit: UnitVersion,
  phase: Phase,
  parts: Pick<Trip, 'meta' | 'head' | 'response' | 'edits' | 'body'>,
  wanted?: AbortSignal,
): Promise<TripOutcome> {
  return new Promise((done) => {
    const whole = (outcome: TripOutcome): void => {
      if (outcome.kind === 'response' && outcome.stream) gather(outcome.stream, outcome, done, wanted)
      else done(outcome)
    }
    runner.run({ steps: [{ unit, phases: PHASE_BITS[phase] }], ...parts, done: whole })
  })
}

type Responded = Extract<TripOutcome, { kind: 'response' }>

/**
 * A streamed body as a whole one: a test sees the answer when it has ended. Where nobody waits for it any more it is cancelled: the end of a
 * trial waits for what is open.
 */
function gather(
  stream: UnitBody,
  outcome: Responded,
  done: (outcome: TripOutcome) => void,
  wanted: AbortSignal | undefined,
): void {
  const pieces: Buffer[] = []
  let bytes = 0
  const { step, phase, edits, runs } = outcome
  const over = (of: TripOutcome): void => {
    clearTimeout(timer)
    wanted?.removeEventListener('abort', leave)
    done(of)
  }
  const failed = (reason: FailureReason, message: string): void =>
    over({ kind: 'failed', step, phase, edits, runs, reason, message })
  const giveUp = (reason: FailureReason, message: string): void => {
    stream.cancel(message)
    failed(reason, message)
  }
  const leave = (): void => giveUp('wall', 'nobody waits for its body any more')
  const tooLate = `its body did not end within ${STREAM_MS_MAX} ms, and nobody waits longer`
  const timer = setTimeout(() => giveUp('wall', tooLate), STREAM_MS_MAX)
  if (wanted?.aborted === true) {
    leave()
    return
  }
  wanted?.addEventListener('abort', leave)
  stream.start({
    write(piece) {
      pieces.push(piece)
      bytes += piece.length
      if (bytes <= BODY_MAX) return true
      giveUp('throw', `its body has more than ${BODY_MAX} bytes, which a test does not hold`)
      return false
    },
    end: () => over({ ...outcome, body: Buffer.concat(pieces), stream: undefined }),
    fail: failed,
  })
}

function responseOf({ status, headers, body }: Extract<TripOutcome, { kind: 'response' }>): UnitResponse {
  const bytes =
    typeof body === 'string'
      ? Buffer.from(body, 'utf8')
      : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return { status, headers: parseHeaderLines(headers), body: bytes.toString('latin1') }
}

const responseText = ({ status, headers }: UnitResponse): string => `${status}\n${serialiseHeaders(headers)}`

function valid(edits: Edits | undefined): Edits {
  if (edits === undefined) throw new Error('the unit changed what it may not')
  return edits
}

const withEdits = (response: UnitResponse, { status, headers }: Edits): UnitResponse => ({
  ...response,
  status: status ?? response.status,
  headers: editHeaders(response.headers, headers),
})

function requestLeft({ method, target, headers }: UnitRequest, { request }: Edits): UnitAnswer['request'] {
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  const query = mark === -1 ? '' : target.slice(mark + 1)
  return {
    method: request?.method ?? method,
    path: request?.path ?? path,
    query: request?.query ?? query,
    headers: request === undefined ? headers : editHeaders(headers, request.headers),
    endpoint: request?.endpoint,
  }
}
