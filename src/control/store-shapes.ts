/** What the admin API says of the log and of where it is kept, and how it is asked to go back. */
import * as v from 'valibot'
import { PositionShape } from './edge-shapes.ts'
import { ChangeShape, WaitBody } from './shapes.ts'

const text = () => v.string('expected a string')
const count = () => v.pipe(v.number('expected a number'), v.integer('expected a whole number'), v.minValue(0))

export const LogEntryShape = v.strictObject({
  id: count(),
  operation: v.picklist(['SET', 'DELETE']),
  key: text(),
  /** Absent where it was not asked for. */
  value: v.optional(text()),
  /** Of the value, in UTF-8. */
  bytes: count(),
  /** Milliseconds since 1970. */
  at: v.number(),
  hash: text(),
})
export type ShownEntry = v.InferOutput<typeof LogEntryShape>

const MemberShape = v.strictObject({
  name: text(),
  address: text(),
  role: v.picklist(['leader', 'follower', 'learner', 'master', 'replica']),
  isHealthy: v.boolean(),
  note: v.optional(text()),
  /** Entries of Raft, or bytes of replication, behind its leader or master. */
  lag: v.optional(v.number()),
})

export const StoreShape = v.strictObject({
  kind: v.picklist(['embedded', 'redis', 'etcd', 'replica']),
  /** The file of this node. */
  path: text(),
  /** On the disk, with what is not merged into it yet. */
  fileBytes: count(),
  position: PositionShape,
  /** Before the first entry that is kept. */
  base: PositionShape,
  /** How many are kept. */
  entries: count(),
  /** What it is made of: units, sites, tokens and the like. */
  keys: count(),
  /** Whose replica the file is. */
  keeper: v.optional(text()),
  /** Of an edge: what it follows, and whether it is connected. */
  control: v.optional(v.strictObject({ url: text(), isConnected: v.boolean() })),
  /** `store.log`. */
  keep: v.strictObject({ entries: count(), entriesForEdges: count() }),
  /** The engine behind it, where there is one. */
  engine: v.optional(
    v.strictObject({
      address: text(),
      version: v.optional(text()),
      /** Whether it takes writes now. */
      isHealthy: v.boolean(),
      problem: v.optional(text()),
      /** Of Raft, or the epoch of a Redis Cluster. */
      term: v.optional(v.number()),
      members: v.array(MemberShape),
      /** Where its log ends; absent where it does not answer. */
      position: v.optional(PositionShape),
    }),
  ),
  /** Those that are known, with the entries that each does not run yet. */
  edges: v.array(
    v.strictObject({
      name: text(),
      presence: v.picklist(['connected', 'away', 'stopped']),
      position: PositionShape,
      lag: count(),
    }),
  ),
})
export type StoreStatus = v.InferOutput<typeof StoreShape>

export const StoreVerdictShape = v.strictObject({
  ok: v.boolean(),
  position: PositionShape,
  /** The first entry that is not right, and what is wrong with it. */
  id: v.optional(count()),
  problem: v.optional(text()),
})
export type StoreVerdict = v.InferOutput<typeof StoreVerdictShape>

export const RestoreBody = v.strictObject({
  /** A position of the log (a number), or a time (ISO 8601, such as `2026-11-27T20:00:00Z`). */
  at: v.union(
    [
      count(),
      v.pipe(
        text(),
        v.check((time) => /^\d{4}-\d\d-\d\dT/.test(time) && Number.isFinite(Date.parse(time))),
      ),
    ],
    'expected an id of the log, or a time such as "2026-11-27T20:00:00Z"',
  ),
  /** Says what would change, and changes nothing. */
  dryRun: v.optional(v.boolean('expected true or false'), false),
  ...WaitBody.entries,
})

const NamesShape = v.strictObject({
  added: v.array(text()),
  changed: v.array(text()),
  removed: v.array(text()),
})

export const RestoreShape = v.strictObject({
  /** The position whose state it is now. */
  to: count(),
  /** The one before the change: going there takes it back. */
  from: count(),
  units: NamesShape,
  sites: NamesShape,
  /** Where all units are switched off by it, or on again. */
  unitsEnabled: v.optional(v.boolean()),
  dryRun: v.boolean(),
  epoch: count(),
  live: ChangeShape.entries.live,
  edges: ChangeShape.entries.edges,
  ms: v.number(),
  timings: ChangeShape.entries.timings,
})
export type RestoreResult = v.InferOutput<typeof RestoreShape>
