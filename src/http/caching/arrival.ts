/**
 * An answer whose head is here and may be shared, and whose body is on its way: those who wait for it are given both, each at its
 * own pace, from the first byte on.
 *
 * They read what the cache gathers. Where the cache gives the answer up in the middle (too large after all, no room, a write passed
 * by), those who have begun are still owed the rest: from then on it is *passed*, piece by piece, to all of them, and the origin waits
 * for the slowest. One for whom it waits too long is cut, so that nobody can hold up the others for ever.
 */
import type { EdgeError } from '../../base/errors.ts'
import { headerValue, headerValues, type HeaderList } from '../../wire/http1/message.ts'
import type { BodyGathering, BodyTrail } from './body-gathering.ts'
import { boundedStatus } from './cache-status.ts'
import { notModifiedHeaders, type Validators } from './conditional.ts'
import { passedHeaders } from './passed-headers.ts'
import { headerLines, keptHeaders, type IncomingResponse } from './stored-response.ts'
import type { StorePlan } from './storing.ts'
import { ageOf } from './text.ts'
import type { Selecting } from './vary.ts'

/** Bytes that a reader may be behind while pieces are passed; then the origin waits. */
export const PASSED_BYTES_MAX = 256 * 1024
/** How long the origin waits for one reader. */
export const PASSED_WAIT_MS = 10_000

export interface ArrivalEvents {
  /** There is more to read. */
  onMore(): void
  /** The body is whole: what is left to read is all of it. */
  onEnd(): void
  /** It will never be whole. `error`: why, where that is known. Nothing is told after it. */
  onBroken(error: EdgeError | undefined): void
}

export interface ArrivalParts {
  readonly response: IncomingResponse
  readonly plan: StorePlan
  readonly selecting: Selecting
  /** When its head came. */
  readonly responseTimeMs: number
  /** Undefined where the origin does not say. */
  readonly bodyBytes: number | undefined
}

export class Arrival implements Validators {
  readonly kind = 'arriving'
  readonly plan: StorePlan
  readonly selecting: Selecting
  readonly response: IncomingResponse
  readonly bodyBytes: number | undefined
  readonly status: number
  readonly reason: string
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly date: string | undefined
  readonly priorCacheStatus: string | undefined
  /** The headers that are stored, with a length where it is known; and the same as lines. */
  readonly kept: HeaderList
  readonly fields: string
  /** Told when all readers have room again, after `pass` said that one has none. */
  onRoom: (() => void) | undefined
  readonly #responseTimeMs: number
  readonly #gathering: BodyGathering
  readonly #readers = new Set<ArrivalReader>()
  /** Pieces no longer go into the cache. */
  #isPassing = false
  #isHeld = false
  #heldSinceMs: number | undefined

  constructor(gathering: BodyGathering, parts: ArrivalParts) {
    const { response, plan, selecting, responseTimeMs, bodyBytes } = parts
    this.#gathering = gathering
    this.#responseTimeMs = responseTimeMs
    this.response = response
    this.plan = plan
    this.selecting = selecting
    this.bodyBytes = bodyBytes
    this.status = response.status
    this.reason = response.reason
    this.kept = keptHeaders(response, bodyBytes, responseTimeMs, plan.withheld)
    this.fields = headerLines(passedHeaders(this.kept))
    this.etag = headerValue(this.kept, 'etag')
    this.lastModified = headerValue(this.kept, 'last-modified')
    this.date = headerValue(this.kept, 'date')
    const told = headerValues(response.headers, 'cache-status')
    this.priorCacheStatus = told === undefined ? undefined : boundedStatus(told)
  }

  /** Header lines of the `304` that stands for it. */
  get notModifiedFields(): string {
    return headerLines(notModifiedHeaders(passedHeaders(this.kept)))
  }

