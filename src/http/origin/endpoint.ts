/**
 * The connections to one endpoint: idle ones are reused last in, first out, so that the surplus grows old and is closed.
 *
 * Their number is bounded; calls beyond it wait in a queue that is bounded too, each for as long as a connect may take.
 */
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import type { Address } from './address.ts'
import type { Call } from './call.ts'
import { OriginConnection, type ConnectionPool } from './origin-connection.ts'

export interface EndpointOptions {
  readonly address: Address
  readonly timeouts: ConnectionPool['timeouts']
  readonly connectionsMax: number
  /** Calls that may wait for a connection. */
  readonly pendingMax: number
  readonly clock: Clock
}

/** Deadlines are looked at this often, or oftener where a timeout is short. */
const SWEEP_MS = 250
export class Endpoint implements ConnectionPool {
  readonly address: Address
  readonly timeouts: ConnectionPool['timeouts']
  session: Buffer | undefined = undefined
  private readonly connectionsMax: number
  private readonly pendingMax: number
  private readonly clock: Clock
  private readonly all = new Set<OriginConnection>()
  private readonly idle: OriginConnection[] = []
  private readonly waiting = new Set<Call>()
  private readonly sweepMs: number
  private sweep: NodeJS.Timeout | undefined = undefined
  private isClosed = false

  constructor(options: EndpointOptions) {
    this.address = options.address
    this.timeouts = options.timeouts
    this.connectionsMax = options.connectionsMax
    this.pendingMax = options.pendingMax
    this.clock = options.clock
    const { connect, response, idle } = options.timeouts
    this.sweepMs = Math.max(5, Math.min(SWEEP_MS, connect / 4, response / 4, idle / 4))
  }

  now(): number {
    return this.clock.monotonic()
  }

  /** Connections open or being opened, and those of them that are idle. */
  get counts(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    return { open: this.all.size, idle: this.idle.length, waiting: this.waiting.size }
  }

  /** Why one more call would be refused; undefined where it would not. */
  get overflow(): 'connections' | 'pending' | undefined {
    const isFree = this.idle.length > 0 || this.all.size < this.connectionsMax
    if (isFree || this.waiting.size < this.pendingMax) return undefined
    return this.pendingMax === 0 ? 'connections' : 'pending'
  }

  /** Gives the call a connection, now or later. */
  take(call: Call, avoidKept: boolean): void {
    call.endpoint = this.address.name
    if (!avoidKept) {
      for (let kept = this.idle.pop(); kept !== undefined; kept = this.idle.pop()) {
        if (kept.isUsable) return kept.carry(call)
      }
    } else if (this.all.size >= this.connectionsMax) {
      this.idle[0]?.destroy()
    }
    if (this.all.size < this.connectionsMax) return this.connect(call)
    this.wait(call)
  }

  private connect(call: Call): void {
    const connection = new OriginConnection(this, call)
    call.cancel = () => connection.destroy()
    this.all.add(connection)
    this.startSweep()
  }

  private wait(call: Call): void {
    if (this.waiting.size >= this.pendingMax) {
      const error = new EdgeError(
        'origin-busy',
        `all ${this.connectionsMax} connections to ${this.address.name} are in use, and ${this.waiting.size} requests wait`,
      )
      // The caller must have its call in hand before it hears of it.
      process.nextTick(() => call.fail(error))
      return
    }
    call.waitDeadline = this.now() + this.timeouts.connect
    call.cancel = () => this.waiting.delete(call)
    this.waiting.add(call)
  }

  onReady(connection: OriginConnection): void {
    const call = this.nextWaiting()
    if (call !== undefined) connection.carry(call)
    else if (this.isClosed) connection.destroy()
    else this.idle.push(connection)
  }

  onGone(connection: OriginConnection): void {
    this.all.delete(connection)
    const at = this.idle.lastIndexOf(connection)
    if (at !== -1) this.idle.splice(at, 1)
    const call = this.all.size < this.connectionsMax ? this.nextWaiting() : undefined
    if (call !== undefined) this.connect(call)
    if (this.all.size === 0) this.stopSweep()
  }

  private nextWaiting(): Call | undefined {
    for (const call of this.waiting) {
      this.waiting.delete(call)
      return call
    }
    return undefined
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
    for (const call of this.waiting) {
      if (call.waitDeadline > now) break
      this.waiting.delete(call)
      call.fail(
        new EdgeError(
          'origin-busy',
          `none of ${this.connectionsMax} connections to ${this.address.name} came free within ${this.timeouts.connect} ms`,
        ),
      )
    }
  }
}
