/** What the frames between workers hold. */
import type { CopiedHead } from '../caching/copies.ts'
import { plainRequest } from '../../wire/http1/plain-request.ts'
import type { HeaderList, RequestHead } from '../../wire/http1/message.ts'

/** Is there an answer for this, or one on its way? */
export interface Ask {
  readonly site: string
  /** Of what makes the caches of a site alike: two that differ in it share nothing. */
  readonly likeness: string
  readonly key: string
  /** The headers of the request, as units rewrote them, less what it says to the cache: by these a variant is chosen. */
  readonly headers: HeaderList
  /** Milliseconds that the one who asks is going to wait for a head. */
  readonly waitMs: number
  /** The last purge that the one who asks knows of. */
  readonly purges: number
}

/** What was stored under these keys is not to be used any more. */
export interface Invalidation {
  readonly site: string
  readonly keys: readonly string[]
}

export interface Here {
  readonly copied: CopiedHead
  readonly purges: number
  /** Its body is still on its way to that worker. */
  readonly isArriving: boolean
}

export interface NotHere {
  /** The names by which the answers of this address vary, as far as that worker knows. */
  readonly vary: readonly string[]
  /** It was seen there lately that the answer is not for sharing. */
  readonly isUnshared: boolean
  /** The origin was asked, and failed by this code. */
  readonly failed?: { readonly code: string; readonly message: string } | undefined
}

export const NOT_HERE: NotHere = { vary: [], isUnshared: false }

/** Headers that say something to a cache: they were heard by the worker that asks, and speak of its own answers. */
const HEARD = new Set([
  'cache-control',
  'pragma',
  'if-none-match',
  'if-modified-since',
  'if-match',
  'if-unmodified-since',
  'if-range',
  'range',
])

export function askedHeaders(headers: HeaderList): HeaderList {
  const asked: string[] = []
  for (let i = 0; i < headers.length; i += 2)
    if (!HEARD.has(headers[i]!)) asked.push(headers[i]!, headers[i + 1]!)
  return asked
}

/** A request that says what was asked. */
export const headOf = ({ headers }: Ask): RequestHead => plainRequest({ headers })
