/** What the admin API takes from edges and says of them. */
import * as v from 'valibot'
import { KV_BUCKETS, kvLog, UNITS_LOG } from '../contract/shared-log.ts'
import { RolloutSampleShape } from './rollout-shapes.ts'

const text = () => v.string('expected a string')
const short = () =>
  v.pipe(text(), v.minLength(1, 'expected a name'), v.maxLength(255, 'expected at most 255 characters'))
const count = () => v.pipe(v.number('expected a number'), v.integer(), v.minValue(0))
const shorts = () => v.pipe(v.array(short()), v.maxLength(1000))

const NAME_EXPECTED = 'expected letters, digits and "._:-", at most 255'
/** It is shown on terminals and in boards. */
const edgeName = () =>
  v.pipe(v.string(NAME_EXPECTED), v.regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,254}$/, NAME_EXPECTED))
const logName = () => v.pipe(text(), v.regex(/^[0-9a-f]{0,64}$/, 'expected the name of a log'))
const instance = () => v.pipe(text(), v.regex(/^[0-9a-f]{16,64}$/, 'expected 16 to 64 digits of hex'))

export const PositionShape = v.strictObject({ log: text(), id: count(), hash: text() })
/** As an edge says it: bounded. */
const GivenPosition = v.strictObject({
  log: logName(),
  id: v.pipe(count(), v.maxValue(Number.MAX_SAFE_INTEGER)),
  hash: v.pipe(text(), v.regex(/^(?:[0-9a-f]{64})?$/, 'expected a SHA-256 in hex')),
})
const WorkersShape = v.strictObject({ live: count(), of: count() })

const LOGS = [UNITS_LOG, ...Array.from({ length: KV_BUCKETS }, (_, bucket) => kvLog(bucket))]

export const FollowBody = v.strictObject({
  protocol: count(),
  name: edgeName(),
  instance: instance(),
  groups: shorts(),
  addresses: shorts(),
  version: short(),
  positions: v.record(v.picklist(LOGS, 'expected the name of a log'), GivenPosition),
  isSteering: v.optional(v.boolean()),
})

export const ReportBody = v.strictObject({
  name: edgeName(),
  instance: instance(),
  live: GivenPosition,
  stored: GivenPosition,
  epoch: count(),
  enabled: v.boolean(),
  workers: WorkersShape,
  rejected: v.optional(
    v.strictObject({
      log: logName(),
      id: count(),
      problems: v.pipe(v.array(v.pipe(text(), v.maxLength(4000))), v.maxLength(100)),
    }),
  ),
  purged: v.optional(
    v.strictObject({
      log: logName(),
      id: count(),
      objects: v.pipe(v.array(v.tuple([count(), count()])), v.maxLength(64)),
    }),
  ),
  rollouts: v.optional(v.pipe(v.array(RolloutSampleShape), v.maxLength(1000))),
  about: v.optional(v.strictObject({ groups: shorts(), addresses: shorts(), version: short() })),
  load: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  isLeaving: v.optional(v.boolean()),
})

/** What is in a part is checked by whoever orders the changes. */
export const KvBatchBody = v.strictObject({ parts: v.pipe(v.array(v.unknown()), v.maxLength(1000)) })

/** Results in the order of the operations, or why it was not done. */
export const KvAnswerShape = v.strictObject({
  position: v.optional(PositionShape),
  results: v.optional(v.array(v.unknown())),
  code: v.optional(text()),
  message: v.optional(text()),
})

export const EdgeKeyShape = v.strictObject({ key: text() })

export const EdgeShape = v.strictObject({
  name: text(),
  /** `control`: the node that this was asked of; else an edge that follows it. */
  role: v.picklist(['control', 'edge']),
  /** `away`: it was here, and is not connected; `stopped`: it left in order. */
  presence: v.picklist(['connected', 'away', 'stopped']),
  groups: v.array(text()),
  version: text(),
  epoch: count(),
  /** False while all units are switched off. */
  enabled: v.boolean(),
  /** What all its workers run. */
  position: PositionShape,
  /** Entries of the log that it does not run yet. */
  lag: count(),
  /** Milliseconds since 1970 when it was last heard of. */
  lastSeen: v.number(),
  addresses: v.array(text()),
  /** Workers that run it, and how many there are. */
  live: v.strictObject({ workers: count(), of: count() }),
  /** What it has and does not run, and why. */
  rejected: v.optional(v.strictObject({ id: count(), problems: v.array(text()) })),
  /** From the append to live on all its workers, in milliseconds, of the last 1024 entries. */
  liveMs: v.optional(v.strictObject({ count: count(), p50: v.number(), p99: v.number() })),
  /** Of the node that this was asked of, one by one; of others none. */
  workers: v.array(
    v.strictObject({
      worker: count(),
      pid: count(),
      state: v.picklist(['starting', 'ready', 'replacing', 'draining']),
      restarts: count(),
    }),
  ),
})
export type EdgeStatus = v.InferOutput<typeof EdgeShape>
