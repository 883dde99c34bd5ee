/**
 * The phases around an answer, each a trip through the units that hook it: `unit-trip.ts` is the trip.
 */
import { serialiseHeaders, statusText } from '../wire/http1/serialise.ts'
import { parseEdits, parseFields, type Edits } from './edits.ts'
import type { Answer } from './answer.ts'
import type { Exchange } from './exchange.ts'
import { httpDate } from './http-date.ts'
import { passLimits } from './limits/unit-limits.ts'
import { lengthIn } from './body-fit.ts'
import { MeasuredBody, NO_BODY } from './measured-body.ts'
import { UnitBodyFlow } from './unit-body-flow.ts'
import { phaseOf, requestEdits, UnitTrip, type Answered, type Continuation, type Next } from './unit-trip.ts'
import { requestMeta, timedMeta } from './client-meta.ts'
import { statusOf } from './access-log/logged-request.ts'

/** How long the parts of a request took, for `edge.timing`. */
export interface UnitTiming {
  readonly upstreamConnectMs: number
  readonly upstreamResponseMs: number
}

const INCOMING: Continuation = {
  onNext({ exchange, steps, next }, edits) {
    if (exchange.applyEdits(edits)) next(exchange)
    else exchange.failUnit(steps[0]!.unit.name, 'throw')
  },
  onAnswer: answerFromUnit,
}

/** `rewrite` and `access`. Then `next`, unless a unit answered. */
export function runIncoming(exchange: Exchange, next: Next): void {
  const { node, plan } = exchange
  if (plan.stops.length > 0) {
    runFrom(exchange, 0, next)
    return
  }
  const meta = requestMeta(exchange)
  node.runner.run(new UnitTrip(exchange, plan.incoming, '', '', '', meta, INCOMING, next))
}

/** The same in several trips: each goes up to a unit whose limits have to be passed first. */
function runFrom(exchange: Exchange, at: number, next: Next): void {
  const { incoming, stops } = exchange.plan
  const run = (): void => {
    const end = stops.find((stop) => stop > at) ?? incoming.length
    const steps = incoming.slice(at, end)
    const then: Next = end === incoming.length ? next : (exchange) => runFrom(exchange, end, next)
    const meta = requestMeta(exchange)
    exchange.node.runner.run(
      new UnitTrip(exchange, steps, at === 0 ? '' : exchange.edits, '', '', meta, INCOMING, then),
    )
  }
  const step = incoming[at]!
  if (stops.includes(at)) passLimits(exchange, step.unit, phaseOf(step.phases), run)
  else run()
}

const CONTENT: Continuation = {
  // Only a unit that failed open leaves content unanswered.
  onNext: ({ exchange, next }) => next(exchange),
  onAnswer: answerFromUnit,
}

/** Has the request pass the limits of the unit that answers, where it has not run before. */
export function passContentLimits(exchange: Exchange, goOn: Next): void {
  const { content, isContentLimited } = exchange.plan
  if (isContentLimited) passLimits(exchange, content[0]!.unit, 'content', goOn)
  else goOn(exchange)
}

/** The unit that answers instead of cache and origin, with the request's body whole. */
export function runContent(exchange: Exchange, body: string, next: Next): void {
  const { node, plan, edits } = exchange
  const meta = requestMeta(exchange)
  node.runner.run(new UnitTrip(exchange, plan.content, edits, '', body, meta, CONTENT, next))
}

/** Asks `headerFilter`, and hands over what it changed. */
export function filterHeaders(
  exchange: Exchange,
  status: number,
  fields: string,
  then: (edits: Edits) => void,
): void {
  const { node, plan } = exchange
  const response = `${status}\n${fields}`
  const before = requestEdits(exchange.edits)
  node.runner.run(
    new UnitTrip(exchange, plan.headerFilter, before, response, '', timedMeta(exchange), {
      onNext(_trip, text) {
        const edits = parseEdits(text)
        if (edits === undefined) exchange.failUnit(plan.headerFilter[0]!.unit.name, 'throw')
        else then(edits)
      },
    }),
  )
}

const LOG: Continuation = {
  onNext: ({ exchange }) => exchange.onTrace?.(exchange),
  // The answer has gone out: there is nothing to refuse any more.
  onClosed: (_unit, _reason, exchange) => exchange.onTrace?.(exchange),
}

/** Lets `log` units see what was answered. Nothing waits for them. */
export function logExchange(exchange: Exchange): void {
  const { node, plan } = exchange
  const response = `${statusOf(exchange)}\n${exchange.finalFields}`
  const edits = requestEdits(exchange.edits)
  node.runner.run(new UnitTrip(exchange, plan.log, edits, response, '', timedMeta(exchange), LOG))
}

/** The head of the last answer, and what it was made from: a unit mostly answers with the same one. */
let lastHeaders = ''
let lastDate = ''
let lastAnswer: Answer | undefined

/** The head of a unit's answer, checked and dated; undefined where it is not valid. */
function headOf({ status, headers }: Answered, date: string): Answer | undefined {
  if (headers === lastHeaders && date === lastDate && status === lastAnswer?.status) return lastAnswer
  const list = parseFields(headers)
  if (list === undefined || status < 200 || status > 599) return undefined
  const fields = flat(`${serialiseHeaders(list)}date: ${date}\r\n`)
  lastHeaders = flat(headers)
  lastDate = date
  lastAnswer = { status, reason: statusText(status), fields, source: 'unit' }
  return lastAnswer
}

/** The same Latin-1 text in one piece and in memory of its own: what is kept shall not keep a batch, nor be put together again. */
const flat = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')

function answerFromUnit(trip: UnitTrip, answered: Answered, edits: string): void {
  const { exchange, steps } = trip
  const { stream, phase } = answered
  const { unit } = steps[answered.step]!
  const answer = headOf(answered, httpDate(exchange.node.now()))
  if (answer === undefined || !exchange.applyEdits(edits)) {
    stream?.cancel('its head is not valid')
    exchange.failUnit(unit.name, 'throw')
    return
  }
  // An answer to HEAD has no body at hand whose length could be told.
  const coming =
    stream ?? (exchange.head.method === 'HEAD' && answered.body.length === 0 ? NO_BODY : undefined)
  if (coming !== undefined) {
    const refuse = (message: string): void => exchange.node.runner.refused(unit, phase, 'throw', message)
    const body = new MeasuredBody(coming, lengthIn(answered.headers), refuse)
    new UnitBodyFlow(exchange, unit, body).start(answer)
    return
  }
  exchange.answerWhole(answer, bodyOnWire(answered))
}

/** A text that is all ASCII goes out in one write with the head; the rest as UTF-8 bytes. */
function bodyOnWire({ body, isAscii }: Answered): string | Buffer {
  if (typeof body !== 'string') return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (isAscii === true || Buffer.byteLength(body, 'utf8') === body.length) return body
  return Buffer.from(body, 'utf8')
}
