/** What the admin API tells of sources of units. */
import * as v from 'valibot'
import type { Route } from './routes.ts'

const SourceUnitShape = v.strictObject({
  /** In the source. */
  name: v.string(),
  /** What the unit is called here. */
  unit: v.string(),
  /**
   * `live`: as the source has it. `aside`: in a language that does not run yet. `refused`: it cannot run; a version from before stays. `foreign`: a unit of that name came from elsewhere.
   * `waiting`: it could not be put live yet, and is tried again.
   */
  state: v.picklist(['live', 'aside', 'refused', 'foreign', 'waiting']),
  /** Why it is not live. */
  reason: v.optional(v.string()),
})
export type SourceUnit = v.InferOutput<typeof SourceUnitShape>

export const SourceShape = v.strictObject({
  name: v.string(),
  kind: v.picklist(['redis']),
  /** Without user and password. */
  urls: v.array(v.string()),
  set: v.string(),
  everySeconds: v.number(),
  /** False on an edge of a control plane, which follows the source. */
  followed: v.boolean(),
  /** Milliseconds since 1970 when it was read last; absent: not yet. */
  readAt: v.optional(v.number()),
  /** Why it could not be read the last time. What is live stays. */
  problem: v.optional(v.string()),
  /** By their names in the source. */
  units: v.array(SourceUnitShape),
})
export type SourceSummary = v.InferOutput<typeof SourceShape>

export const SOURCE_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/sources',
    summary:
      'Where units come from beside this API: what each source holds, and what of it is not live, with the reason.',
    answer: [SourceShape],
    access: 'read',
    handle: ({ node }) => node.sources(),
  },
]
