/** Messages for the tests beside this file, with no more said than a test is about. */
import type { RequestHead } from '../../wire/http1/message.ts'
import { plainRequest } from '../../wire/http1/plain-request.ts'
import type { Arrival } from './arrival.ts'
import type { CacheFill } from './fill.ts'
import type { OnSettled, Waiting } from './flights.ts'
import type { Hit, Lookup } from './lookup.ts'
import type { ResponseCacheOptions } from './response-cache-options.ts'
import { ResponseCache } from './response-cache.ts'
import type { IncomingResponse } from './stored-response.ts'

/** A moment with no fraction of a second: Sun, 06 Nov 2033 08:49:37 GMT. */
export const NOW = Date.UTC(2033, 10, 6, 8, 49, 37)
export const SECOND = 1000

/** Header names and values, as an object: a list of values makes several fields. */
export type Fields = Readonly<Record<string, string | readonly string[]>>

export function headerList(fields: Fields): string[] {
  return Object.entries(fields).flatMap(([name, values]) =>
    (typeof values === 'string' ? [values] : values).flatMap((value) => [name, value]),
  )
}

export function request(fields: Fields = {}, method = 'GET', target = '/x'): RequestHead {
  const headers = ['host', 'example.org', ...headerList(fields)]
  return plainRequest({ method, target, authority: 'example.org', host: 'example.org', headers })
}

export function response(fields: Fields = {}, status = 200, reason = 'OK'): IncomingResponse {
  return { status, reason, headers: headerList(fields) }
}

export const at = (ms: number) => new Date(ms).toUTCString()

export const KEY = 'example.org/x'

/** A cache, the moment it is at, and short words for what tests do with it. */
export class Rig {
  readonly cache: ResponseCache
  nowMs = NOW

  constructor(bytesMax = 1_000_000, objectBytesMax = 100_000, more: Partial<ResponseCacheOptions> = {}) {
    this.cache = new ResponseCache({ bytesMax, objectBytesMax, nowMs: () => this.nowMs, ...more })
  }

  lookup(head: RequestHead = request(), key = KEY): Lookup {
    return this.cache.lookup(key, head, this.nowMs)
  }

  hit(head: RequestHead = request(), key = KEY): Hit {
    const found = this.lookup(head, key)
    if (found.kind !== 'hit') throw new Error(`expected a hit, got ${JSON.stringify(found)}`)
    return found
  }

  /** Looks up and joins; the wait ends after a minute. */
  join(
    head: RequestHead = request(),
    onSettled: OnSettled = () => {},
    key = KEY,
  ): CacheFill | Waiting | Arrival {
    const found = this.lookup(head, key)
    if (found.kind !== 'miss' && found.kind !== 'stale') throw new Error(`nothing to join: ${found.kind}`)
    return this.cache.join(key, head, found, this.nowMs, this.nowMs + 60_000, onSettled)
  }

  lead(head: RequestHead = request(), key = KEY): CacheFill {
    const seat = this.join(head, () => {}, key)
    if (seat.kind !== 'fill') throw new Error('expected to fetch, was told to wait')
    return seat
  }

  /** A whole fetch; true where the answer is in the cache after it. */
  fetch(answer: IncomingResponse, head: RequestHead = request(), body = 'body', key = KEY): boolean {
    const fill = this.lead(head, key)
    fill.begin(answer, this.nowMs)
    fill.append(Buffer.from(body))
    return fill.finish(this.nowMs) !== undefined
  }
}
