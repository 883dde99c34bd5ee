/**
 * The connections to one endpoint: idle ones are reused last in, first out, so that the surplus grows old and is closed.
 *
 * Their number is bounded; calls beyond it wait in a queue that is bounded too (`call-queue.ts`), each for as long as a connect may take.
 */
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import type { Address } from './address.ts'
import type { Call } from './call.ts'
import { CallQueue, type CallBounds } from './call-queue.ts'
import type { OverflowReason } from './endpoint-stats.ts'
import { OriginConnection, type ConnectionPool } from './origin-connection.ts'

export interface EndpointOptions extends CallBounds {
  readonly address: Address
  readonly timeouts: ConnectionPool['timeouts']
  readonly clock: Clock
}

/** Deadlines are looked at this often, or oftener where a timeout is short. */
const SWEEP_MS = 250
export class Endpoint implements ConnectionPool {
  readonly address: Address
  readonly timeouts: ConnectionPool['timeouts']
  session: Buffer | undefined = undefined
  private readonly connectionsMax: number
  private readonly clock: Clock
  private readonly all = new Set<OriginConnection>()
  private readonly idle: OriginConnection[] = []
  private readonly queue: CallQueue
  private readonly sweepMs: number
  private sweep: NodeJS.Timeout | undefined = undefined
  private isClosed = false

  constructor(options: EndpointOptions) {
    this.address = options.address
    this.timeouts = options.timeouts
    this.connectionsMax = options.connectionsMax
    this.queue = new CallQueue(options)
    this.clock = options.clock
    const { connect, response, idle } = options.timeouts
    this.sweepMs = Math.max(5, Math.min(SWEEP_MS, connect / 4, response / 4, idle / 4))
  }

  now(): number {
    return this.clock.monotonic()
  }

  /** Connections open or being opened, and those of them that are idle. */
  get counts(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    return { open: this.all.size, idle: this.idle.length, waiting: this.queue.size }
  }

  /** Of its connections, those that may be held by calls whose body is still to come. */
  get uploadsMax(): number {
    return this.queue.uploadsMax
  }

  /** Why one more call would be refused; undefined where it would not. */
  overflow(isUpload: boolean): OverflowReason | undefined {
    return this.queue.overflow(isUpload, this.idle.length > 0 || this.all.size < this.connectionsMax)
  }

  /** Gives the call a connection, now or later. */
  take(call: Call, avoidKept: boolean): void {
    call.endpoint = this.address.name
    if (avoidKept && this.all.size >= this.connectionsMax) this.idle[0]?.destroy()
    if (!this.queue.start(call) || !this.give(call, avoidKept)) this.wait(call)
  }

  /** False: there is no connection, and none more may be made. */
  private give(call: Call, avoidKept = false): boolean {
    while (!avoidKept) {
      const kept = this.idle.pop()
      if (kept === undefined) break
      if (!kept.isUsable) continue
      kept.carry(call)
      return true
    }
    if (this.all.size >= this.connectionsMax) return false
    this.connect(call)
    return true
  }

  private connect(call: Call): void {
    const connection = new OriginConnection(this, call)
    call.cancel = () => connection.destroy()
    this.all.add(connection)
    this.startSweep()
  }

  private wait(call: Call): void {
    call.waitDeadline = this.now() + this.timeouts.connect
    if (this.queue.add(call)) {
      call.cancel = () => this.queue.delete(call)
      return
    }
    const error = new EdgeError(
      'origin-busy',
      `all ${this.placesFor(call)} are in use, and ${this.queue.size} requests wait`,
    )
    // The caller must have its call in hand before it hears of it.
    process.nextTick(() => call.fail(error))
  }

  private placesFor(call: Call): string {
    const { name } = this.address
    return call.isUpload
      ? `${this.uploadsMax} connections to ${name} for bodies that are still to come`
      : `${this.connectionsMax} connections to ${name}`
  }

  /** The body of the call is whole: it holds its connection for no client any more. */
  onSent(call: Call): void {
    if (this.queue.deleteUpload(call)) this.take(call, false)
    else if (this.queue.release(call)) this.serveNext()
  }

  /** The call is over, or goes elsewhere. */
  onLeave(call: Call): void {
    if (this.queue.release(call)) this.serveNext()
  }

  /** There is room for one more upload, if there is a connection for it. */
  private serveNext(): void {
    if (this.idle.length === 0 && this.all.size >= this.connectionsMax) return
    const call = this.queue.next()
    if (call !== undefined && !this.give(call)) this.wait(call)
  }

  onReady(connection: OriginConnection): void {
    const call = this.queue.next()
    if (call !== undefined) connection.carry(call)
    else if (this.isClosed) connection.destroy()
    else this.idle.push(connection)
  }

  onGone(connection: OriginConnection): void {
    this.all.delete(connection)
    const at = this.idle.lastIndexOf(connection)
    if (at !== -1) this.idle.splice(at, 1)
    const call = this.all.size < this.connectionsMax ? this.queue.next() : undefined
    if (call !== undefined) this.connect(call)
    if (this.all.size === 0) this.stopSweep()
  }

  /** Closes idle connections; the others close when their call is done. */
  close(): void {
    this.isClosed = true
    while (this.idle.length > 0) this.idle.at(-1)!.destroy()
  }

  private startSweep(): void {
    // After a stall of this process, what has arrived meanwhile is read first: it is not the origin that was late.
    this.sweep ??= setInterval(() => setImmediate(() => this.checkDeadlines()), this.sweepMs).unref()
  }

  private stopSweep(): void {
    clearInterval(this.sweep)
    this.sweep = undefined
  }

  private checkDeadlines(): void {
    const now = this.now()
    for (const connection of this.all) if (connection.deadline <= now) connection.onDeadline()
    for (const call of this.queue.takeExpired(now)) {
      call.fail(
        new EdgeError(
          'origin-busy',
          `none of ${this.placesFor(call)} came free within ${this.timeouts.connect} ms`,
        ),
      )
    }
  }
}
