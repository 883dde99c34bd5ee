/**
 * Which units a request runs, phase by phase, ready to be sent on trips.
 *
 * Made once for each combination of matching units, so that a request without `sample` finds it by one look-up.
 */
import { PHASE_BITS, type UnitVersion } from '../contract/unit.ts'
import type { TripStep } from '../contract/unit-runner.ts'
import { isSampled, type SampleClient } from '../unit/sample.ts'
import type { MatchedUnits, UnitMatcher } from '../unit/matcher.ts'
import { headerValues, type HeaderList, type RequestHead } from '../wire/http1/message.ts'
import type { Client } from './client.ts'

export interface UnitPlan {
  /** `rewrite`, then `access`: one trip. */
  readonly incoming: readonly TripStep[]
  /** The unit that answers instead of cache and origin. */
  readonly content: readonly TripStep[]
  readonly origin: readonly TripStep[]
  readonly originResponse: readonly TripStep[]
  readonly headerFilter: readonly TripStep[]
  readonly bodyFilter: readonly TripStep[]
  readonly log: readonly TripStep[]
  /** Units that run for a share of requests: who is in is drawn per request. */
  readonly sampled: readonly UnitVersion[]
  /** One of them names `requestId` in its code: the others need not pay for it. */
  readonly readsRequestId: boolean
}

export const NO_UNITS: UnitPlan = {
  incoming: [],
  content: [],
  origin: [],
  originResponse: [],
  headerFilter: [],
  bodyFilter: [],
  log: [],
  sampled: [],
  readsRequestId: false,
}

const plans = new WeakMap<MatchedUnits, UnitPlan>()

export function planOf(matched: MatchedUnits): UnitPlan {
  let plan = plans.get(matched)
  if (plan === undefined) {
    plan = makePlan(matched, matched.units)
    plans.set(matched, plan)
  }
  return plan
}

export interface Chance {
  random(): number
  /** Counts a request that matched a unit and did not run it. */
  onSampledOut(unit: UnitVersion): void
}

/** The units that this request runs: those that match, less those whose sample it is not in. */
export function choosePlan(
  matcher: UnitMatcher,
  head: RequestHead,
  client: Client,
  chance: Chance,
): UnitPlan {
  const matched = matcher.match(head.host, head.path, head.method)
  if (matched.isEmpty) return NO_UNITS
  const plan = planOf(matched)
  if (plan.sampled.length === 0) return plan
  const sampled: SampleClient = {
    random: chance.random(),
    address: client.address,
    cookie: (name) => cookieValue(head.headers, name),
  }
  const left = plan.sampled.filter((unit) => !isSampled(unit, sampled))
  for (const unit of left) chance.onSampledOut(unit)
  return left.length === 0 ? plan : planWithout(matched, new Set(left))
}

/** A cookie's value as sent (RFC 6265 §4.2.1). */
function cookieValue(headers: HeaderList, name: string): string | undefined {
  const cookies = headerValues(headers, 'cookie')
  const pair = cookies?.split(';').find((part) => part.trim().startsWith(`${name}=`))
  return pair?.trim().slice(name.length + 1)
}

/** The plan without the units that this request left out of its sample. */
export function planWithout(matched: MatchedUnits, left: ReadonlySet<UnitVersion>): UnitPlan {
  return makePlan(
    matched,
    matched.units.filter((unit) => !left.has(unit)),
  )
}

function makePlan(matched: MatchedUnits, units: readonly UnitVersion[]): UnitPlan {
  const isIn = new Set(units)
  const steps = (bit: number): TripStep[] =>
    matched.units
      .filter((unit) => isIn.has(unit) && (unit.phases & bit) !== 0)
      .map((unit) => ({ unit, phases: bit }))
  return {
    incoming: joinNeighbours([...steps(PHASE_BITS.rewrite), ...steps(PHASE_BITS.access)]),
    content: steps(PHASE_BITS.content).slice(0, 1),
    origin: steps(PHASE_BITS.origin),
    originResponse: steps(PHASE_BITS.originResponse),
    headerFilter: steps(PHASE_BITS.headerFilter),
    bodyFilter: steps(PHASE_BITS.bodyFilter),
    log: steps(PHASE_BITS.log),
    sampled: matched.units.filter((unit) => unit.manifest.sample.share < 1),
    readsRequestId: units.some((unit) => unit.code.includes('requestId')),
  }
}

/** One unit's `rewrite` right before its `access` enters its isolate once. */
function joinNeighbours(steps: readonly TripStep[]): TripStep[] {
  const joined: TripStep[] = []
  for (const step of steps) {
    const last = joined.at(-1)
    if (last !== undefined && last.unit === step.unit) {
      joined[joined.length - 1] = { unit: step.unit, phases: last.phases | step.phases }
    } else {
      joined.push(step)
    }
  }
  return joined
}
