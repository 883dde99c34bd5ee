/** Where the parts of an object are: what is stored of them, and what has to be asked for. */
import type { RequestHead } from '../../wire/http1/message.ts'
import type { Miss, Stale } from '../caching/lookup.ts'
import { extentsOf } from '../caching/parts/extents.ts'
import { partialKey, rangeKey, sliceKey } from '../caching/parts/part-keys.ts'
import type { ResponseCache } from '../caching/response-cache.ts'
import type { StoredBody } from '../caching/stored-body.ts'
import type { StoredResponse } from '../caching/stored-response.ts'
import { resolveSpec, type Range, type RangeSpec } from '../ranges/byte-ranges.ts'
import { strongValidator } from '../ranges/range-conditions.ts'
import type { Representation } from './representation.ts'

/** Bytes of an object that are at hand, from the place that was asked for to before `end`. */
export interface StoredPart {
  readonly kind: 'stored'
  readonly body: StoredBody
  /** Where they begin in the body. */
  readonly bodyAt: number
  readonly end: number
}

/** A part that the origin has to be asked for. */
export interface PartAsk {
  readonly kind: 'missing'
  /** Who asks for the same waits for it. A slice is stored under it. */
  readonly key: string
  readonly part: 'slice' | 'range'
  readonly spec: RangeSpec
  /** What the cache said: by that it is joined, and where it is stale its validators go along. */
  readonly found: Miss | Stale
  /** For `If-Range`: another representation is wanted whole. */
  readonly ifRange: string | undefined
}

export interface PartSource {
  /** The part of the object that begins at `at`; no more of it than to before `end` is wanted. */
  partAt(at: number, end: number, representation: Representation, nowMs: number): StoredPart | PartAsk
  /** Nothing more is asked for. */
  release(): void
}

/** As it stands in `Range`, without the unit. */
export function specText(spec: RangeSpec): string {
  return spec.kind === 'suffix' ? `-${spec.bytes}` : `${spec.first}-${spec.last ?? ''}`
}

/** An object that is stored whole. */
export class WholeSource implements PartSource {
  private readonly body: StoredBody

  constructor({ body }: StoredResponse) {
    this.body = body
    body.hold()
  }

  partAt(at: number, end: number): StoredPart {
    return { kind: 'stored', body: this.body, bodyAt: at, end }
  }

  release(): void {
    this.body.release()
  }
}

/** Slices of one size, each under a key of its own. */
export class SliceSource implements PartSource {
  private readonly cache: ResponseCache
  private readonly key: string
  private readonly head: RequestHead
  private readonly sliceBytes: number

  /** `head` asks for no range. */
  constructor(cache: ResponseCache, key: string, head: RequestHead, sliceBytes: number) {
    this.cache = cache
    this.key = key
    this.head = head
    this.sliceBytes = sliceBytes
  }

  /** The slice in which this byte is. */
  keyAt(at: number): string {
    return sliceKey(this.key, Math.floor(at / this.sliceBytes))
  }

  /** To ask for it. `size`: of the object, where that is known. */
  ask(at: number, found: Miss | Stale, size = Infinity): PartAsk {
    const first = Math.floor(at / this.sliceBytes) * this.sliceBytes
    const last = Math.min(first + this.sliceBytes, size) - 1
    const spec: RangeSpec = { kind: 'from', first, last }
    return { kind: 'missing', key: this.keyAt(at), part: 'slice', spec, found, ifRange: undefined }
  }

  partAt(at: number, end: number, { size, validator }: Representation, nowMs: number): StoredPart | PartAsk {
    const ask = this.ask(at, MISS, size)
    // What is of the same representation is as good as what told us of it, however old it is (RFC 9111 §4.3.4).
    const entry = storedUnder(this.cache, ask.key, this.head, nowMs)
    const known = entry === undefined || strongValidator(entry) !== validator ? undefined : extentsOf(entry)
    const wanted = resolveSpec(ask.spec, size)!
    const [extent] = known?.extents ?? []
    if (known?.size !== size || extent?.start !== wanted.start || extent.end !== wanted.end) return ask
    return { kind: 'stored', body: entry!.body, bodyAt: at - extent.start, end: Math.min(end, extent.end) }
  }

  release(): void {}
}

/** What clients happened to ask for. */
export class PartialSource implements PartSource {
  private readonly cache: ResponseCache
  private readonly key: string
  private readonly head: RequestHead
  /** What was there at first; it may leave while it is being sent. */
  private readonly first: StoredResponse

  constructor(cache: ResponseCache, key: string, head: RequestHead, first: StoredResponse) {
    this.cache = cache
    this.key = key
    this.head = head
    this.first = first
    first.body.hold()
  }

  partAt(at: number, end: number, { size, validator }: Representation, nowMs: number): StoredPart | PartAsk {
    const whole = storedUnder(this.cache, this.key, this.head, nowMs)
    if (whole !== undefined && whole.body.length === size && strongValidator(whole) === validator)
      return { kind: 'stored', body: whole.body, bodyAt: at, end }
    let next = end
    for (const entry of [storedUnder(this.cache, partialKey(this.key), this.head, nowMs), this.first]) {
      if (entry === undefined || strongValidator(entry) !== validator) continue
      for (const extent of extentsOf(entry)?.extents ?? []) {
        if (at >= extent.start && at < extent.end)
          return {
            kind: 'stored',
            body: entry.body,
            bodyAt: extent.bodyAt + at - extent.start,
            end: Math.min(end, extent.end),
          }
        if (extent.start > at) next = Math.min(next, extent.start)
      }
    }
    return missingRange(this.key, { kind: 'from', first: at, last: next - 1 }, MISS, validator)
  }

  release(): void {
    this.first.body.release()
  }
}

export const missingRange = (
  key: string,
  spec: RangeSpec,
  found: Miss | Stale,
  ifRange: string | undefined,
): PartAsk => ({ kind: 'missing', key: rangeKey(key, specText(spec)), part: 'range', spec, found, ifRange })

const MISS: Miss = { kind: 'miss', forward: 'uri-miss', shared: true }

/** Fresh or not. */
function storedUnder(
  cache: ResponseCache,
  key: string,
  head: RequestHead,
  nowMs: number,
): StoredResponse | undefined {
  const found = cache.lookupPart(key, head, nowMs)
  return found.kind === 'hit' || found.kind === 'stale' ? found.entry : undefined
}

/** So many parts are looked at. */
const LOOKED_MAX = 1024

/** The first part of these ranges that is not stored, among the first `LOOKED_MAX`: of very many the last are taken to be there. */
export function firstMissing(
  source: PartSource,
  ranges: readonly Range[],
  representation: Representation,
  nowMs: number,
): PartAsk | undefined {
  let looked = 0
  for (const { start, end } of ranges) {
    for (let at = start; at < end && looked < LOOKED_MAX; looked++) {
      const part = source.partAt(at, end, representation, nowMs)
      if (part.kind === 'missing') return part
      at = part.end
    }
  }
  return undefined
}
