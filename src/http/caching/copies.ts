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
  /** How it is stored. `withheld` names fields that did not come along. */
  readonly plan: StorePlan
}

/** It is fresh for as long as the entry still is, and varies by what the entry does. */
export const copyOfStored = (entry: StoredResponse): CopiedHead => ({
  status: entry.status,
  reason: entry.reason,
  headers: withPrior(entry.headers, entry.priorCacheStatus),
  before: entry.beforeHeaders,
  plan: {
    ...entry.plan,
    freshUntilMs: entry.freshUntilMs,
    vary: entry.selecting.map(({ name }) => name),
  },
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
  plan,
})

export const responseOf = ({ status, reason, headers, before }: CopiedHead): IncomingResponse => ({
  status,
  reason,
  headers,
  before,
})

const withPrior = (headers: HeaderList, prior: string | undefined): HeaderList =>
  prior === undefined || prior === '' ? headers : [...headers, 'cache-status', prior]
