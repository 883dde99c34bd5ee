/**
 * Which units a request runs, phase by phase, ready to be sent on trips.
 *
 * Made once for each combination of matching units, so that a request without `sample` finds it by one look-up.
 */
import { PHASE_BITS, versionKey, type UnitVersion } from '../contract/unit.ts'
import type { TripStep } from '../contract/unit-runner.ts'
import { isInShare } from '../unit/rollout/stages.ts'
import { isSampled, type SampleClient } from '../unit/sample.ts'
import type { MatchedUnits, UnitMatcher } from '../unit/matcher.ts'
import { headerValues, type HeaderList, type RequestHead } from '../wire/http1/message.ts'
import type { Client } from './client.ts'

export interface UnitPlan {
  /** All of them. */
  readonly units: readonly UnitVersion[]
  /** `rewrite`, then `access`: one trip. */
  readonly incoming: readonly TripStep[]
  /** Where in `incoming` a unit with limits runs first: the request passes those before it goes on there. */
  readonly stops: readonly number[]
  /** `content` is where its unit, which has limits, runs first. */
  readonly isContentLimited: boolean
  /** The unit that answers instead of cache and origin. */
  readonly content: readonly TripStep[]
  readonly origin: readonly TripStep[]
  readonly originResponse: readonly TripStep[]
  readonly headerFilter: readonly TripStep[]
  readonly bodyFilter: readonly TripStep[]
  readonly log: readonly TripStep[]
  /** Some of its units run for a share of requests: who is in is decided per request. */
  readonly isDrawn: boolean
  /** Versions that are compared with another one of their unit: how these requests end is counted. */
  readonly watched: readonly UnitVersion[]
  /**
   * Versions on their way that this client has and that may shape what is stored, as `NAME@VERSION`, joined by spaces: clients with others
   * share no answers with it.
   */
  readonly cacheMark: string
  /** One of them names `requestId` in its code: the others need not pay for it. */
  readonly readsRequestId: boolean
  /** One of them may ask what the cache did. */
  readonly readsCache: boolean
}

export const NO_UNITS: UnitPlan = {
  units: [],
  incoming: [],
  stops: [],
  isContentLimited: false,
  content: [],
  origin: [],
  originResponse: [],
  headerFilter: [],
  bodyFilter: [],
  log: [],
  isDrawn: false,
  watched: [],
  cacheMark: '',
  readsRequestId: false,
  readsCache: false,
}

/** What is sent to the origin and what comes back is decided in these. What comes later is done to each answer anew. */
const SHAPING = PHASE_BITS.rewrite | PHASE_BITS.access | PHASE_BITS.origin | PHASE_BITS.originResponse

const plans = new WeakMap<MatchedUnits, UnitPlan>()

export function planOf(matched: MatchedUnits): UnitPlan {
  let plan = plans.get(matched)
  if (plan === undefined) {
    plan = makePlan(matched, matched.units, '')
    plans.set(matched, plan)
  }
  return plan
}

export interface Chance {
  random(): number
  /** Counts a request that matched a unit and did not run it. */
  onSampledOut(unit: UnitVersion): void
}

/** The units that this request runs: those that match, in the version that the client has, less those whose sample it is not in. */
export function choosePlan(
  matcher: UnitMatcher,
  head: RequestHead,
  client: Client,
  chance: Chance,
): UnitPlan {
  const matched = matcher.match(head.host, head.path, head.method)
  if (matched.isEmpty) return NO_UNITS
  const plan = planOf(matched)
  if (!plan.isDrawn) return plan
  const sampled: SampleClient = {
    random: chance.random(),
    address: client.address,
    cookie: (name) => cookieValue(head.headers, name),
  }
  const { left, cacheMark } = chooseVersions(matched, client.address)
  for (const unit of matched.units) {
    if (left.has(unit) || isSampled(unit, sampled)) continue
    left.add(unit)
    chance.onSampledOut(unit)
  }
  return left.size === 0 && cacheMark === '' ? plan : planWithout(matched, left, cacheMark)
}

