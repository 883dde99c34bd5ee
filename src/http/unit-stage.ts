/**
 * Sends a request through its units, and lives with what comes back: edits, an answer, or a failure and its policy.
 */
import { PHASE_BITS, failurePolicy, type Phase } from '../contract/unit.ts'
import type { Trip, TripOutcome, TripStep } from '../contract/unit-runner.ts'
import { serialiseHeaders, statusText } from '../wire/http1/serialise.ts'
import { parseEdits, parseFields, type Edits } from './edits.ts'
import type { Exchange } from './exchange.ts'
import { httpDate } from './http-date.ts'
import { clientMeta } from './client-meta.ts'

/** How long the parts of a request took, for `edge.timing`. */
export interface UnitTiming {
  readonly upstreamConnectMs: number
  readonly upstreamResponseMs: number
}

type Answered = Extract<TripOutcome, { kind: 'response' }>
type Failed = Extract<TripOutcome, { kind: 'failed' }>

/** What to do after a trip: go on, take the unit's answer, or nothing (an error was answered, or the client is gone). */
interface Continuation {
  onNext(edits: string): void
  onAnswer?(answer: Answered): void
}

const phaseOf = (bits: number): Phase =>
  (Object.keys(PHASE_BITS) as Phase[]).find((phase) => (PHASE_BITS[phase] & bits) !== 0)!

class UnitTrip implements Trip {
  readonly steps: readonly TripStep[]
  readonly meta: string
  readonly head: string
  readonly response: string
  readonly edits: string
  readonly body: string
  private readonly exchange: Exchange
  private readonly continuation: Continuation

  constructor(
    exchange: Exchange,
    steps: readonly TripStep[],
    edits: string,
    response: string,
    body: string,
    meta: string,
    continuation: Continuation,
  ) {
    this.exchange = exchange
    this.steps = steps
    this.meta = meta
    this.head = exchange.head.raw
    this.response = response
    this.edits = edits
    this.body = body
    this.continuation = continuation
  }

  done(outcome: TripOutcome): void {
    const { exchange } = this
    if (exchange.debug !== undefined) this.note(outcome)
    if (exchange.gone && this.response === '') return
    if (outcome.kind === 'next') this.continuation.onNext(outcome.edits)
    else if (outcome.kind === 'response') this.continuation.onAnswer!(outcome)
    else this.onFailed(outcome)
  }

  private onFailed(failed: Failed): void {
    const step = this.steps[failed.step]!
    const { unit } = step
    const rest = this.steps.slice(failed.step + 1)
    const policy = failurePolicy(unit.manifest, failed.phase)
    const before = policy === 'lastGood' ? this.exchange.lastGood[unit.name] : undefined
    if (before !== undefined && before.version !== unit.version) {
      // The version before takes over from the phase that failed, for the rest of this request's trip.
      const remaining = step.phases & ~(PHASE_BITS[failed.phase] - 1)
      const swapped = rest.map((later) => (later.unit === unit ? { ...later, unit: before } : later))
      this.again([{ unit: before, phases: remaining }, ...swapped], failed.edits)
    } else if (policy === 'open') {
      this.again(
        rest.filter((later) => later.unit !== unit),
        failed.edits,
      )
    } else {
      this.exchange.failUnit(unit.name, failed.reason)
    }
  }

  /** Goes on with what is left of the trip, keeping what its first part changed. */
  private again(steps: readonly TripStep[], edits: string): void {
    const { exchange, continuation } = this
    if (steps.length === 0) {
      continuation.onNext(edits)
      return
    }
    exchange.node.runner.run(
      new UnitTrip(exchange, steps, this.edits + edits, this.response, this.body, this.meta, {
        onNext: (more) => continuation.onNext(edits + more),
        onAnswer: (answer) => continuation.onAnswer!({ ...answer, edits: edits + answer.edits }),
      }),
    )
  }

