/**
 * The units around the origin: `origin`, who say what it is asked, and `originResponse`, who see its answer before the cache
 * does. They run once for all that wait for the same answer, so they go on when the client has gone.
 */
import type { FailureReason } from '../contract/unit.ts'
import type { TripOutcome, UnitBody } from '../contract/unit-runner.ts'
import { inLowerCase, type HeaderList } from '../wire/http1/message.ts'
import { serialiseHeaders, statusText } from '../wire/http1/serialise.ts'
import { statedTtlSeconds } from './caching/freshness.ts'
import { lengthIn } from './body-fit.ts'
import { requestMeta, timedMeta } from './client-meta.ts'
import { editHeaders, parseFields, parseOriginEdits, type RequestEdits } from './edits.ts'
import type { Exchange } from './exchange.ts'
import { MeasuredBody } from './measured-body.ts'
import { requestEdits, UnitTrip } from './unit-trip.ts'

type Failed = (unit: string, reason: FailureReason) => void

/** What `origin` units made of the request: what is sent, and nobody's key. */
export interface OriginAsk {
  readonly edits: RequestEdits | undefined
  /** The same as text: what later units see as sent. */
  readonly text: string
}

export const NOTHING_CHANGED: OriginAsk = { edits: undefined, text: '' }

/** A response as `originResponse` units leave it to the cache and the client. */
export interface Review {
  readonly status: number
  readonly reason: string
  readonly headers: HeaderList
  /** The headers as they came, where units changed them: a later 304 speaks of these. */
  readonly before: HeaderList | undefined
  /** Seconds for which it is fresh, whatever its headers say. */
  readonly ttlSeconds: number | undefined
}

export interface StandInAnswer {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Buffer
  /** What its head says of the length of a body that is not at hand. */
  readonly bytes: number | undefined
  /** The body comes piece by piece, in place of `body`. */
  readonly stream: UnitBody | undefined
  readonly unit: string
}

/** Asks the `origin` units. One of the three is called, once. */
export function askOriginUnits(
  exchange: Exchange,
  on: { ask(ask: OriginAsk): void; answer(answer: StandInAnswer, ask: OriginAsk): void; failed: Failed },
): void {
  const steps = exchange.plan.origin
  const { endpoints } = exchange.site!.origin
  const understood = (text: string): OriginAsk | undefined => {
    const edits = parseOriginEdits(text, 'origin')
    if (edits === undefined || edits.headers.length > 0 || edits.status !== undefined) return undefined
    const endpoint = edits.request?.endpoint
    if (endpoint !== undefined && !endpoints.includes(endpoint)) return undefined
    return { edits: edits.request, text }
  }
  const meta = `${requestMeta(exchange).slice(0, -1)},"endpoints":${JSON.stringify(endpoints)}}`
  const trip = new UnitTrip(exchange, steps, requestEdits(exchange.edits), '', '', meta, {
    outlivesClient: true,
    onNext(_trip, text) {
      const ask = understood(text)
      if (ask === undefined) on.failed(steps[0]!.unit.name, 'throw')
      else on.ask(ask)
    },
    onAnswer(_trip, answered, text) {
      const ask = understood(text)
      const { unit } = steps[answered.step]!
      const refuse = (message: string): void =>
        exchange.node.runner.refused(unit, answered.phase, 'throw', message)
      const answer = standIn(answered, unit.name, refuse)
      if (ask === undefined || answer === undefined) {
        answered.stream?.cancel('its answer is not valid')
        on.failed(unit.name, 'throw')
      } else on.answer(answer, ask)
    },
    onClosed: on.failed,
  })
  exchange.node.runner.run(trip)
}

type Answered = Extract<TripOutcome, { kind: 'response' }>

/** A unit's answer in the shape of an origin's: names in lower case, a length. */
function standIn(
  { status, headers, body, stream: coming }: Answered,
  unit: string,
  refuse: (message: string) => void,
): StandInAnswer | undefined {
  const fields = parseFields(headers)
  if (fields === undefined || status < 200 || status > 599) return undefined
  const atHand = typeof body === 'string' ? Buffer.from(body, 'utf8') : Buffer.from(body)
  const bytes = lengthIn(headers)
  const stream = coming && new MeasuredBody(coming, bytes, refuse)
  return { status, headers: inLowerCase(fields), body: atHand, bytes, stream, unit }
}

/** Shows the origin's answer to the `originResponse` units. One of the two is called, once. */
export function reviewResponse(
  exchange: Exchange,
  ask: OriginAsk,
  came: { readonly status: number; readonly reason: string; readonly headers: HeaderList },
  on: { reviewed(review: Review): void; failed: Failed },
): void {
  const steps = exchange.plan.originResponse
  const { status, reason, headers } = came
  const ttl = statedTtlSeconds(status, headers, exchange.node.now())
  const timed = timedMeta(exchange)
  const meta = ttl === undefined ? timed : `${timed.slice(0, -1)},"ttl":${ttl}}`
  const response = `${status}\n${serialiseHeaders(headers)}`
  const before = requestEdits(exchange.edits) + ask.text
  const trip = new UnitTrip(exchange, steps, before, response, '', meta, {
    outlivesClient: true,
    onNext(_trip, text) {
      const edits = parseOriginEdits(text, 'originResponse')
      if (edits === undefined || edits.request !== undefined) {
        on.failed(steps[0]!.unit.name, 'throw')
        return
      }
      const isChanged = edits.headers.length > 0
      on.reviewed({
        status: edits.status ?? status,
        reason: edits.status === undefined || edits.status === status ? reason : statusText(edits.status),
        headers: isChanged ? inLowerCase(editHeaders(headers, edits.headers)) : headers,
        before: isChanged ? headers : undefined,
        ttlSeconds: edits.ttlSeconds,
      })
    },
    onClosed: on.failed,
  })
  exchange.node.runner.run(trip)
}
