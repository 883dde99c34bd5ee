/**
 * A request on which versions run beside the live ones. It watches the trips of the live versions; where one has decided, the shadow is
 * given the same request at the same point, and what it makes of it is compared and dropped.
 *
 * Phases are compared one by one, each from what the live version left behind it. Of a request the worst result counts.
 */
import type { ShadowExample } from '../../contract/rollout.ts'
import { PHASE_BITS, PHASES } from '../../contract/unit.ts'
import type { Trip, TripOutcome } from '../../contract/unit-runner.ts'
import { requestMeta } from '../client-meta.ts'
import type { Exchange } from '../exchange.ts'
import { requestIdOf } from '../request-id.ts'
import { UnitStates } from '../unit-states.ts'
import type { ShadowDesk, ShadowResult } from './shadow-desk.ts'
import type { ShadowUnit } from './shadow-units.ts'
import { differences, UNTOUCHED, verdictAt, verdictText, withoutStates, type Verdict } from './verdict.ts'

const INCOMING = PHASE_BITS.rewrite | PHASE_BITS.access
/** The others see pieces, or decide nothing. */
const COMPARED =
  INCOMING | PHASE_BITS.content | PHASE_BITS.origin | PHASE_BITS.originResponse | PHASE_BITS.headerFilter

const BY_WEIGHT: readonly ShadowResult[] = ['same', 'skipped', 'different', 'failed']

export class ShadowedRequest {
  private readonly runs: readonly ShadowRun[]

  constructor(runs: readonly ShadowRun[]) {
    this.runs = runs
  }

  begin(): void {
    for (const run of this.runs) run.begin()
  }

  /** What units decided on a trip of the request. */
  saw(trip: Trip, came: TripOutcome): void {
    for (const run of this.runs) run.saw(trip, came)
  }

  /** It is over. What was decided in the same turn is still told after this. */
  end(): void {
    queueMicrotask(() => {
      for (const run of this.runs) run.end()
    })
  }
}

/** What a step is given. */
type Input = Pick<Trip, 'meta' | 'head' | 'response' | 'edits' | 'body'>

/** One shadow on one request. */
export class ShadowRun {
  private readonly desk: ShadowDesk
  private readonly exchange: Exchange
  private readonly unit: ShadowUnit
  /** The new version matches the request, and the live one does. */
  private readonly isNext: boolean
  private readonly isLive: boolean
  /** `edge.state` of the shadow. */
  private readonly states = new UnitStates()
  private pending = 0
  private isOver = false
  private result: ShadowResult | undefined
  private example: ShadowExample | undefined

  constructor(desk: ShadowDesk, exchange: Exchange, unit: ShadowUnit, isNext: boolean, isLive: boolean) {
    this.desk = desk
    this.exchange = exchange
    this.unit = unit
    this.isNext = isNext
    this.isLive = isLive
  }

  /** Where the live version says nothing to a request that comes in, there is no trip of it to be seen. */
  begin(): void {
    const { live, next } = this.unit
    const phases = next.phases & INCOMING
    if (!this.isNext || phases === 0 || (this.isLive && (live.phases & INCOMING) !== 0)) return
    const { exchange } = this
    const input = {
      meta: requestMeta(exchange),
      head: exchange.rawForUnits,
      response: '',
      edits: '',
      body: '',
    }
    this.compare(phases, input, UNTOUCHED)
  }

  saw(trip: Trip, came: TripOutcome): void {
    const { live, next } = this.unit
    for (const [at, { unit, phases }] of trip.steps.entries()) {
      if (unit !== live || (phases & COMPARED) === 0 || this.isOver || this.hasDiffered) continue
      const seen = verdictAt(trip, came, at)
      if (seen === undefined) return
      const isLaterToo = trip.steps.some((step, later) => later > at && step.unit === live)
      const more = (phases & INCOMING) === 0 || isLaterToo ? 0 : INCOMING & ~live.phases
      const own = this.isNext ? next.phases & (phases | more) : 0
      const edits = withoutStates(trip.edits + came.edits.slice(0, seen.editsStart), next.name)
      this.compare(own, { ...inputOf(trip), edits }, seen.verdict)
    }
  }

  end(): void {
    this.isOver = true
    this.finish()
  }

  private get hasDiffered(): boolean {
    return this.result === 'different' || this.result === 'failed'
  }

  /** `phases` 0: the new version lets it pass, without being asked. */
  private compare(phases: number, input: Input, live: Verdict): void {
    if (phases === 0) {
      this.note(live, UNTOUCHED, 0)
      return
    }
    const trip: Trip = {
      ...input,
      meta: this.withRequestId(input.meta),
      edits: input.edits + this.states.lines,
      site: this.exchange.site?.name,
      steps: this.unit.stepsOf(phases),
      done: (came) => {
        this.pending -= 1
        if (came.kind === 'response') came.stream?.cancel('it runs as a shadow')
        const { verdict } = verdictAt(trip, came, 0)!
        if (UnitStates.isIn(came.edits)) this.states.take(came.edits)
        this.note(live, verdict, phases)
        this.finish()
      },
    }
    this.pending += 1
    if (this.desk.run(trip)) return
    this.pending -= 1
    this.weigh('skipped')
  }

  private withRequestId(meta: string): string {
    const { exchange, unit } = this
    if (exchange.plan.readsRequestId || !unit.next.code.includes('requestId')) return meta
    return `${meta.slice(0, -1)},"requestId":${JSON.stringify(requestIdOf(exchange))}}`
  }

  private note(live: Verdict, next: Verdict, phases: number): void {
    const differs = differences(live, next)
    const isFailure = next.kind === 'failed' && live.kind !== 'failed'
    this.weigh(isFailure ? 'failed' : differs.length > 0 ? 'different' : 'same')
    if (differs.length === 0 || this.example) return
    const { head, node } = this.exchange
    this.example = {
      unit: this.unit.next.name,
      version: this.unit.next.version,
      at: node.now(),
      method: head.method,
      path: head.path,
      phase: phaseNames(phases === 0 ? this.unit.live.phases & COMPARED : phases),
      live: verdictText(live),
      shadow: verdictText(next),
      differs: differs.slice(0, 20),
    }
  }

  private weigh(result: ShadowResult): void {
    const before = this.result === undefined ? -1 : BY_WEIGHT.indexOf(this.result)
    if (BY_WEIGHT.indexOf(result) > before) this.result = result
  }

  private finish(): void {
    if (!this.isOver || this.pending > 0 || this.result === undefined) return
    this.desk.note(this.unit.next, this.result, this.example)
    this.result = undefined
  }
}

const inputOf = ({ meta, head, response, body }: Trip) => ({ meta, head, response, body })

const phaseNames = (phases: number): string =>
  PHASES.filter((phase) => (phases & PHASE_BITS[phase]) !== 0).join('+')
