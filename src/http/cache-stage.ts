/**
 * The cache's place on the way of a request: a hit ends here, one request a key goes on to the origin, and the others wait.
 */
import type { EdgeError } from '../base/errors.ts'
import { headerValue } from '../wire/http1/message.ts'
import { codingsFor } from './body/compression.ts'
import { transform, type Outgoing } from './body/transforms.ts'
import { hasNoBody, withLength } from './body-fit.ts'
import { cacheKey } from './cache-key.ts'
import type { Arrival } from './caching/arrival.ts'
import { cacheStatusLine } from './cache-status-line.ts'
import { forwardStatus, hitStatus, UNSATISFIABLE_STATUS, type ForwardReason } from './caching/cache-status.ts'
import { isNotModified } from './caching/conditional.ts'
import type { OnSettled, Waiting } from './caching/flights.ts'
import { readTerms } from './caching/request-terms.ts'
import { BYPASS, type Hit } from './caching/lookup.ts'
import { EMPTY_BODY } from './caching/stored-body.ts'
import type { StoredResponse } from './caching/stored-response.ts'
import { FillJob, PassJob } from './cache-job.ts'
import { serveParts } from './assembly/serving.ts'
import type { Exchange } from './exchange.ts'
import { FollowerFlow } from './follower-flow.ts'
import { lead } from './leading.ts'
import { OriginFlow } from './origin-flow.ts'
import { PostJob } from './post-job.ts'
import type { StageVerdict } from './stages.ts'
import { mayServe, refresh, sendStale } from './stale-serving.ts'

export function lookUp(exchange: Exchange): StageVerdict {
  const { site, node } = exchange
  if (site === undefined) {
    exchange.answerError(404, `no site answers for the host ${JSON.stringify(exchange.head.host)}`)
    return 'taken'
  }
  if (site.cache === undefined) return 'next'
  seek(exchange, node.now() + site.config.cache!.wait, undefined)
  return 'taken'
}

/** `waited`: why this request would have gone to the origin, where it has waited for another one's answer. */
export function seek(exchange: Exchange, deadlineMs: number, waited: ForwardReason | undefined): void {
  const { node } = exchange
  const cache = exchange.site!.cache!
  const nowMs = node.now()
  const head = exchange.requestAsRewritten()
  const key = cacheKey(exchange, head)
  exchange.cacheKey = key
  const found = cache.lookup(key, head, nowMs)
  if ((found.kind === 'hit' || found.kind === 'stale') && found.entry.body.file !== undefined)
    exchange.hold(found.entry.body)
  if (mayServe(found, 'stale-while-revalidate', nowMs) && !readTerms(head).hasRange) {
    exchange.countCache('stale-while-revalidate')
    sendStale(exchange, found.entry, 'stale-while-revalidate')
    refresh(exchange, key, head, found)
    return
  }
  if (found.kind !== 'hit' || found.hasRange) {
    const collapsed = waited === undefined ? undefined : true
    const again = (hasWaited: boolean): void =>
      seek(exchange, deadlineMs, hasWaited ? (waited ?? exchange.cacheForward ?? 'partial') : waited)
    const whole = (entry: StoredResponse, member: string): void =>
      answerStored(
        exchange,
        entry,
        isNotModified(head.headers, entry, nowMs),
        entry.ageSeconds(node.now()),
        member,
      )
    if (serveParts({ exchange, key, head, deadlineMs, collapsed, again, whole }, found)) return
  }
  if (found.kind === 'hit') {
    exchange.countCache(waited === undefined ? 'hit' : 'collapsed')
    noteHit(exchange, found)
    sendHit(exchange, found, nowMs, waited)
    return
  }
  if (found.kind === 'unsatisfiable') {
    exchange.countCache('unsatisfiable')
    const status = cacheStatusLine(exchange, undefined, UNSATISFIABLE_STATUS)
    exchange.answerError(
      found.status,
      'only an answer from the cache was asked for, and there is none',
      status,
    )
    return
  }
  const { forward } = found
  const onSettled: OnSettled = (error, arrival) => settled(exchange, deadlineMs, forward, error, arrival)
  exchange.cacheForward = forward
  exchange.mustRevalidate = found.kind === 'stale' && !found.entry.staleAllowed
  if (found.kind === 'bypass') {
    // What it would fetch cannot be kept; but somebody may be fetching what can.
    const seat =
      found.reason === 'head' ? cache.sharing.joinLed(key, head, nowMs, deadlineMs, onSettled) : undefined
    if (seat !== undefined) return take(exchange, seat, forward)
    exchange.countCache(found.reason)
    const job = head.method === 'POST' ? PostJob : PassJob
    new OriginFlow(exchange, new job(exchange, head, found)).start()
    return
  }
  // Its head may come with its first event, whenever that is: nobody waits for somebody else's.
  if (headerValue(head.headers, 'accept')?.includes('text/event-stream') === true) {
    exchange.countCache('stream')
    new OriginFlow(exchange, new PassJob(exchange, head, BYPASS.stream)).start()
    return
  }
  const seat = cache.join(key, head, found, nowMs, deadlineMs, onSettled)
  if (seat.kind !== 'fill') return take(exchange, seat, found.forward)
  // Who waited in vain says so.
  const collapsed = waited === undefined ? undefined : false
  lead(exchange, seat, new FillJob(exchange, seat, found, collapsed), forward)
}