  /** The headers as the origin sent them, where units changed them, as they are stored. */
  get keptBefore(): HeaderList | undefined {
    const { response, bodyBytes, plan } = this
    const { before: headers } = response
    return headers && keptHeaders({ ...response, headers }, bodyBytes, this.#responseTimeMs, plan.withheld)
  }

  /** Those who read it. */
  get readers(): number {
    return this.#readers.size
  }

  isFresh(nowMs: number): boolean {
    return nowMs < this.plan.freshUntilMs
  }

  ageSeconds(nowMs: number): number {
    return ageOf(this.plan.bornMs, nowMs)
  }

  /** Reads from the first byte on, until it is closed. */
  follow(events: ArrivalEvents): ArrivalReader {
    const reader = new ArrivalReader(this, this.#gathering.follow(0), events)
    this.#readers.add(reader)
    return reader
  }

  /** A piece was gathered. */
  more(): void {
    for (const reader of this.#readers) reader.events.onMore()
  }

  /** The cache gathers no more: the rest comes by `pass`. False: nobody has begun, and nothing needs to come. */
  startPassing(): boolean {
    this.#isPassing = true
    return this.#readers.size > 0
  }

  /** A piece of what the cache does not want, which is copied. False: wait for `onRoom`; what comes all the same is taken. */
  pass(chunk: Uint8Array): boolean {
    const piece = Buffer.from(chunk)
    for (const reader of this.#readers) {
      reader.queue(piece)
      reader.events.onMore()
    }
    this.#isHeld = this.#isOneFull
    return !this.#isHeld
  }

  /** It is whole. */
  end(): void {
    const readers = [...this.#readers]
    this.#readers.clear()
    for (const reader of readers) if (!reader.isClosed) reader.events.onEnd()
  }

  /** It breaks off. */
  break(error: EdgeError | undefined): void {
    const readers = [...this.#readers]
    this.#readers.clear()
    for (const reader of readers) this.#cut(reader, error)
  }

  /** Cuts those for whom the origin has waited too long. */
  sweep(nowMs: number): void {
    if (!this.#isHeld) {
      this.#heldSinceMs = undefined
      return
    }
    this.#heldSinceMs ??= nowMs
    if (nowMs - this.#heldSinceMs < PASSED_WAIT_MS) return
    this.#heldSinceMs = undefined
    for (const reader of this.#readers) {
      if (!reader.isFull) continue
      this.#readers.delete(reader)
      this.#cut(reader, undefined)
    }
    this.checkRoom()
  }

  /** For a reader: it is closed. */
  leave(reader: ArrivalReader): void {
    this.#readers.delete(reader)
    this.checkRoom()
  }

  /** For a reader: it has read. */
  checkRoom(): void {
    if (!this.#isHeld || this.#isOneFull) return
    this.#isHeld = false
    this.#heldSinceMs = undefined
    this.onRoom?.()
  }

  get #isOneFull(): boolean {
    if (!this.#isPassing) return false
    for (const reader of this.#readers) if (reader.isFull) return true
    return false
  }

  #cut(reader: ArrivalReader, error: EdgeError | undefined): void {
    if (reader.isClosed) return
    reader.close()
    reader.events.onBroken(error)
  }
}

/** One who reads what arrives, from the first byte. */
export class ArrivalReader {
  readonly events: ArrivalEvents
  isClosed = false
  readonly #arrival: Arrival
  readonly #trail: BodyTrail
  #queued: Buffer[] = []
  #queuedBytes = 0

  constructor(arrival: Arrival, trail: BodyTrail, events: ArrivalEvents) {
    this.#arrival = arrival
    this.#trail = trail
    this.events = events
  }

  /** Bytes that are here and not read. */
  get left(): number {
    return this.#trail.left + this.#queuedBytes
  }

  /** For the arrival: no more is to come before some is read. */
  get isFull(): boolean {
    return this.#queuedBytes >= PASSED_BYTES_MAX
  }

  /** The next of them, about so many at most. Not to be changed. Undefined: they cannot be had, and nothing behind them. */
  read(bytesMax: number): Buffer | undefined {
    if (this.#trail.left > 0) return this.#trail.read(bytesMax)
    const piece = this.#queued.shift()!
    this.#queuedBytes -= piece.length
    this.#arrival.checkRoom()
    return piece
  }

  /** For the arrival: one more piece, behind what was gathered. */
  queue(piece: Buffer): void {
    this.#queued.push(piece)
    this.#queuedBytes += piece.length
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#queued = []
    this.#queuedBytes = 0
    this.#trail.close()
    this.#arrival.leave(this)
  }
}
