/**
 * `Cache-Status` (RFC 9211): what the cache did with the request, in a form that tools read.
 *
 * Each cache on the way appends a member, the one nearest to the client last.
 */

import { parseList, serialiseString } from '../../wire/structured-fields.ts'

/** Why a request went on to the origin; the words are the RFC's (§2.2). */
export type ForwardReason =
  | 'bypass'
  | 'method'
  | 'uri-miss'
  | 'vary-miss'
  | 'miss'
  | 'request'
  | 'stale'
  | 'partial'

const NAME = 'orla'

/** `orla; hit; ttl=30`. Seconds; negative where a stale answer was allowed. */
export function hitStatus(ttlSeconds: number): string {
  return `${NAME}; hit; ttl=${ttlSeconds}`
}

/** §2: a request that neither hit nor went on has neither parameter. */
export const UNSATISFIABLE_STATUS = `${NAME}; detail=only-if-cached`

export interface Forwarded {
  readonly forward: ForwardReason
  /** The origin's status, where it is not the one the client gets: `304`. */
  readonly status?: number
  /** Seconds that the response will be fresh. */
  readonly ttlSeconds?: number
  /** The response is being kept. */
  readonly stored?: boolean
  /** True: answered with what another request fetched. False: waited for that, in vain. Absent: did not wait. */
  readonly collapsed?: boolean
  /** A word of our own: why it was not kept, why it was passed by. */
  readonly detail?: string
}

/** `orla; fwd=uri-miss; stored`. */
export function forwardStatus(forwarded: Forwarded): string {
  let member = `${NAME}; fwd=${forwarded.forward}`
  if (forwarded.status !== undefined) member += `; fwd-status=${forwarded.status}`
  if (forwarded.ttlSeconds !== undefined) member += `; ttl=${forwarded.ttlSeconds}`
  if (forwarded.stored === true) member += '; stored'
  if (forwarded.collapsed !== undefined) member += forwarded.collapsed ? '; collapsed' : '; collapsed=?0'
  if (forwarded.detail !== undefined) member += `; detail=${forwarded.detail}`
  return member
}

/** What upstream caches may say of themselves: more than a dozen of them would. */
const PRIOR_LENGTH_MAX = 2048

/**
 * `Cache-Status` of the caches nearer to the origin, if it is worth keeping: what is no list (RFC 9211 §2) would make none of ours as
 * well, and what is endless would be sent with every hit.
 */
export function boundedStatus(text: string): string | undefined {
  return text.length > PRIOR_LENGTH_MAX || parseList(text) === undefined ? undefined : text
}

/** Longer keys are not told: a key may be as long as a head. */
const KEY_LENGTH_MAX = 2048

/** RFC 9211 §2.7. */
export function withKey(member: string, key: string): string {
  return key === '' || key.length > KEY_LENGTH_MAX ? member : `${member}; key=${serialiseString(key)}`
}

/** `prior` is the `Cache-Status` that the response came with, if any: caches nearer to the origin. */
export function appendCacheStatus(prior: string | undefined, member: string): string {
  return prior === undefined || prior === '' ? member : `${prior}, ${member}`
}
