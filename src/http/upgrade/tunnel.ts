/**
 * Bytes between a client and its origin, once they have switched protocols: relayed as they come, read by nobody here.
 *
 * To the connection the client's bytes are a body without an end, and the origin's an answer. Whoever is not read from by the other side
 * is not read from by us, so a tunnel holds what fits into its two sockets' buffers and no more. It ends when either side does, when nothing
 * passes for the idle time, or when one side takes nothing of what waits for it.
 */
import type { SentCall } from '../../contract/origin.ts'
import type { InProgress } from '../connection-host.ts'
import type { ClientConnection } from '../client-connection.ts'
import type { BodyConsumer } from '../incoming-body.ts'
import type { Upgrades } from './upgrades.ts'

const NEVER = Number.POSITIVE_INFINITY

export class Tunnel implements BodyConsumer, InProgress {
  private readonly connection: ClientConnection
  private readonly call: SentCall
  private readonly upgrades: Upgrades
  private readonly onOver: (isBroken: boolean) => void
  private isOver = false
  private lastAt: number
  /** Since when what waits for that side is not taken. */
  private clientStuckSince = NEVER
  private originStuckSince = NEVER

  /** The place among the upgrades is taken; it is given back at the end, and `onOver` is called once: `isBroken` where a side did not end in order. */
  constructor(
    connection: ClientConnection,
    call: SentCall,
    upgrades: Upgrades,
    onOver: (isBroken: boolean) => void,
  ) {
    this.connection = connection
    this.call = call
    this.upgrades = upgrades
    this.onOver = onOver
    this.lastAt = upgrades.nowMs
    upgrades.add(this)
  }

  // ── the client's side ─────────────────────────────────────────────────────────────────────────────────────────

  /** False: read no more until `connection.resumeBody`. */
  onBody(bytes: Buffer): boolean {
    if (this.isOver) return true
    this.upgrades.bytesIn += bytes.length
    this.lastAt = this.upgrades.nowMs
    const isFlowing = this.call.relay(bytes)
    if (!isFlowing) this.originStuckSince = Math.min(this.originStuckSince, this.lastAt)
    return isFlowing
  }

  onBodyEnd(): void {}

  /** It sends no more, and may still read. */
  onBodyProblem(): void {
    if (!this.isOver) this.call.endRelay()
  }

  onDrain(): void {
    this.clientStuckSince = NEVER
    this.lastAt = this.upgrades.nowMs
    if (!this.isOver) this.call.resume()
  }

  onGone(): void {
    if (this.end(true)) this.call.abort()
  }

  // ── the origin's side ─────────────────────────────────────────────────────────────────────────────────────────

  /** False: read no more until `call.resume`. */
  onOriginBytes(bytes: Buffer): boolean {
    if (this.isOver) return true
    this.upgrades.bytesOut += bytes.length
    this.lastAt = this.upgrades.nowMs
    const isFlowing = this.connection.sendChunk(bytes)
    if (!isFlowing) this.clientStuckSince = Math.min(this.clientStuckSince, this.lastAt)
    return isFlowing
  }

  onOriginDrain(): void {
    this.originStuckSince = NEVER
    this.lastAt = this.upgrades.nowMs
    if (!this.isOver) this.connection.resumeBody()
  }

  /** It is gone, in order or `isBroken`: what it sent before still reaches the client. */
  onOriginEnd(isBroken: boolean): void {
    if (this.isOver) return
    this.connection.endStream([])
    this.end(isBroken)
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Called a few times a second. */
  checkDeadline(nowMs: number): void {
    const { upgradeIdle, body } = this.upgrades.limits
    const isStuck = nowMs - Math.min(this.clientStuckSince, this.originStuckSince) >= body
    if (isStuck || nowMs - this.lastAt >= upgradeIdle) this.connection.cut()
  }

  private end(isBroken: boolean): boolean {
    if (this.isOver) return false
    this.isOver = true
    this.upgrades.remove(this)
    this.onOver(isBroken)
    return true
  }
}
