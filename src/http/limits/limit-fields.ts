/**
 * `RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers-11 has them: lists of Structured Fields, an item a policy.
 *
 * `q` in `w` seconds is what the policy gives; `r` is what is left of it now, and `t` the seconds until all of it is there again, or until a
 * refused request would be allowed, as `Retry-After` says (§4). Both are hints: a client must not take `r` for a promise.
 */
import type { RateLimitConfig } from '../../config/schema.ts'
import type { Decision } from '../../limit/limiter.ts'
import type { Exchange } from '../exchange.ts'
import type { LimitFields } from './request-limit.ts'

export function rateFields({ name, rate, fields }: RateLimitConfig): LimitFields | undefined {
  if (fields === 'never') return undefined
  // `w` counts whole seconds: a window that is no number of them stays untold rather than be told wrongly.
  const seconds = rate.windowMs / 1000
  const window = Number.isInteger(seconds) ? `;w=${seconds}` : ''
  return limitFields(name, `q=${rate.count}${window}`, fields === 'always')
}

/** `quota`: the parameters of the policy. */
export function limitFields(name: string, quota: string, onAllowed: boolean): LimitFields {
  const policy = `"${name}";${quota}`
  const remaining = `"${name}";r=`
  return { policy, remaining, lead: `ratelimit-policy: ${policy}\r\nratelimit: ${remaining}`, onAllowed }
}

/** Adds what a limit said to the head of the answer. Names hold nothing that would have to be escaped. */
export function tellFields(
  exchange: Exchange,
  { policy, remaining, lead }: LimitFields,
  decision: Decision,
  inMs: number,
): void {
  const left = `${decision.remaining};t=${secondsUp(inMs)}`
  const before = exchange.limitFields
  exchange.limitFields = before === '' ? `${lead}${left}\r\n` : joined(before, policy, remaining + left)
}

/** Several limits: one line of each field, with an item for each. */
function joined(before: string, policy: string, item: string): string {
  const end = before.indexOf('\r\n')
  return `${before.slice(0, end)}, ${policy}${before.slice(end, -2)}, ${item}\r\n`
}

/** Whole seconds; a client that comes back then does not come too early. */
export const secondsUp = (ms: number): number => Math.ceil(ms / 1000)
