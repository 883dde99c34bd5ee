/** What the admin API tells about origins: see `shapes.ts`. */
import * as v from 'valibot'

const text = () => v.string('expected a string')
const number = () => v.number('expected a number')

export const EndpointShape = v.strictObject({
  /** As configured: its name, or URL. */
  endpoint: text(),
  address: text(),
  /** The worst that a worker sees. `ejected`: left out for a while because requests failed; `leaving`: its name has this address no more. */
  state: v.picklist(['up', 'down', 'ejected', 'leaving']),
  /** So many workers see it up, of so many that were asked. */
  up: number(),
  of: number(),
  weight: number(),
  /** What of the weight counts now, on average: less while it starts slowly. */
  share: number(),
  backup: v.boolean('expected true or false'),
  /** The bound that keeps a worker from sending it one more request now. */
  full: v.optional(v.picklist(['connections', 'pending', 'requests', 'uploads'])),
  /** Requests under way. */
  active: number(),
  connections: number(),
  /** Requests that wait for a connection. */
  waiting: number(),
  requests: number(),
  errors: number(),
  ejections: number(),
  /** Why it is not up, or what went wrong last. */
  reason: v.optional(text()),
})
export type EndpointSummary = v.InferOutput<typeof EndpointShape>

export const OriginShape = v.strictObject({
  site: text(),
  /** How an endpoint is chosen; `static` for a site of files. */
  balance: text(),
  endpoints: v.array(EndpointShape),
  /** Names whose addresses could not be learnt the last time. */
  unresolved: v.array(v.strictObject({ name: text(), reason: text() })),
  /** Of its circuit breaker, where it has one: the worst that a worker sees. */
  circuit: v.optional(v.picklist(['closed', 'half-open', 'open'])),
})
export type OriginSummary = v.InferOutput<typeof OriginShape>