/** Waits for what another request fetches, or follows it as it comes. */
function take(exchange: Exchange, seat: Waiting | Arrival, forward: ForwardReason): void {
  if (seat.kind === 'waiting') exchange.flow = { onDrain() {}, onGone: () => seat.cancel() }
  else followArrival(exchange, seat, forwardStatus({ forward, collapsed: true }))
}

/** `result`: the word of the metric. */
export function followArrival(
  exchange: Exchange,
  arrival: Arrival,
  member: string,
  result = 'collapsed',
): void {
  exchange.countCache(result)
  exchange.cacheAge = arrival.ageSeconds(exchange.node.now())
  exchange.site!.cache!.count('followed')
  FollowerFlow.start(exchange, arrival, member)
}

function noteHit(exchange: Exchange, { entry, ageSeconds, ttlSeconds, isNotModified }: Hit): void {
  exchange.cacheAge = ageSeconds
  if (ttlSeconds < 0) exchange.cacheUse = 'stale'
  const bytes = isNotModified || exchange.head.method === 'HEAD' ? 0 : entry.body.length
  exchange.site!.cacheStatistics!.hit(exchange.cacheKey, entry, bytes)
}

function settled(
  exchange: Exchange,
  deadlineMs: number,
  forward: ForwardReason,
  error: EdgeError | undefined,
  arrival: Arrival | undefined,
): void {
  exchange.flow = undefined
  if (exchange.gone) return
  if (arrival !== undefined) take(exchange, arrival, forward)
  else if (error === undefined) seek(exchange, deadlineMs, forward)
  else if (!answerStaleFor(exchange)) exchange.answerOriginError(error)
}

/** The origin failed for the one that asked it: RFC 5861 §4 holds for those who waited as well. */
function answerStaleFor(exchange: Exchange): boolean {
  const nowMs = exchange.node.now()
  const head = exchange.requestAsRewritten()
  const found = exchange.site!.cache!.lookup(exchange.cacheKey, head, nowMs)
  if (!mayServe(found, 'stale-if-error', nowMs)) return false
  exchange.hold(found.entry.body)
  exchange.countCache('stale-if-error')
  sendStale(exchange, found.entry, 'stale-if-error')
  return true
}

function sendHit(exchange: Exchange, hit: Hit, nowMs: number, waited: ForwardReason | undefined): void {
  const { entry } = hit
  const { staged, plan } = exchange
  const isPlain =
    waited === undefined && !hit.isNotModified && !hit.isFromDisk && exchange.debug === undefined
  if (
    isPlain &&
    plan.headerFilter.length === 0 &&
    plan.bodyFilter.length === 0 &&
    staged.appended !== undefined &&
    entry.status !== 204
  ) {
    const { compress, cache } = exchange.site!
    if (compress === undefined) sendPlainHit(exchange, entry, hit, nowMs)
    else if (headerValue(entry.headers, 'content-encoding') === undefined) {
      // A hit is good until the next look-up; this one may wait for a body to be compressed.
      const { ageSeconds, ttlSeconds } = hit
      compress.viewFor(entry, cache!, codingsFor(exchange.headers), (view) => {
        if (!exchange.gone) sendPlainHit(exchange, view, { ageSeconds, ttlSeconds }, nowMs)
      })
    } else answerStored(exchange, entry, false, hit.ageSeconds, hitStatus(hit.ttlSeconds))
    return
  }
  const { ttlSeconds } = hit
  const how =
    waited === undefined
      ? hitStatus(ttlSeconds)
      : forwardStatus({ forward: waited, ttlSeconds, collapsed: true })
  const member = hit.isFromDisk ? `${how}; detail=disk` : how
  answerStored(exchange, entry, hit.isNotModified, hit.ageSeconds, member)
}

