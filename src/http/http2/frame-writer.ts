/**
 * Frames on their way out: text gathered over a turn of the event loop, which leaves in one write.
 *
 * What waits for a client that does not read is told in two steps: bodies stop (`isFull`); and where the client goes on asking for
 * answers, nothing more is read from it (`onFlooded`).
 */
import type { Socket } from 'node:net'

/** Bytes that may wait for the socket before bodies stop; and before we stop reading what makes us answer. */
const OUT_FULL = 128 * 1024
const OUT_FLOODED = 512 * 1024
/** Text gathered in a turn leaves when it is as long as this. */
const FLUSH_BYTES = 64 * 1024

export class FrameWriter {
  bytesOut = 0
  private readonly socket: Socket
  private readonly onFlooded: () => void
  private out = ''
  private isHeld = false
  private isFlushDue = false
  private isEnded = false

  constructor(socket: Socket, onFlooded: () => void) {
    this.socket = socket
    this.onFlooded = onFlooded
  }

  /** Text of frames, a byte a character. After `end` nothing leaves. */
  write(text: string): void {
    if (this.isEnded) return
    this.out += text
    if (this.out.length >= FLUSH_BYTES) this.flush()
    else if (!this.isHeld && !this.isFlushDue) {
      this.isFlushDue = true
      queueMicrotask(this.flushDue)
    }
  }

  /** Until `release`, what is written waits for the rest of what the same bytes of the client bring about. */
  hold(): void {
    this.isHeld = true
  }

  release(): void {
    this.isHeld = false
    this.flush()
  }

  /** The last that leaves. */
  end(text: string): void {
    if (this.isEnded) return
    this.out += text
    this.flush()
    this.isEnded = true
    this.socket.end()
  }

  /** Bodies wait: the client does not keep up. */
  get isFull(): boolean {
    return this.socket.writableLength + this.out.length >= OUT_FULL
  }

  /** The client reads again, after it flooded us. */
  get hasCalmed(): boolean {
    return this.socket.writableLength < OUT_FULL
  }

  private readonly flushDue = (): void => {
    this.isFlushDue = false
    this.flush()
  }

  private flush(): void {
    if (this.out === '' || this.socket.destroyed) return
    const text = this.out
    this.out = ''
    this.bytesOut += text.length
    this.socket.write(text, 'latin1')
    if (this.socket.writableLength > OUT_FLOODED) this.onFlooded()
  }
}