/** Of each unit with a newer version on its way, the version that this client does not have. */
function chooseVersions({ units, staged }: MatchedUnits, address: string) {
  const left = new Set<UnitVersion>()
  const marks: string[] = []
  for (const { next, share } of staged) {
    const isNext = isInShare(next, share, address)
    let phases = 0
    for (const unit of units) {
      if (unit.name !== next.name) continue
      phases |= unit.phases
      if ((unit === next) !== isNext) left.add(unit)
    }
    // Also where the new version shapes nothing any more: then the old one does.
    if (isNext && (phases & SHAPING) !== 0) marks.push(versionKey(next))
  }
  return { left, cacheMark: marks.join(' ') }
}

/** A cookie's value as sent (RFC 6265 §4.2.1). */
function cookieValue(headers: HeaderList, name: string): string | undefined {
  const cookies = headerValues(headers, 'cookie')
  const pair = cookies?.split(';').find((part) => part.trim().startsWith(`${name}=`))
  return pair?.trim().slice(name.length + 1)
}

/** Plans of one combination that are kept: few units are drawn at a time. */
const VARIANTS_MAX = 64
const variants = new WeakMap<MatchedUnits, Map<string, UnitPlan>>()

/** The plan without the units that this request does not run: the same one for the same units, as what is made of it is kept by it. */
function planWithout(matched: MatchedUnits, left: ReadonlySet<UnitVersion>, cacheMark: string): UnitPlan {
  let known = variants.get(matched)
  if (known === undefined) variants.set(matched, (known = new Map()))
  const key = `${matched.units.map((unit) => (left.has(unit) ? '0' : '1')).join('')} ${cacheMark}`
  let plan = known.get(key)
  if (plan === undefined) {
    plan = makePlan(
      matched,
      matched.units.filter((unit) => !left.has(unit)),
      cacheMark,
    )
    if (known.size >= VARIANTS_MAX) known.clear()
    known.set(key, plan)
  }
  return plan
}

function makePlan(matched: MatchedUnits, units: readonly UnitVersion[], cacheMark: string): UnitPlan {
  const isIn = new Set(units)
  const steps = (bit: number): TripStep[] =>
    matched.units
      .filter((unit) => isIn.has(unit) && (unit.phases & bit) !== 0)
      .map((unit) => ({ unit, phases: bit }))
  const incoming = joinNeighbours([...steps(PHASE_BITS.rewrite), ...steps(PHASE_BITS.access)])
  const content = steps(PHASE_BITS.content).slice(0, 1)
  const isFirst = ({ unit }: TripStep, at: number) => incoming.findIndex((step) => step.unit === unit) === at
  return {
    units,
    incoming,
    stops: [...incoming.keys()].filter((at) => isLimited(incoming[at]!) && isFirst(incoming[at]!, at)),
    isContentLimited: content.some((step) => isLimited(step) && isFirst(step, -1)),
    content,
    origin: steps(PHASE_BITS.origin),
    originResponse: steps(PHASE_BITS.originResponse),
    headerFilter: steps(PHASE_BITS.headerFilter),
    bodyFilter: steps(PHASE_BITS.bodyFilter),
    log: steps(PHASE_BITS.log),
    isDrawn: matched.staged.length > 0 || matched.units.some(({ manifest }) => manifest.sample.share < 1),
    watched: units.filter(({ name }) => matched.staged.some(({ next }) => next.name === name)),
    cacheMark,
    readsRequestId: units.some((unit) => unit.code.includes('requestId')),
    readsCache: units.some((unit) => /\bcache\b/.test(unit.code)),
  }
}

const isLimited = ({ unit }: TripStep): boolean => unit.manifest.limit !== undefined

/** Without what the unit does once there is an answer: a limit has refused the request before the unit ran. */
export function planAfterRefusal(plan: UnitPlan, unit: UnitVersion): UnitPlan {
  if ((unit.phases & AFTER) === 0) return plan
  let known = refusals.get(plan)
  if (known === undefined) refusals.set(plan, (known = new Map()))
  let left = known.get(unit)
  if (left === undefined) {
    const without = (steps: readonly TripStep[]) => steps.filter((step) => step.unit !== unit)
    const { headerFilter, bodyFilter, log } = plan
    left = {
      ...plan,
      headerFilter: without(headerFilter),
      bodyFilter: without(bodyFilter),
      log: without(log),
    }
    known.set(unit, left)
  }
  return left
}

const AFTER = PHASE_BITS.headerFilter | PHASE_BITS.bodyFilter | PHASE_BITS.log
const refusals = new WeakMap<UnitPlan, Map<UnitVersion, UnitPlan>>()

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
