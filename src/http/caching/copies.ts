/**
 * An answer as it goes from the cache of one worker to that of another: whatever is not in its headers goes along, so that the copy is as
 * old as the original, good for as long, and for the same requests.
 */
import type { HeaderList } from '../../wire/http1/message.ts'
import type { Arrival } from './arrival.ts'
import type { IncomingResponse, StoredResponse } from './stored-response.ts'
import type { StorePlan } from './storing.ts'

/** Plain values: it goes as JSON. */
export interface CopiedHead {
  readonly status: number
  readonly reason: string
  /** With a length, where that is known. */
  readonly headers: HeaderList
  readonly before: HeaderList | undefined
  readonly bornMs: number
  readonly freshUntilMs: number
  readonly staleAllowed: boolean
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  readonly vary: readonly string[]
  /** Names of fields that are not stored, and so did not come along. */
  readonly withheld: readonly string[]
}

export const copyOfStored = (entry: StoredResponse): CopiedHead => ({
  status: entry.status,
  reason: entry.reason,
  headers: withPrior(entry.headers, entry.priorCacheStatus),
  before: entry.beforeHeaders,
  bornMs: entry.bornMs,
  freshUntilMs: entry.freshUntilMs,
  staleAllowed: entry.staleAllowed,
  staleWhileRevalidateMs: entry.staleWhileRevalidateMs,
  staleIfErrorMs: entry.staleIfErrorMs,
  vary: entry.selecting.map(({ name }) => name),
  withheld: entry.plan.withheld,
})

export const copyOfArriving = ({
  status,
  reason,
  kept,
  keptBefore,
  plan,
  priorCacheStatus,
}: Arrival): CopiedHead => ({
  status,
  reason,
  headers: withPrior(kept, priorCacheStatus),
  before: keptBefore,
  bornMs: plan.bornMs,
  freshUntilMs: plan.freshUntilMs,
  staleAllowed: plan.staleAllowed,
  staleWhileRevalidateMs: plan.staleWhileRevalidateMs,
  staleIfErrorMs: plan.staleIfErrorMs,
  vary: plan.vary,
  withheld: plan.withheld,
})

export const responseOf = ({ status, reason, headers, before }: CopiedHead): IncomingResponse => ({
  status,
  reason,
  headers,
  before,
})

export const planOf = (copied: CopiedHead): StorePlan => ({
  store: true,
  bornMs: copied.bornMs,
  freshUntilMs: copied.freshUntilMs,
  staleAllowed: copied.staleAllowed,
  staleWhileRevalidateMs: copied.staleWhileRevalidateMs,
  staleIfErrorMs: copied.staleIfErrorMs,
  withheld: copied.withheld,
  lifetimeSource: 'none',
  vary: copied.vary,
})

const withPrior = (headers: HeaderList, prior: string | undefined): HeaderList =>
  prior === undefined || prior === '' ? headers : [...headers, 'cache-status', prior]