/** The hot path: nothing is put together but the head's last lines, and those once a second. */
function sendPlainHit(
  exchange: Exchange,
  entry: StoredResponse,
  hit: Pick<Hit, 'ageSeconds' | 'ttlSeconds'>,
  nowMs: number,
): void {
  const second = Math.floor(nowMs / 1000)
  if (entry.headTextSecond !== second) {
    entry.headTextSecond = second
    entry.headText =
      entry.headPrefix + changingFields(exchange, entry, hit.ageSeconds, hitStatus(hit.ttlSeconds))
  }
  const head = entry.headText + exchange.staged.appended + exchange.limitFields
  exchange.answered = { status: entry.status, reason: entry.reason, fields: '', source: 'cache' }
  if (exchange.keepsFields) exchange.finalFields = withoutStatusLine(head)
  send(exchange, head, exchange.head.method === 'HEAD' ? undefined : entry)
}

/** `head` goes up to and without the empty line; the body is the entry's. */
function send(exchange: Exchange, head: string, entry: StoredResponse | undefined): void {
  if (entry?.body.file !== undefined) {
    exchange.connection.sendStored(head, entry.body, () => exchange.done())
    return
  }
  exchange.connection.sendWhole(head, entry === undefined ? '' : (entry.bodyText ?? entry.body.bytes))
  exchange.done()
}

function changingFields(
  exchange: Exchange,
  entry: StoredResponse,
  ageSeconds: number,
  member: string,
): string {
  return `age: ${ageSeconds}\r\n${cacheStatusLine(exchange, entry.priorCacheStatus, member)}`
}

/** Answers with what is stored, or with 304 where the client has it. `member` says in `Cache-Status` how it came to that. */
export function answerStored(
  exchange: Exchange,
  entry: StoredResponse,
  isNotModified: boolean,
  ageSeconds: number,
  member: string,
): void {
  exchange.cacheAge = ageSeconds
  const prefix = isNotModified ? entry.notModifiedPrefix : entry.headPrefix
  const fields = withoutStatusLine(prefix) + changingFields(exchange, entry, ageSeconds, member)
  const status = isNotModified ? 304 : entry.status
  const reason = isNotModified ? 'Not Modified' : entry.reason
  const hasBody = !isNotModified && exchange.head.method !== 'HEAD'
  exchange.finishHead({ status, reason, fields, source: 'cache' }, (given, final, reason) => {
    let fields = given
    if (exchange.mayTransform) {
      const left = sendTransformed(exchange, entry, status, {
        status: final,
        reason,
        fields,
        bytes: entry.body.length,
      })
      if (left === undefined) return
      fields = left
    }
    // A unit may have kept a body under a status that allows none.
    const fits = hasNoBody(final) === hasNoBody(status)
    const head = fits ? fields : withLength(fields, final, 0)
    send(
      exchange,
      `HTTP/1.1 ${final} ${reason}\r\n${head}`,
      fits && hasBody && !hasNoBody(final) ? entry : undefined,
    )
  })
}

/** As `Exchange.sendTransformed`; a body that is only to be compressed is compressed once, and kept beside the entry. */
function sendTransformed(
  exchange: Exchange,
  entry: StoredResponse,
  status: number,
  outgoing: Outgoing,
): string | undefined {
  const { site } = exchange
  // One on disk is too large to be had at once.
  const isStreamed = exchange.plan.bodyFilter.length > 0 || entry.body.isOnDisk
  if (hasNoBody(status) || site!.compress === undefined || isStreamed)
    return exchange.sendTransformed(outgoing, hasNoBody(status) ? EMPTY_BODY : entry.body)
  const transformed = transform(exchange, outgoing)
  if (transformed?.coding === undefined || transformed.links.length > 0)
    return exchange.sendTransformed(outgoing, entry.body)
  const { fields, coding } = transformed
  site!.compress.bodyFor(entry, site!.cache!, coding, (body) => {
    if (exchange.gone) return
    exchange.finalFields = fields
    const head = `HTTP/1.1 ${outgoing.status} ${outgoing.reason}\r\n${fields}content-length: ${body.length}\r\n`
    exchange.connection.sendWhole(head, body.bytes)
    exchange.done()
  })
  return undefined
}

const withoutStatusLine = (prefix: string): string => prefix.slice(prefix.indexOf('\r\n') + 2)
