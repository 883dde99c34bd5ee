/** A connection without TLS that may speak HTTP/2 by prior knowledge: its first bytes tell (RFC 9113 §3.3). */
import type { Socket } from 'node:net'
import type { ConnectionHost, Held } from './connection-host.ts'
import { PREFACE } from '../wire/http2/frames.ts'

/** No request of HTTP/1.1 begins like this. */
const START = PREFACE.slice(0, 3)

export class ProtocolChoice implements Held {
  readonly socket: Socket
  readonly bytesOut = 0
  private readonly host: ConnectionHost
  private readonly deadline: number
  private readonly choose: (isHttp2: boolean) => (bytes: Buffer) => void
  private seen: Buffer | undefined
  private isOver = false
  private readonly onClose = (): void => this.host.onClose(this)

  /** `choose` is called once, and takes the connection over. */
  constructor(socket: Socket, host: ConnectionHost, choose: (isHttp2: boolean) => (bytes: Buffer) => void) {
    this.socket = socket
    this.host = host
    this.choose = choose
    this.deadline = host.nowMs + host.limits.idle
    socket.on('error', () => {})
    socket.on('close', this.onClose)
  }

  onData(bytes: Buffer): ((bytes: Buffer) => void) | undefined {
    const all = this.seen === undefined ? bytes : Buffer.concat([this.seen, bytes])
    const start = all.toString('latin1', 0, START.length)
    if (START.startsWith(start) && start !== START) {
      this.seen = Buffer.from(all)
      return undefined
    }
    this.isOver = true
    this.socket.off('close', this.onClose)
    const receive = this.choose(start === START)
    receive(all)
    return receive
  }

  checkDeadline(nowMs: number): void {
    if (nowMs >= this.deadline && !this.isOver) this.socket.destroy()
  }

  closeIdle(): void {
    if (!this.isOver) this.socket.destroySoon()
  }
}
