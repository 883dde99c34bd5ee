/** What the cache says to a request. */
import type { ForwardReason } from './cache-status.ts'
import type { Unkeyed } from './request-terms.ts'
import type { StoredResponse } from './stored-response.ts'

/** Answer with this. The object belongs to the entry: it is good until the next lookup. */
export interface Hit {
  readonly kind: 'hit'
  readonly entry: StoredResponse
  /** For `age`. */
  ageSeconds: number
  /** For `cache-status`: negative where the client said that a stale answer is good enough. */
  ttlSeconds: number
  /** The client has it already: answer 304, with `entry.notModifiedPrefix`. */
  isNotModified: boolean
}

/** There is a response, but the origin has to be asked whether it is still good: `join`, `forwardedHeaders(…, entry)`, `fill.refresh`. */
export interface Stale {
  readonly kind: 'stale'
  readonly entry: StoredResponse
  /** `request`: the response is fresh, but the client asked for one that is fresher. */
  readonly forward: 'stale' | 'request'
  /** Whether an answer that another request is waiting for would do. */
  readonly shared: boolean
}

/** There is none: `join`, then `forwardedHeaders` to the origin. */
export interface Miss {
  readonly kind: 'miss'
  readonly forward: 'uri-miss' | 'vary-miss'
  readonly shared: boolean
}

/** Why a request is none of the cache's business. */
export type BypassReason =
  | Unkeyed
  | 'method' // only GET and HEAD are looked up
  | 'head' // only whole answers are kept, and HEAD would fetch none
  | 'no-store' // the client said so

/** Send the request to the origin as it is, and keep nothing. */
export interface Bypass {
  readonly kind: 'bypass'
  readonly reason: BypassReason
  readonly forward: ForwardReason
}

/** The client wants an answer from the cache or none (`only-if-cached`), and there is none: RFC 9111 §5.2.1.7. */
export interface Unsatisfiable {
  readonly kind: 'unsatisfiable'
  readonly status: 504
}

export type Lookup = Hit | Stale | Miss | Bypass | Unsatisfiable

export const UNSATISFIABLE: Unsatisfiable = { kind: 'unsatisfiable', status: 504 }

// Results without an entry are made once: a miss costs nothing but the way to the origin.
const bypass = (reason: BypassReason, forward: ForwardReason): Bypass => ({ kind: 'bypass', reason, forward })
export const BYPASS = {
  method: bypass('method', 'method'),
  range: bypass('range', 'bypass'),
  precondition: bypass('precondition', 'bypass'),
  body: bypass('body', 'bypass'),
  'no-store': bypass('no-store', 'request'),
} as const
export const BYPASS_HEAD = {
  'uri-miss': bypass('head', 'uri-miss'),
  'vary-miss': bypass('head', 'vary-miss'),
  stale: bypass('head', 'stale'),
  request: bypass('head', 'request'),
} as const

const miss = (forward: Miss['forward'], shared: boolean): Miss => ({ kind: 'miss', forward, shared })
export const MISS = { 'uri-miss': miss('uri-miss', true), 'vary-miss': miss('vary-miss', true) } as const
export const MISS_ALONE = {
  'uri-miss': miss('uri-miss', false),
  'vary-miss': miss('vary-miss', false),
} as const
