/**
 * Who waits for a connection to one endpoint, and whose turn is next: the first that came.
 *
 * A request whose body is still with its client holds a connection for as long as the client likes, and some thousands that send in drips
 * would hold all of them. So these have half of the connections and half of the places to wait; the other half is always there for
 * those that have been sent whole.
 */
import type { Call } from './call.ts'
import type { OverflowReason } from './endpoint-stats.ts'

export interface CallBounds {
  readonly connectionsMax: number
  /** Calls that may wait for a connection. */
  readonly pendingMax: number
  /** Calls under way, those that wait included. Absent: no bound. */
  readonly requestsMax?: number | undefined
}

export class CallQueue {
  /** Uploads that may have a connection at once. */
  readonly uploadsMax: number
  private readonly pendingMax: number
  private readonly uploadsPendingMax: number
  private readonly calls = new Set<Call>()
  private readonly uploads = new Set<Call>()
  /** Uploads that have a connection, or are getting one. */
  private readonly uploading = new Set<Call>()

  constructor({ connectionsMax, pendingMax, requestsMax = Number.POSITIVE_INFINITY }: CallBounds) {
    this.pendingMax = pendingMax
    this.uploadsMax = Math.max(1, Math.floor(Math.min(connectionsMax, requestsMax) / 2))
    const half = Math.min(Math.floor(pendingMax / 2), Math.floor(requestsMax / 2) - this.uploadsMax)
    this.uploadsPendingMax = Math.max(0, half)
  }

  /** How many wait. */
  get size(): number {
    return this.calls.size + this.uploads.size
  }

  /** Why one more call would be refused; undefined where it would not. `isFree`: there is a connection. */
  overflow(isUpload: boolean, isFree: boolean): OverflowReason | undefined {
    const isFull = isUpload && this.uploading.size >= this.uploadsMax
    if ((isFree && !isFull) || this.hasPlace(isUpload)) return undefined
    if (isFull) return 'uploads'
    return this.pendingMax === 0 ? 'connections' : 'pending'
  }

  /** Whether the call may have a connection, where there is one: then it is counted as having it. */
  start(call: Call): boolean {
    if (!call.isUpload) return true
    if (this.uploading.size >= this.uploadsMax && !this.uploading.has(call)) return false
    this.uploading.add(call)
    return true
  }

  /** Lets it wait. False: there is no place. */
  add(call: Call): boolean {
    this.uploading.delete(call)
    if (!this.hasPlace(call.isUpload)) return false
    ;(call.isUpload ? this.uploads : this.calls).add(call)
    return true
  }

  /** It waits no more. False: it did not. */
  delete(call: Call): boolean {
    return this.calls.delete(call) || this.uploads.delete(call)
  }

  /** It waited as an upload, and has become one of the others. */
  deleteUpload(call: Call): boolean {
    return this.uploads.delete(call)
  }

  /** It is no upload any more, or over. True: there is room for another. */
  release(call: Call): boolean {
    return this.uploading.delete(call)
  }

  /** Whose turn it is, now that there is a connection: it waits no more, and is counted as having it. */
  next(): Call | undefined {
    const call = first(this.calls)
    const upload = this.uploading.size < this.uploadsMax ? first(this.uploads) : undefined
    const isUploadFirst = call === undefined || (upload?.waitDeadline ?? Infinity) < call.waitDeadline
    const next = isUploadFirst ? (upload ?? call) : call
    if (next === undefined) return undefined
    this.delete(next)
    this.start(next)
    return next
  }

  /** Those that have waited for too long: they wait no more. */
  takeExpired(nowMs: number): readonly Call[] {
    const expired = [...upTo(this.calls, nowMs), ...upTo(this.uploads, nowMs)]
    for (const call of expired) this.delete(call)
    return expired
  }

  private hasPlace(isUpload: boolean): boolean {
    return this.size < this.pendingMax && (!isUpload || this.uploads.size < this.uploadsPendingMax)
  }
}

function first(calls: ReadonlySet<Call>): Call | undefined {
  for (const call of calls) return call
  return undefined
}

/** They wait in the order of their deadlines. */
function upTo(calls: ReadonlySet<Call>, nowMs: number): readonly Call[] {
  const due: Call[] = []
  for (const call of calls) {
    if (call.waitDeadline > nowMs) break
    due.push(call)
  }
  return due
}
