/**
 * A request's way through its units, and what comes back: edits, an answer, or a failure and its policy.
 */
import {
  PHASE_BITS,
  failurePolicy,
  lastGoodOf,
  type FailureReason,
  type Phase,
  type UnitVersion,
} from '../contract/unit.ts'
import type { CallTrace } from '../contract/host-calls.ts'
import type { BodyPiece, Trip, TripOutcome, TripStep } from '../contract/unit-runner.ts'
import type { Exchange } from './exchange.ts'
import { UnitStates } from './unit-states.ts'

/** What a unit is told whose client has gone. */
export const CLIENT_GONE = 'the client has gone'

export type Answered = Extract<TripOutcome, { kind: 'response' }>
type Failed = Extract<TripOutcome, { kind: 'failed' }>

/**
 * What to do after a trip: go on, take the unit's answer, or nothing (an error was answered, or the client is gone). `edits`
 * are those of the whole trip, also where it took several attempts.
 */
export interface Continuation {
  onNext(trip: UnitTrip, edits: string): void
  onAnswer?(trip: UnitTrip, answer: Answered, edits: string): void
  /** The one unit of the trip failed and its policy is `open`. Absent: the trip goes on without it. */
  onOpen?(trip: UnitTrip): void
  /** A unit failed and its policy is `closed`. Absent: the request is answered with that. */
  onClosed?(unit: string, reason: FailureReason, exchange: Exchange): void
  /** It is awaited by others than the client, who may have gone. */
  readonly outlivesClient?: boolean
}

/** Moves a request on to its next stage. */
export type Next = (exchange: Exchange) => void

/** The first of them. */
export const phaseOf = (bits: number): Phase =>
  (Object.keys(PHASE_BITS) as Phase[]).find((phase) => (PHASE_BITS[phase] & bits) !== 0)!

export class UnitTrip implements Trip {
  readonly steps: readonly TripStep[]
  readonly meta: string
  readonly head: string
  readonly response: string
  readonly edits: string
  readonly body: string | BodyPiece
  readonly exchange: Exchange
  readonly next: Next
  /** When it began, and what its units asked of the node: known where the request is sampled. */
  readonly startedMs: number
  calls: readonly CallTrace[] = []
  private readonly continuation: Continuation
  /** What units changed before one of them failed, and the rest went on without it. */
  private readonly gathered: string

  constructor(
    exchange: Exchange,
    steps: readonly TripStep[],
    edits: string,
    response: string,
    body: string | BodyPiece,
    meta: string,
    continuation: Continuation,
    next: Next = nothingNext,
    gathered = '',
  ) {
    this.exchange = exchange
    this.startedMs = exchange.spans === undefined ? 0 : exchange.node.monotonic()
    this.steps = steps
    this.meta = meta
    this.head = exchange.rawForUnits
    this.response = response
    this.edits = exchange.states === undefined ? edits : edits + exchange.states.lines
    this.body = body
    this.continuation = continuation
    this.next = next
    this.gathered = gathered
  }

  get site(): string | undefined {
    return this.exchange.site?.name
  }

  get isTraced(): boolean {
    return this.exchange.debug !== undefined || this.exchange.spans !== undefined
  }

  traced(calls: readonly CallTrace[]): void {
    this.calls = [...this.calls, ...calls]
    this.exchange.calls = [...this.exchange.calls, ...calls]
  }

  done(came: TripOutcome): void {
    this.settle(came)
    // The client has what is its own by now.
    this.exchange.shadow?.saw(this, came)
  }

  private settle(came: TripOutcome): void {
    const { exchange, gathered, continuation } = this
    const outcome = UnitStates.isIn(came.edits)
      ? { ...came, edits: (exchange.states ??= new UnitStates()).take(came.edits) }
      : came
    if (this.isTraced) this.note(outcome)
    if (exchange.gone && this.response === '' && continuation.outlivesClient !== true) {
      if (outcome.kind === 'response') outcome.stream?.cancel(CLIENT_GONE)
      return
    }
    if (outcome.kind === 'failed') this.onFailed(outcome)
    else if (outcome.kind === 'next') continuation.onNext(this, gathered + outcome.edits)
    else continuation.onAnswer!(this, outcome, gathered + outcome.edits)
  }

  private onFailed(failed: Failed): void {
    const step = this.steps[failed.step]!
    const { unit } = step
    const rest = this.steps.slice(failed.step + 1)
    const policy = failurePolicy(unit.manifest, failed.phase)
    const before = policy === 'lastGood' ? lastGoodOf(this.exchange.lastGood, unit) : undefined
    if (before !== undefined && before.version !== unit.version) {
      // The version before takes over from the phase that failed, for the rest of this request's trip.
      const remaining = step.phases & ~(PHASE_BITS[failed.phase] - 1)
      const swapped = rest.map((later) => (later.unit === unit ? { ...later, unit: before } : later))
      this.again([{ unit: before, phases: remaining }, ...swapped], failed.edits)
    } else if (policy === 'open' && this.continuation.onOpen !== undefined) {
      this.continuation.onOpen(this)
    } else if (policy === 'open') {
      this.again(
        rest.filter((later) => later.unit !== unit),
        failed.edits,
      )
    } else if (this.continuation.onClosed !== undefined) {
      this.continuation.onClosed(unit.name, failed.reason, this.exchange)
    } else {
      this.exchange.failUnit(unit.name, failed.reason)
    }
  }

  /** Goes on with what is left of the trip, keeping what its first part changed. */
  private again(steps: readonly TripStep[], edits: string): void {
    const { exchange, response, body, meta, continuation, next } = this
    const all = this.gathered + edits
    if (steps.length === 0) {
      continuation.onNext(this, all)
      return
    }
    exchange.node.runner.run(
      new UnitTrip(exchange, steps, this.edits + edits, response, body, meta, continuation, next, all),
    )
  }

  private note(outcome: TripOutcome): void {
    for (const run of outcome.runs) {
      const step = this.steps[run.step]
      if (step === undefined) continue
      const isLast = outcome.kind !== 'next' && outcome.step === run.step
      const phase = isLast ? outcome.phase : phaseOf(step.phases)
      const result = !isLast ? 'next' : outcome.kind === 'failed' ? outcome.reason : String(outcome.status)
      this.noteRun(step.unit, phase, result, run.cpuUs, outcome)
    }
    if (outcome.kind === 'failed' && !outcome.runs.some((run) => run.step === outcome.step)) {
      this.noteRun(this.steps[outcome.step]!.unit, outcome.phase, outcome.reason, 0, outcome)
    }
  }

  private noteRun(
    unit: UnitVersion,
    phase: Phase,
    result: string,
    cpuUs: number,
    outcome: TripOutcome,
  ): void {
    this.exchange.note(unit, phase, result, Math.round(cpuUs))
    const failure = outcome.kind === 'failed' && outcome.reason === result ? outcome.message : undefined
    this.exchange.spans?.unitRan(this, { unit, phase, result, cpuUs, failure })
  }
}

function nothingNext(): void {}

/**
 * What units changed on the request, for those that run once there is a response: what was staged for that is in its
 * fields by then, and would count twice. See `edits.ts`: letters in lower case are the request's.
 */
export function requestEdits(edits: string): string {
  if (edits === '') return ''
  return edits
    .split('\n')
    .filter((line) => line.charCodeAt(0) >= 97)
    .map((line) => `${line}\n`)
    .join('')
}
