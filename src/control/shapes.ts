/**
 * What the admin API takes and gives, described once: the check of a body, the types, and `/v1/openapi.json` come from here.
 */
import * as v from 'valibot'
import { PositionShape } from './edge-shapes.ts'
import { ShadowBody, StagesEntries } from './rollout-shapes.ts'
import { PHASE_BITS, type Phase } from '../contract/unit.ts'

/** One label of a DNS name, as a unit's name may become one. */
export const UNIT_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/

const text = () => v.string('expected a string')
const strings = () => v.record(text(), v.string('expected a string as value'))
/** Null unsets a value. */
const changes = () => v.record(text(), v.nullable(v.string('expected a string or null as value')))
const count = () => v.pipe(v.number('expected a number'), v.integer(), v.minValue(0))

const Waiting = {
  /** When the change counts as done. */
  wait: v.optional(v.picklist(['stored', 'edges', 'all'], 'expected "stored", "edges" or "all"'), 'all'),
  /** How long to wait for that, in milliseconds. */
  timeoutMs: v.optional(
    v.pipe(
      v.number('expected a number'),
      v.minValue(1, 'expected 1 or more'),
      v.maxValue(600_000, 'expected 600000 or less'),
    ),
    30_000,
  ),
  /** With `wait: "edges"`: how many nodes have to run it (that of the control plane is one of them), or which edges; a majority unless said. */
  edges: v.optional(
    v.union(
      [
        v.pipe(v.number(), v.integer(), v.minValue(1)),
        v.pipe(v.array(v.pipe(text(), v.maxLength(255))), v.minLength(1), v.maxLength(10_000)),
      ],
      'expected a number of nodes, or a list of names of edges',
    ),
  ),
  /** What becomes of a change that not all of them run in time: it stays and goes on, or it is taken back. */
  onTimeout: v.optional(v.picklist(['keep', 'withdraw'], 'expected "keep" or "withdraw"'), 'keep'),
}

export const WaitBody = v.strictObject(Waiting)

export const DeployBody = v.strictObject({
  source: text(),
  language: v.optional(v.picklist(['ts', 'js'], 'expected "ts" or "js"'), 'ts'),
  files: v.optional(strings(), {}),
  entry: v.optional(text()),
  manifest: v.optional(v.record(text(), v.unknown()), {}),
  /** The path of the unit's own tests among `files`: they are run, and one that fails refuses the deploy. */
  tests: v.optional(text()),
  /** What `orla deploy --sign` makes: `KEY.SIGNATURE`. */
  signature: v.optional(text()),
  /** Over what the version before had. */
  env: v.optional(changes()),
  secrets: v.optional(changes()),
  /** It was taken from elsewhere, by `orla import`: a unit that somebody deployed is not changed then. */
  imported: v.optional(
    v.strictObject({
      source: text(),
      name: text(),
      hash: text(),
      /** Fields of the manifest where the module says nothing. */
      defaults: v.optional(v.record(text(), v.unknown())),
    }),
  ),
  /** It goes in stages. */
  ...StagesEntries,
  /** It runs beside the live version, and answers nobody. */
  shadow: v.optional(ShadowBody),
  /** A rollout that is under way ends with it. */
  replace: v.optional(v.boolean('expected true or false')),
  ...Waiting,
})

/** Of a shadow: it is live at once, or goes in stages. */
export const PromoteBody = v.strictObject({ ...StagesEntries, ...Waiting })

export const EnvBody = v.strictObject({
  /** Over what the version before had. */
  env: v.optional(changes()),
  secrets: v.optional(changes()),
  ...Waiting,
})

export const RollbackBody = v.strictObject({
  version: v.optional(v.pipe(v.number('expected a number'), v.integer(), v.minValue(1))),
  ...Waiting,
})

export const ProblemShape = v.strictObject({
  message: text(),
  file: v.optional(text()),
  /** From 1. */
  line: v.optional(count()),
  column: v.optional(count()),
})
export type Problem = v.InferOutput<typeof ProblemShape>

