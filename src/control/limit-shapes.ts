/** What the admin API tells about limits: see `shapes.ts`. */
import * as v from 'valibot'

const text = () => v.string('expected a string')
const number = () => v.number('expected a number')

export const LimitShape = v.strictObject({
  /** Empty: over all sites. */
  site: text(),
  name: text(),
  kind: v.picklist(['rate', 'concurrency', 'bandwidth']),
  /** What it allows, as a person reads it: `10 in 1m by address`. */
  policy: text(),
  dryRun: v.boolean('expected true or false'),
  /** Requests, and questions of units, since the node started. */
  allowed: number(),
  refused: number(),
  /** Allowed because the limit is a dry run. */
  wouldRefuse: number(),
  /** Allowed after a wait. */
  waited: number(),
  /** Keys that have something used up now; absent where they share cells. */
  keys: v.optional(number()),
  /** How many are counted each in a place of its own. */
  keysMax: v.optional(number()),
})
export type LimitSummary = v.InferOutput<typeof LimitShape>

export const LimitTopShape = v.strictObject({
  site: text(),
  name: text(),
  /** An address or prefix, or the value that requests are counted by. */
  key: text(),
  /** Questions of the last minutes, allowed or not. */
  count: number(),
  /** By so much `count` may be too high. */
  excess: number(),
})
export type LimitTopSummary = v.InferOutput<typeof LimitTopShape>
