/**
 * What every limit is to the stage, whatever it limits: asked once for each request that it concerns, and told of in the answer.
 *
 * Each kind is a file beside this one, and a line in `limit-kinds.ts`.
 */
import type { LimitConfig } from '../../config/schema.ts'
import type { LimitOutcome } from '../../contract/limits.ts'
import type { Decision } from '../../limit/limiter.ts'
import type { RequestHead } from '../../wire/http1/message.ts'
import type { Client } from '../client.ts'
import type { Exchange } from '../exchange.ts'

/** What of a request decides which limits it meets, and by what it is counted. */
export interface LimitedRequest {
  readonly head: Pick<RequestHead, 'method' | 'path' | 'host' | 'headers'>
  readonly client: Pick<Client, 'ip' | 'address'>
  readonly connection: { readonly peer?: { readonly localAddress: string } | undefined }
  readonly startedMs: number
}

export type LimitCounts = Record<LimitOutcome, number>

export interface RequestLimit {
  readonly name: string
  /** Whose it is; empty where it is over all sites. */
  readonly site: string
  readonly config: LimitConfig
  readonly counts: LimitCounts
  /** What answers tell of it; undefined where they say nothing. */
  readonly fields: LimitFields | undefined
  /** Of what it refuses. */
  readonly status: number
  /** What a client that was refused is told it may do: `10 requests in 60 seconds`. */
  readonly allows: string
  /**
   * Takes what the request costs. Undefined: the request is none of those it is for. Where the answer has to be waited for, the request is
   * parked meanwhile; a promise never rejects.
   */
  ask(exchange: Exchange): Decision | undefined | Promise<Decision | undefined>
}

/** Parts of `RateLimit-Policy` and `RateLimit` that are the same in every answer. */
export interface LimitFields {
  /** `"login";q=10;w=60` */
  readonly policy: string
  /** `"login";r=` */
  readonly remaining: string
  /** Both lines up to there: most requests meet one limit. */
  readonly lead: string
  readonly onAllowed: boolean
}
