/** What the admin API tells about the steering of clients: see `shapes.ts`. */
import * as v from 'valibot'

const text = () => v.string('expected a string')
const number = () => v.number('expected a number')

export const SteeredShape = v.strictObject({
  /** The prefix that the choice was made for. */
  client: text(),
  /** Where that is, as far as it is known. */
  place: v.strictObject({
    country: v.optional(text()),
    continent: v.optional(text()),
    asn: v.optional(number()),
    latitude: v.optional(number()),
    longitude: v.optional(number()),
    /** The node that a `prefix` line names for it. */
    override: v.optional(text()),
  }),
  /** What each filter left, in its order, and why it removed the others. */
  steps: v.array(
    v.strictObject({
      filter: text(),
      kept: v.array(text()),
      removed: v.array(v.strictObject({ node: text(), why: text() })),
    }),
  ),
  /** The nodes that are answered. */
  chosen: v.array(text()),
  /** `chosen`; `all down, open`, `all down, closed`; `nobody`: fences let no node serve the client. */
  outcome: text(),
  /** Bits of the client's address that the choice depends on. */
  scope: number(),
  /** Workers that choose the same now, and all that were asked: they may differ while one probe knows more than another. */
  workers: v.strictObject({ agreeing: number(), asked: number() }),
})
export type SteeredSummary = v.InferOutput<typeof SteeredShape>