  private note(outcome: TripOutcome): void {
    for (const run of outcome.runs) {
      const step = this.steps[run.step]
      if (step === undefined) continue
      const isLast = outcome.kind !== 'next' && outcome.step === run.step
      const phase = isLast ? outcome.phase : phaseOf(step.phases)
      const result = !isLast ? 'next' : outcome.kind === 'failed' ? outcome.reason : String(outcome.status)
      this.exchange.note(step.unit, phase, result, Math.round(run.cpuUs))
    }
    if (outcome.kind === 'failed' && !outcome.runs.some((run) => run.step === outcome.step)) {
      this.exchange.note(this.steps[outcome.step]!.unit, outcome.phase, outcome.reason, 0)
    }
  }
}

/** `rewrite` and `access`. Then `next`, unless a unit answered. */
export function runIncoming(exchange: Exchange, next: () => void): void {
  const { node, plan } = exchange
  node.runner.run(
    new UnitTrip(exchange, plan.incoming, '', '', '', clientMeta(exchange, false), {
      onNext(edits) {
        if (exchange.applyEdits(edits)) next()
        else exchange.failUnit(plan.incoming[0]!.unit.name, 'throw')
      },
      onAnswer: (answer) => answerFromUnit(exchange, answer, plan.incoming[answer.step]!.unit.name),
    }),
  )
}

/** The unit that answers instead of cache and origin, with the request's body whole. */
export function runContent(exchange: Exchange, body: string, next: () => void): void {
  const { node, plan } = exchange
  const name = plan.content[0]!.unit.name
  node.runner.run(
    new UnitTrip(exchange, plan.content, exchange.edits, '', body, clientMeta(exchange, false), {
      // Only a unit that failed open leaves content unanswered.
      onNext: next,
      onAnswer: (answer) => answerFromUnit(exchange, answer, name),
    }),
  )
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
    new UnitTrip(exchange, plan.headerFilter, before, response, '', clientMeta(exchange, true), {
      onNext(text) {
        const edits = parseEdits(text)
        if (edits === undefined) exchange.failUnit(plan.headerFilter[0]!.unit.name, 'throw')
        else then(edits)
      },
    }),
  )
}

/** Lets `log` units see what was answered. Nothing waits for them. */
export function logExchange(exchange: Exchange): void {
  const { node, plan } = exchange
  const response = `${exchange.answered!.status}\n${exchange.finalFields}`
  const edits = requestEdits(exchange.edits)
  node.runner.run(
    new UnitTrip(exchange, plan.log, edits, response, '', clientMeta(exchange, true), {
      onNext() {},
    }),
  )
}

/**
 * What units changed on the request, for those that run once there is a response: what was staged for that is in its
 * fields by then, and would count twice. See `edits.ts`: letters in lower case are the request's.
 */
function requestEdits(edits: string): string {
  if (edits === '') return ''
  return edits
    .split('\n')
    .filter((line) => line.charCodeAt(0) >= 97)
    .map((line) => `${line}\n`)
    .join('')
}

let lastHeaders = '\0'
let lastFields: string | undefined

/** Header lines of a unit's answer, checked; a unit mostly answers with the same ones. */
function checkedFields(headers: string): string | undefined {
  if (headers !== lastHeaders) {
    const list = parseFields(headers)
    lastFields = list === undefined ? undefined : serialiseHeaders(list)
    lastHeaders = headers
  }
  return lastFields
}

function answerFromUnit(exchange: Exchange, answer: Answered, name: string): void {
  const fields = checkedFields(answer.headers)
  const isStatus = answer.status >= 200 && answer.status <= 599
  if (fields === undefined || !isStatus || !exchange.applyEdits(answer.edits)) {
    exchange.failUnit(name, 'throw')
    return
  }
  const dated = `${fields}date: ${httpDate(exchange.node.now())}\r\n`
  exchange.answerWhole(
    { status: answer.status, reason: statusText(answer.status), fields: dated, source: 'unit' },
    bodyOnWire(answer.body),
  )
}

/** A text that is all ASCII goes out in one write with the head; the rest as UTF-8 bytes. */
function bodyOnWire(body: string | Uint8Array): string | Buffer {
  if (typeof body !== 'string') return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return Buffer.byteLength(body, 'utf8') === body.length ? body : Buffer.from(body, 'utf8')
}