export const ChangeShape = v.strictObject({
  name: text(),
  /** The version that is live after the change; 0 where none is. */
  version: count(),
  /** The set of units that holds it. With `wait: "stored"` it may not be live yet. */
  epoch: count(),
  /** Workers that run it, of all nodes that were waited for. */
  live: v.strictObject({ workers: count(), of: count() }),
  /** Edges that run it, of those that are known, where there are any. `ms` is from the append to the last of them. */
  edges: v.optional(v.strictObject({ live: count(), of: count(), ms: v.optional(v.number()) })),
  ms: v.number(),
  /** Tests of the unit that were run, and passed. */
  tests: v.optional(count()),
  /** How long each step took, in milliseconds; steps that did not happen are absent. */
  timings: v.strictObject({
    buildMs: v.optional(v.number()),
    checkMs: v.optional(v.number()),
    queueMs: v.optional(v.number()),
    tryMs: v.optional(v.number()),
    storeMs: v.optional(v.number()),
    flipMs: v.optional(v.number()),
  }),
  /** What the build found odd, and let pass. */
  warnings: v.array(ProblemShape),
})
export type ChangeResult = v.InferOutput<typeof ChangeShape>
export type ChangeTimings = ChangeResult['timings']

export const SiteShape = v.strictObject({
  name: text(),
  hosts: v.array(text()),
  /** `/*` for all. */
  paths: v.array(text()),
  /** The position of its last change, also its `ETag`. */
  version: count(),
  /** The configuration file, or the command and the API. */
  from: v.picklist(['file', 'live']),
  /** Milliseconds since 1970. */
  at: v.number(),
  /** As it was written. */
  site: v.record(text(), v.unknown()),
})
export type SiteSummary = v.InferOutput<typeof SiteShape>

const SiteChangeEntries = {
  added: v.array(text()),
  changed: v.array(text()),
  removed: v.array(text()),
  /** Of these, those that undo what was changed live. */
  overridden: v.array(text()),
  epoch: count(),
  live: ChangeShape.entries.live,
  edges: ChangeShape.entries.edges,
  ms: v.number(),
  timings: ChangeShape.entries.timings,
}
export const SiteChangeShape = v.strictObject(SiteChangeEntries)
export type SiteChange = v.InferOutput<typeof SiteChangeShape>

export const ReloadShape = v.strictObject({
  ...SiteChangeEntries,
  /** The file that was read. */
  source: text(),
  /** What else changed, such as `edge.limits.idle`. */
  settings: v.array(text()),
})
export type ReloadResult = v.InferOutput<typeof ReloadShape>

export const UpgradeShape = v.strictObject({
  /** The process that serves now. */
  pid: count(),
  /** Of the program that serves now. */
  version: text(),
  /** The process that served before: it finishes what is in progress, and ends. */
  before: count(),
  /** From the call until the new one served. */
  ms: count(),
})
export type UpgradeResult = v.InferOutput<typeof UpgradeShape>

/** A site as the configuration file has it. */
export const SiteBody = v.record(text(), v.unknown(), 'expected a site: an object with `hosts` and `origin`')
export const SitesBody = v.strictObject({
  sites: v.array(SiteBody, 'expected a list of sites'),
  ...Waiting,
})

const ReasonShape = v.picklist(['cpu', 'wall', 'memory', 'crash', 'throw', 'buffer', 'syntax', 'unsigned'])

export const TailLineShape = v.strictObject({
  at: v.number(),
  unit: text(),
  version: count(),
  level: v.picklist(['debug', 'info', 'warn', 'error']),
  reason: v.optional(ReasonShape),
  message: text(),
  where: v.optional(text()),
  worker: count(),
})

const QuarantineShape = v.strictObject({
  name: text(),
  version: count(),
  reason: ReasonShape,
  at: v.number(),
})

