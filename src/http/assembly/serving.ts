/**
 * Which requests are answered in parts, or of parts: those that ask for ranges, those for objects of which parts are stored, and on sites
 * that slice large objects all that the cache has not whole.
 *
 * Not where units stand between the origin and the cache: what they make of an answer they make of the whole.
 */
import { headerValue, headerValues, withoutFields, type RequestHead } from '../../wire/http1/message.ts'
import { PassJob } from '../cache-job.ts'
import { hitStatus } from '../caching/cache-status.ts'
import { isNotModified } from '../caching/conditional.ts'
import { BYPASS, type Hit, type Lookup, type Miss, type Stale } from '../caching/lookup.ts'
import { extentsOf } from '../caching/parts/extents.ts'
import { partialKey, sliceKey } from '../caching/parts/part-keys.ts'
import { Recent } from '../caching/recent.ts'
import { readTerms } from '../caching/request-terms.ts'
import type { ResponseCache } from '../caching/response-cache.ts'
import type { StoredResponse } from '../caching/stored-response.ts'
import type { Exchange } from '../exchange.ts'
import { OriginFlow } from '../origin-flow.ts'
import { parseRangeSpecs } from '../ranges/byte-ranges.ts'
import type { Assembling } from './assembling.ts'
import { Assembly } from './assembly.ts'
import { missingRange, PartialSource, SliceSource, WholeSource, type PartSource } from './part-sources.ts'
import { storedRepresentation } from './representation.ts'
import { answerRange, rangesOf } from './stored-range.ts'

export interface Seeking extends Pick<
  Assembling,
  'exchange' | 'key' | 'head' | 'deadlineMs' | 'collapsed' | 'again'
> {
  /** Answers with what is stored, whole; or with 304, where the client has it. */
  whole(entry: StoredResponse, member: string): void
}

/** How long an object that cannot be had in parts is remembered. */
const REFUSED_MS = 60_000
const REFUSED_MAX = 4096
const refusals = new WeakMap<ResponseCache, Recent<true>>()

/** Not to be asked of a hit without `hasRange`. True: the request is taken care of. */
export function serveParts(seeking: Seeking, found: Lookup): boolean {
  const { exchange, key, head } = seeking
  if (found.kind === 'hit') return !found.isNotModified && serveHit(seeking, found)
  if (found.kind === 'bypass' && found.reason !== 'head') return false
  if (found.kind !== 'unsatisfiable') exchange.cacheForward = found.forward
  const { hasRange } = readTerms(head)
  const { cache, config } = exchange.site!
  const nowMs = exchange.node.now()
  if (!isDivisible(exchange, head) || refusals.get(cache!)?.get(key, nowMs) !== undefined)
    return hasRange && (found.kind === 'miss' || found.kind === 'stale') && pass(exchange, head)
  const assembling = assemblingOf(seeking)
  const slice = config.cache?.slice
  return slice === undefined
    ? servePartial(assembling, found, hasRange)
    : serveSlices(assembling, found, slice)
}

function assemblingOf(seeking: Seeking): Assembling {
  const { exchange, key, head } = seeking
  return {
    ...seeking,
    plainHead: plainGet(head),
    withoutParts: () => {
      refuse(exchange.site!.cache!, key, exchange.node.now())
      seeking.again(false)
    },
    fromWhole: (entry, member) => {
      const isNew = !isNotModified(head.headers, entry, exchange.node.now())
      if (!isNew || serveWhole(seeking, entry, member) === undefined) seeking.whole(entry, member)
    },
  }
}

function serveHit(seeking: Seeking, { entry, ttlSeconds }: Hit): boolean {
  const isCollapsed = seeking.collapsed === true
  const member = hitStatus(ttlSeconds) + (isCollapsed ? '; collapsed' : '')
  const bytes = serveWhole(seeking, entry, member)
  if (bytes === undefined) return false
  const { exchange } = seeking
  exchange.countCache(isCollapsed ? 'collapsed' : 'hit')
  exchange.site!.cacheStatistics!.hit(exchange.cacheKey, entry, bytes)
  return true
}

/** Answers with ranges of what is stored whole: so many bytes of it. Undefined: the whole is the answer. */
function serveWhole(seeking: Seeking, entry: StoredResponse, member: string): number | undefined {
  const { exchange, head } = seeking
  const ranges = rangesOf(head, entry)
  if (ranges.kind === 'whole') return undefined
  if (ranges.kind === 'parts' && ranges.parts.length > 1) {
    const representation = storedRepresentation(entry, entry.body.length)
    const source = new WholeSource(entry)
    new Assembly(assemblingOf(seeking), { source, representation }).answerAll(member)
  } else answerRange(exchange, entry, ranges, member)
  return ranges.kind === 'parts' ? ranges.parts.reduce((sum, { start, end }) => sum + end - start, 0) : 0
}

