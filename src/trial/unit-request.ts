/**
 * One request through the phases of one unit, as the pipeline sends it: what the unit answered, or what the origin did, and the request
 * as the unit left it.
 *
 * There is neither a site nor a cache: the origin's answer is given. A phase that fails ends it, whatever the unit's `onError` says: a test
 * is there to see that.
 */
import type { Trip, TripOutcome, UnitBody } from '../contract/unit-runner.ts'
import { PHASE_BITS, type FailureReason, type Phase, type UnitVersion } from '../contract/unit.ts'
import { editHeaders, type Edits, parseEdits, parseOriginEdits } from '../http/edits.ts'
import { newPiece, pieceText } from '../http/body/piece-text.ts'
import { parseHeaderLines } from '../http/fields.ts'
import type { UnitDispatcher } from '../sandbox/unit-dispatcher.ts'
import type { HeaderList } from '../wire/http1/message.ts'
import { serialiseHeaders } from '../wire/http1/serialise.ts'

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
  readonly by: 'unit' | 'origin'
  readonly request: {
    readonly method: string
    readonly path: string
    readonly query: string
    readonly headers: HeaderList
  }
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

type Went = Exclude<TripOutcome, { kind: 'failed' }>

export interface RequestOptions {
  /** Tells what was used since it was last asked, where that is measured better than the runner does. */
  readonly takeCpuUs?: () => number
  /** A streamed body ends where this is aborted. */
  readonly wanted?: AbortSignal
}

export async function runRequest(
  runner: UnitDispatcher,
  unit: UnitVersion,
  request: UnitRequest,
  { takeCpuUs, wanted }: RequestOptions,
): Promise<UnitAnswer> {
  const { address, scheme } = request
  const meta = JSON.stringify({ client: { address, port: 50_000 }, scheme })
  const head = `${request.method} ${request.target} HTTP/1.1\r\n${serialiseHeaders(request.headers)}`
  const has = (phase: Phase) => (unit.phases & PHASE_BITS[phase]) !== 0
  const runs: { phase: Phase; cpuUs: number }[] = []
  let edits = ''

  const run = async (
    phase: Phase,
    parts: Partial<Pick<Trip, 'response' | 'edits' | 'body'>> = {},
  ): Promise<Went> => {
    const whole = { meta, head, response: '', edits, body: '', ...parts }
    const outcome = await tripOf(runner, unit, phase, whole, wanted)
    if (takeCpuUs) runs.push({ phase, cpuUs: takeCpuUs() })
    else for (const { cpuUs } of outcome.runs) runs.push({ phase, cpuUs })
    if (outcome.kind === 'failed') throw new PhaseFailed(outcome)
    return outcome
  }

  let response: UnitResponse | undefined
  for (const phase of ['rewrite', 'access', 'content', 'origin'] as const) {
    if (!has(phase) || response !== undefined) continue
    const outcome = await run(phase, phase === 'content' ? { body: request.body } : {})
    edits += outcome.edits
    if (outcome.kind === 'response') response = responseOf(outcome)
  }
  const by = response === undefined ? 'origin' : 'unit'
  const left = valid(parseOriginEdits(edits, 'origin'))
  response = withEdits(response ?? request.origin, left)

  const ofRequest = edits.replaceAll(/^[A-Z] .*\n/gm, '')
  for (const phase of ['originResponse', 'headerFilter'] as const) {
    if (!has(phase) || (phase === 'originResponse' && by === 'unit')) continue
    const outcome = await run(phase, { response: responseText(response), edits: ofRequest })
    const changed =
      phase === 'originResponse' ? parseOriginEdits(outcome.edits, phase) : parseEdits(outcome.edits)
    response = withEdits(response, valid(changed))
  }
  if (has('bodyFilter')) {
    const before = Buffer.from(response.body, 'latin1')
    const body = pieceText(before, true, unit.manifest.chunks === 'text')
    const outcome = await run('bodyFilter', { response: responseText(response), edits: ofRequest, body })
    if (outcome.kind === 'response')
      response = { ...response, body: newPiece(before, outcome).toString('latin1') }
  }
  if (has('log')) await run('log', { response: responseText(response), edits: ofRequest })
  return { response, by, request: requestLeft(request, left), runs }
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
  const failed = (reason: FailureReason, message: string): void => {
    clearTimeout(timer)
    wanted?.removeEventListener('abort', leave)
    done({ kind: 'failed', step, phase, edits, runs, reason, message })
  }
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
    end() {
      clearTimeout(timer)
      wanted?.removeEventListener('abort', leave)
      done({ ...outcome, body: Buffer.concat(pieces), stream: undefined })
    },
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
  }
}
