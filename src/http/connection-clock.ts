/**
 * Until when a connection waits for its client, and for what of it.
 *
 * A number that the server's sweep compares, not a timer: a timer a request would cost more than the parse.
 */
import type { Socket } from 'node:net'
import { acknowledgedBytes } from '../base/tcp-info.ts'
import type { ConnectionHost } from './connection-host.ts'

/** How long a client that was told "close" may go on sending, so that it reads the answer instead of a reset. */
const LINGER_MS = 2000

export class ConnectionClock {
  private readonly socket: Socket
  private readonly host: ConnectionHost
  private deadline = Number.POSITIVE_INFINITY
  private isForHead = false
  /** What the client had taken when it was last given time to take more. */
  private acknowledged: bigint | undefined

  constructor(socket: Socket, host: ConnectionHost) {
    this.socket = socket
    this.host = host
    this.waitForRequest()
  }

  isOver(nowMs: number): boolean {
    return nowMs >= this.deadline
  }

  /** Nothing of the client is waited for. */
  stop(): void {
    this.isForHead = false
    this.deadline = Number.POSITIVE_INFINITY
  }

  /** Where it has not taken the last answer, for that. */
  waitForRequest(): void {
    this.wait(this.host.limits.idle)
  }

  /** From the first byte of a head on; the bytes after it do not prolong it. */
  waitForHead(): void {
    if (this.isForHead) return
    this.isForHead = true
    this.deadline = this.host.nowMs + this.host.limits.head
  }

  waitForBody(ms: number): void {
    this.deadline = this.host.nowMs + ms
  }

  /** The last answer is out. */
  waitForEnd(): void {
    this.wait(LINGER_MS)
  }

  private wait(ms: number): void {
    if (this.socket.writableNeedDrain) this.waitForRoom()
    else this.deadline = this.host.nowMs + ms
  }

  /** Its buffers are full: it has so long until some of it has arrived. */
  waitForRoom(): void {
    this.acknowledged = acknowledgedBytes(this.socket)
    this.deadline = this.host.nowMs + this.host.limits.body
  }

  /** A large piece leaves bit by bit, and Node tells only when all of it has left. */
  get hasTakenMore(): boolean {
    return acknowledgedBytes(this.socket) !== this.acknowledged
  }
}