const ManifestShape = v.strictObject({
  hosts: v.array(text()),
  paths: v.array(text()),
  methods: v.array(text()),
  nodes: v.array(text()),
  priority: v.number(),
  sample: v.strictObject({ share: v.number(), by: text() }),
  onError: v.optional(v.picklist(['closed', 'open', 'lastGood'])),
  limits: v.strictObject({ cpuMs: v.number(), wallMs: v.number(), memoryMb: v.number() }),
  buffer: v.optional(v.number()),
  chunks: v.optional(v.picklist(['bytes', 'text'])),
  isolation: v.picklist(['process', 'inline']),
  kv: v.optional(text()),
  limit: v.optional(v.array(v.union([text(), v.record(text(), v.unknown())]))),
  every: v.optional(text()),
  cron: v.optional(text()),
})

const SummaryEntries = {
  name: text(),
  /** The live version. */
  version: count(),
  state: v.picklist(['live', 'disabled', 'quarantined', 'unsigned']),
  /** Why it is `unsigned`: it is not run, and fails by its policy. */
  barred: v.optional(text()),
  quarantine: v.optional(QuarantineShape),
  /** Of the workers' breakers the one that is furthest from closed. */
  breaker: v.picklist(['closed', 'half-open', 'open']),
  phases: v.array(v.picklist(Object.keys(PHASE_BITS) as Phase[])),
  manifest: ManifestShape,
  /** Absent: somebody deployed it. */
  origin: v.optional(
    v.strictObject({ kind: v.picklist(['source', 'import']), source: text(), name: text(), hash: text() }),
  ),
  /** Names alone. Values of secrets are never shown. */
  env: v.array(text()),
  secrets: v.array(text()),
  /** Milliseconds since 1970. */
  deployedAt: v.number(),
  /** A newer version on its way: `GET /v1/rollouts/{name}` tells more. */
  rollout: v.optional(
    v.strictObject({
      version: count(),
      kind: v.picklist(['staged', 'shadow']),
      state: v.picklist(['running', 'paused']),
      /** `5% of canary`. */
      reach: text(),
    }),
  ),
}
export const UnitSummaryShape = v.strictObject(SummaryEntries)
export type UnitSummary = v.InferOutput<typeof UnitSummaryShape>
export type UnitState = UnitSummary['state']
export type BreakerState = UnitSummary['breaker']

export const VersionShape = v.strictObject({
  version: count(),
  live: v.boolean(),
  at: v.number(),
  quarantined: v.boolean(),
  /** It is on its way. */
  rollout: v.optional(v.picklist(['staged', 'shadow'])),
})
export type VersionSummary = v.InferOutput<typeof VersionShape>

export const UnitDetailShape = v.strictObject({
  ...SummaryEntries,
  envValues: strings(),
  versions: v.array(VersionShape),
  /** The last ones, the newest last. */
  errors: v.array(TailLineShape),
})
export type UnitDetail = v.InferOutput<typeof UnitDetailShape>

export const SnapshotShape = v.strictObject({ position: PositionShape, entries: strings() })

export const KvNamespaceShape = v.strictObject({ namespace: text(), keys: count(), bytes: count() })

export const KvPageShape = v.strictObject({
  keys: v.array(v.strictObject({ name: text(), expiresAt: v.optional(v.number()) })),
  cursor: v.optional(text()),
  complete: v.boolean(),
})

export const KvWrittenShape = v.strictObject({ namespace: text(), key: text(), bytes: count() })

export const LaggardShape = v.strictObject({ who: text(), reason: text() })
export type Laggard = v.InferOutput<typeof LaggardShape>

/** RFC 9457. */
export const ProblemDetailsShape = v.strictObject({
  type: text(),
  title: text(),
  status: count(),
  detail: text(),
  code: text(),
  hint: text(),
  problems: v.optional(v.array(ProblemShape)),
  laggards: v.optional(v.array(LaggardShape)),
  /** Of a change that was not done in time: whether it stays, or was taken back. */
  outcome: v.optional(v.picklist(['kept', 'withdrawn'])),
})
export type ProblemDetails = v.InferOutput<typeof ProblemDetailsShape>

export const ReadyShape = v.strictObject({ ready: v.boolean(), problems: v.array(text()) })
