/** The filters of a choice in their order, as a configuration names them: `up geofence nearest 50 load weight first 2`. */
import type { Candidate, Filter, Leniency, Situation } from './filters/filter.ts'
import { first } from './filters/first.ts'
import { geofence } from './filters/geofence.ts'
import { load } from './filters/load.ts'
import { nearest, STEP_KM_DEFAULT } from './filters/nearest.ts'
import { priority } from './filters/priority.ts'
import { up } from './filters/up.ts'
import { weight } from './filters/weight.ts'

export interface PipelineStep {
  readonly name: string
  readonly filter: Filter
}

/** Split where the prefix of a client begins to count: what stands before is worked out once for all clients of a class. */
export interface Pipeline {
  readonly steps: readonly PipelineStep[]
  readonly beforeWeight: readonly PipelineStep[]
  readonly isWeighted: boolean
  /** How many nodes are chosen at most. */
  readonly count: number
  /** Undefined without `nearest`. */
  readonly stepKm: number | undefined
}

export const FILTERS_DEFAULT = ['up', 'geofence', 'priority', 'nearest', 'load', 'weight', 'first', '1']
const NAMES = ['up', 'geofence', 'priority', 'nearest', 'load', 'weight', 'first']
/** An answer that everybody can take has no more addresses than that. */
const COUNT_MAX = 16

/** The pipeline, or a sentence that says what is wrong. */
export function parsePipeline(words: readonly string[]): Pipeline | string {
  const steps: PipelineStep[] = []
  let isWeighted = false
  let beforeWeight: readonly PipelineStep[] = steps
  let count = COUNT_MAX
  let stepKm: number | undefined
  for (let at = 0; at < words.length; at++) {
    const name = words[at]!
    if (!NAMES.includes(name))
      return `unknown filter '${name}'; expected some of ${NAMES.join(', ')}, in the order in which they are to be asked`
    if (name !== 'first' && steps.some((step) => step.name === name)) return `filter '${name}' stands twice`
    if (isWeighted && name !== 'first')
      return `filter '${name}' stands behind 'weight', which orders all that are left: only 'first' may follow it`
    const next = words[at + 1]
    const given = next !== undefined && /^\d+(?:km)?$/.test(next) ? Number.parseInt(next, 10) : undefined
    if (given !== undefined && name !== 'first' && name !== 'nearest')
      return `filter '${name}' takes no number`
    if (given !== undefined) at += 1
    if (name === 'first') {
      if (given === undefined || given < 1 || given > COUNT_MAX)
        return `filter 'first' wants to know how many: expected a number from 1 to ${COUNT_MAX}`
      count = Math.min(count, given)
      steps.push({ name: `first ${given}`, filter: first(given) })
    } else if (name === 'nearest') {
      stepKm = given ?? STEP_KM_DEFAULT
      if (stepKm < 1) return `filter 'nearest' goes by steps of at least 1 km`
      steps.push({ name, filter: nearest(stepKm) })
    } else if (name === 'weight') {
      isWeighted = true
      beforeWeight = [...steps]
      steps.push({ name, filter: weight })
    } else steps.push({ name, filter: { up, geofence, priority, load }[name]! })
  }
  return { steps, beforeWeight: [...beforeWeight], isWeighted, count, stepKm }
}

/** Everybody, in the order of their names: so that nothing hangs on the order of a file. */
export function allOf({ nodes }: Situation): readonly Candidate[] {
  return nodes
    .map(({ name }, node) => ({ name, node }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ node }) => ({ node, tier: 0 }))
}

/** Who is left of all. */
export function run(steps: readonly PipelineStep[], situation: Situation): readonly Candidate[] {
  let left = allOf(situation)
  for (const { filter } of steps) left = filter(left, situation).kept
  return left
}

export interface Outcome {
  readonly left: readonly Candidate[]
  readonly leniency: Leniency
  readonly kind: 'chosen' | 'all down, open' | 'all down, closed' | 'nobody'
}

/** Who is left, with as much leniency as it takes for somebody to be. */
export function decide(
  steps: readonly PipelineStep[],
  situation: Omit<Situation, 'leniency'>,
  allDown: 'open' | 'closed',
): Outcome {
  for (const leniency of ['up', 'drain', 'open', 'any'] as const) {
    const left = run(steps, { ...situation, leniency })
    if (left.length === 0) continue
    if (leniency === 'up' || leniency === 'drain') return { left, leniency, kind: 'chosen' }
    if (leniency === 'open' && allDown === 'open') return { left, leniency, kind: 'all down, open' }
    return { left: [], leniency: 'up', kind: 'all down, closed' }
  }
  return { left: [], leniency: 'any', kind: 'nobody' }
}
