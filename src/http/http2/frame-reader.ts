/** The bytes of a client cut into frames (RFC 9113 §3.4, §4.1): the preface and its SETTINGS first, then whatever comes. */
import { ERROR, FLAG, FRAME, FRAME_BYTES_MAX, FRAME_HEAD_BYTES, PREFACE } from '../../wire/http2/frames.ts'
import { ConnectionError } from './connection-error.ts'

export interface FrameSink {
  /** Nothing more is read. */
  readonly isClosing: boolean
  /** The payload is valid until this returns. */
  onFrame(type: number, flags: number, stream: number, payload: Buffer): void
}

const NOTHING = Buffer.alloc(0)

export class FrameReader {
  hasPreface = false
  private hasSettings = false
  private readonly sink: FrameSink
  /** The beginning of a frame whose end has not come: the first `gathered` bytes of `room`. */
  private room: Buffer = NOTHING
  private gathered = 0
  /** How many of them make a whole frame; 0 where its length is not known yet. */
  private needed = 0

  constructor(sink: FrameSink) {
    this.sink = sink
  }

  /** Takes what the socket read. The buffer may be reused once this returns. */
  read(received: Buffer): void {
    let bytes = received
    if (this.gathered > 0) {
      this.gather(received)
      if (this.gathered < this.needed) return
      bytes = this.room.subarray(0, this.gathered)
      this.forget()
    }
    const at = this.consume(bytes)
    if (at < bytes.length && !this.sink.isClosing) this.gather(bytes.subarray(at))
  }

  forget(): void {
    this.room = NOTHING
    this.gathered = 0
  }

  /** The room doubles: a frame that comes a byte at a time is copied a few times, and not with each of them. */
  private gather(bytes: Buffer): void {
    const length = this.gathered + bytes.length
    if (length > this.room.length) {
      const room = Buffer.allocUnsafe(Math.max(length, this.room.length * 2))
      this.room.copy(room, 0, 0, this.gathered)
      this.room = room
    }
    bytes.copy(this.room, this.gathered)
    this.gathered = length
  }

  private consume(bytes: Buffer): number {
    let at = 0
    this.needed = 0
    if (!this.hasPreface) {
      const text = bytes.toString('latin1', 0, PREFACE.length)
      if (!PREFACE.startsWith(text)) throw new ConnectionError(ERROR.protocol, 'not HTTP/2')
      if (text.length < PREFACE.length) return 0
      this.hasPreface = true
      at = PREFACE.length
    }
    while (bytes.length - at >= FRAME_HEAD_BYTES && !this.sink.isClosing) {
      const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
      if (length > FRAME_BYTES_MAX) throw new ConnectionError(ERROR.frameSize, 'frame too large')
      const type = bytes[at + 3]!
      const flags = bytes[at + 4]!
      if (!this.hasSettings) this.expectSettings(type, flags)
      const next = at + FRAME_HEAD_BYTES + length
      if (next > bytes.length) {
        this.needed = next - at
        break
      }
      const stream =
        ((bytes[at + 5]! & 127) << 24) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 8) | bytes[at + 8]!
      this.sink.onFrame(type, flags, stream, bytes.subarray(at + FRAME_HEAD_BYTES, next))
      at = next
    }
    return at
  }

  /** §3.4: the preface ends with SETTINGS, which may be empty and acknowledge nothing. */
  private expectSettings(type: number, flags: number): void {
    if (type !== FRAME.settings || (flags & FLAG.ack) !== 0)
      throw new ConnectionError(ERROR.protocol, 'the first frame is not SETTINGS')
    this.hasSettings = true
  }
}