function isDivisible({ plan }: Exchange, head: RequestHead): boolean {
  if (plan.origin.length > 0 || plan.originResponse.length > 0 || plan.bodyFilter.length > 0) return false
  return headerValue(head.headers, 'accept')?.includes('text/event-stream') !== true
}

/** Parts that cannot be kept, or put together: the origin answers. */
function pass(exchange: Exchange, head: RequestHead): true {
  exchange.countCache('range')
  new OriginFlow(exchange, new PassJob(exchange, head, BYPASS.range)).start()
  return true
}

function plainGet(head: RequestHead): RequestHead {
  const isPlain = head.method === 'GET' && headerValue(head.headers, 'range') === undefined
  if (isPlain) return head
  const headers = withoutFields(head.headers, (name) => name === 'range' || name === 'if-range')
  return { ...head, method: 'GET', headers }
}

function refuse(cache: ResponseCache, key: string, nowMs: number): void {
  let known = refusals.get(cache)
  if (known === undefined) refusals.set(cache, (known = new Recent(REFUSED_MS, REFUSED_MAX)))
  known.set(key, true, nowMs)
}

/** Answers of what is stored of an object, where that is known to be good. */
function assembleStored(
  assembling: Assembling,
  entry: StoredResponse,
  found: Lookup,
  makeSource: () => PartSource,
  isProbing: boolean,
): boolean {
  const extents = extentsOf(entry)
  if (extents === undefined) return false
  const representation = storedRepresentation(entry, extents.size)
  const isHead = assembling.head.method === 'HEAD'
  const assembly = new Assembly(assembling, { source: makeSource(), representation, isProbing })
  return assembly.answerFromStore(found.kind === 'unsatisfiable' || isHead)
}

function servePartial(assembling: Assembling, found: Lookup, hasRange: boolean): boolean {
  const { exchange, key, head, plainHead } = assembling
  const cache = exchange.site!.cache!
  // A plain miss is not to look for parts on every tier: it is mostly of what nobody ever asked for in parts.
  if (found.kind !== 'stale' && (hasRange || cache.hasParts(key))) {
    const partial = cache.lookupPart(partialKey(key), plainHead, exchange.node.now())
    if (partial.kind === 'hit') {
      const source = () => new PartialSource(cache, key, plainHead, partial.entry)
      if (assembleStored(assembling, partial.entry, found, source, true)) return true
    }
  }
  if (!hasRange || (found.kind !== 'miss' && found.kind !== 'stale')) return false
  const specs = parseRangeSpecs(headerValues(head.headers, 'range'))
  // What we do not understand the origin may.
  if (specs?.length !== 1) return pass(exchange, head)
  const ifRange = headerValue(head.headers, 'if-range')
  exchange.countCache(found.forward)
  const ask = missingRange(key, specs[0]!, found, ifRange)
  new Assembly(assembling, { source: NOTHING_STORED, isDirect: true }).askFirst(ask)
  return true
}

const NOTHING_STORED: PartSource = {
  partAt() {
    throw new Error('an answer of one part asks for no other')
  },
  release() {},
}

function serveSlices(assembling: Assembling, found: Lookup, sliceBytes: number): boolean {
  const { exchange, key, head, plainHead } = assembling
  const cache = exchange.site!.cache!
  const source = new SliceSource(cache, key, plainHead, sliceBytes)
  const at = firstWanted(head)
  let first: Miss | Stale | undefined
  if (found.kind !== 'stale') {
    const slice = cache.lookupPart(sliceKey(key, Math.floor(at / sliceBytes)), plainHead, exchange.node.now())
    if (slice.kind === 'hit' && assembleStored(assembling, slice.entry, found, () => source, false))
      return true
    if (slice.kind === 'stale') first = slice
  } else first = { ...found }
  if (found.kind !== 'miss' && found.kind !== 'stale') return false
  exchange.countCache(found.forward)
  new Assembly(assembling, { source }).askFirst(source.ask(at, first ?? found))
  return true
}

/**
 * Where to begin: at what is asked for, if that is sure to be wanted wherever the object ends. Where the end is asked for, several parts
 * of which some may not be there, or parts under a condition, the beginning tells.
 */
function firstWanted({ method, headers }: RequestHead): number {
  const specs = method === 'GET' ? parseRangeSpecs(headerValues(headers, 'range')) : undefined
  if (specs?.length !== 1 || headerValue(headers, 'if-range') !== undefined) return 0
  const spec = specs[0]!
  return spec.kind === 'from' && Number.isSafeInteger(spec.first) ? spec.first : 0
}
