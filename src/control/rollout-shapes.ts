/** What the admin API takes and gives of rollouts; see `shapes.ts`. */
import * as v from 'valibot'

const text = () => v.string('expected a string')
const count = () => v.pipe(v.number('expected a number'), v.integer(), v.minValue(0))
const share = () =>
  v.pipe(v.number('expected a number'), v.minValue(0, 'expected 0 to 1'), v.maxValue(1, 'expected 0 to 1'))

export const GateShape = v.strictObject({
  /** Failed runs a request: how much of a share more than the live version's. */
  errors: share(),
  /** Answers of 500 and above, likewise. */
  serverErrors: share(),
  /** How many times the CPU and wall time of the live version a run may take. */
  latency: v.pipe(v.number('expected a number'), v.minValue(1, 'expected 1 or more')),
  /** Requests that ran the new version in a step before the next one begins. */
  minRuns: count(),
})

/** What of a deploy, or of a promotion, makes it go in stages. */
export const StagesEntries = {
  /** `canary:5%,25%,100%`: shares of the clients of edges in groups, one after the other. */
  stages: v.optional(v.array(text(), 'expected a list of strings')),
  gate: v.optional(v.partial(GateShape)),
  /** How long a step lasts at least. */
  stepForMs: v.optional(
    v.pipe(
      v.number('expected a number'),
      v.minValue(0, 'expected 0 or more'),
      v.maxValue(30 * 86_400_000, 'expected 30 days or less, in milliseconds'),
    ),
  ),
}

export const ShadowBody = v.strictObject({
  /** Of the clients. */
  share: v.optional(share(), 1),
  /** Its `fetch` goes out for GET and HEAD. */
  fetch: v.optional(v.boolean('expected true or false'), false),
})

export const RolloutCountsShape = v.strictObject({
  /** Requests that met it and were answered. */
  requests: count(),
  errors: count(),
  serverErrors: count(),
  /** Wall time of runs. */
  p50Ms: v.optional(v.number()),
  p99Ms: v.optional(v.number()),
})
export type RolloutCounts = v.InferOutput<typeof RolloutCountsShape>

const BaseEntries = {
  name: text(),
  /** The new version. */
  version: count(),
  /** The version that was live when it began. */
  from: count(),
  state: v.picklist(['running', 'paused', 'done', 'rolled-back']),
  /** Why it is paused or was rolled back. */
  reason: v.optional(text()),
  /** Milliseconds since 1970. */
  startedAt: v.number(),
  /** When the step, or the state, began. */
  since: v.number(),
  /** In this step, where one is under way; else since the node started. */
  new: RolloutCountsShape,
  old: RolloutCountsShape,
}

const ExampleEntries = {
  at: v.number(),
  method: text(),
  path: text(),
  phase: text(),
  live: text(),
  shadow: text(),
  differs: v.pipe(v.array(text()), v.maxLength(100)),
}

/** Requests by how the decisions of a shadow compare with those of the live version. */
const ResultsShape = v.strictObject({ same: count(), different: count(), failed: count(), skipped: count() })

const numbers = () => v.pipe(v.array(v.number('expected a number')), v.maxLength(100))
const HistogramShape = v.strictObject({ bounds: numbers(), counts: numbers(), sum: v.number() })

/** What an edge counted of one version: `RolloutSample`. */
export const RolloutSampleShape = v.strictObject({
  node: text(),
  instance: text(),
  countedForMs: count(),
  unit: text(),
  version: count(),
  requests: count(),
  serverErrors: count(),
  errors: v.record(text(), count()),
  cpuSeconds: v.optional(HistogramShape),
  wallSeconds: v.optional(HistogramShape),
  isBreakerOpen: v.boolean('expected true or false'),
  quarantined: v.optional(text()),
  shadow: ResultsShape,
  examples: v.pipe(
    v.array(v.strictObject({ unit: text(), version: count(), ...ExampleEntries })),
    v.maxLength(20),
  ),
})

export const StagedShape = v.strictObject({
  kind: v.literal('staged'),
  ...BaseEntries,
  /** `5% of canary`, in order. */
  stages: v.array(text()),
  /** Index of the one in force. */
  step: count(),
  stepForMs: count(),
  gate: GateShape,
  /** Of the step, since this control plane watches it. */
  elapsedMs: v.optional(count()),
  judgement: v.optional(v.picklist(['healthy', 'waiting', 'worse'])),
})

export const ShadowShape = v.strictObject({
  kind: v.literal('shadow'),
  ...BaseEntries,
  share: share(),
  mayFetch: v.boolean(),
  results: ResultsShape,
  /** Phases of it whose decisions are not compared. */
  notCompared: v.array(text()),
  /** The last requests on which it decided otherwise: names of headers, and no values. */
  examples: v.array(v.strictObject(ExampleEntries)),
})

export const RolloutShape = v.variant('kind', [StagedShape, ShadowShape])
export type RolloutSummary = v.InferOutput<typeof RolloutShape>
