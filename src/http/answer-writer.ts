/**
 * Puts an answer on the wire: whole, or as a stream whose head leaves with its first piece.
 *
 * A stream of unknown length goes out chunked, or to an HTTP/1.0 client by closing. Each piece is one write.
 */
import type { Socket } from 'node:net'
import type { Answering } from './connection-host.ts'
import type { HeaderList, RequestHead } from '../wire/http1/message.ts'
import { serialiseChunkSize, serialiseLastChunk } from '../wire/http1/serialise.ts'
import type { StoredBody } from './caching/stored-body.ts'
import type { Range } from './ranges/byte-ranges.ts'
import { StoredSending } from './stored-sending.ts'

/** How the body comes to us. */
export type BodyFraming = 'none' | 'length' | 'unknown'
/** How it ends on the wire. */
type Framing = 'nothing' | 'length' | 'chunked' | 'close'

/** A body of unknown length goes chunked, to those who know that. */
export function framingOnWire(request: RequestHead, body: BodyFraming): Framing {
  if (request.method === 'HEAD' || body === 'none') return 'nothing'
  if (body === 'length') return 'length'
  return request.minor === 1 ? 'chunked' : 'close'
}

/** Up to this a head and a piece of body are joined into one string: one write, no copy of our own. */
const JOIN_MAX = 16 * 1024

export class AnswerWriter {
  bytesOut = 0
  /** Of the last answer's head. */
  headBytes = 0
  /** Bytes that the request in progress has brought. */
  received = 0
  private sentBefore = 0
  private readonly socket: Socket
  private framing: Framing = 'nothing'
  /** The head of a stream, until its first piece has come. */
  private pendingHead = ''

  constructor(socket: Socket) {
    this.socket = socket
  }

  /** A request begins, whose head had so many characters up to its empty line. */
  beginRequest(headLength: number): void {
    this.sentBefore = this.bytesOut
    this.received = headLength + 2
  }

  /** Writes down what the request took on its connection. */
  tell(inProgress: Answering | undefined): void {
    if (inProgress === undefined) return
    inProgress.bytesSent = this.bytesOut - this.sentBefore
    inProgress.headBytes = this.headBytes
    inProgress.bytesReceived = this.received
  }

  /** The end of the connection is the end of the body: the only case in which an orderly end would look complete. */
  get endsByClosing(): boolean {
    return this.framing === 'close'
  }

  /** The head of a stream waits for its first piece: nothing of that answer has left, and another may take its place. */
  get isHeadHeld(): boolean {
    return this.pendingHead !== ''
  }

  /** `head` holds the empty line. */
  sendWhole(head: string, body: string | Buffer): void {
    this.pendingHead = ''
    this.headBytes = head.length
    if (typeof body === 'string') {
      this.write(head + body)
    } else if (body.length === 0) {
      this.write(head)
    } else {
      const { socket } = this
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(body)
      socket.uncork()
      this.bytesOut += head.length + body.length
    }
  }

  /** The same for a body that goes at the client's pace; see `StoredSending` for the events. */
  sendStored(
    head: string,
    body: StoredBody,
    { start, end }: Range,
    events: { onStall(): unknown; onSent(): void },
  ): void {
    this.headBytes = head.length
    this.write(head)
    new StoredSending(this.socket, body, start, end, {
      onProgress: (bytes) => (this.bytesOut += bytes),
      ...events,
    }).start()
  }

  /** `head` holds the empty line and the header that `framing` needs. */
  startStream(head: string, framing: Framing): void {
    this.framing = framing
    this.headBytes = head.length
    this.pendingHead = head
  }

  /** Sends a head after which bytes follow as they are. */
  startRaw(head: string): void {
    this.framing = 'length'
    this.write(head)
  }

  /** Sends the head of a stream whose body lets wait. */
  flushHead(): void {
    if (this.pendingHead !== '') this.write(this.takeHead())
  }

  /** Copies the piece. False: the client is slow. */
  sendChunk(chunk: Buffer): boolean {
    if (this.framing === 'nothing' || chunk.length === 0) return true
    const isChunked = this.framing === 'chunked'
    const before = this.takeHead() + (isChunked ? serialiseChunkSize(chunk.length) : '')
    const after = isChunked ? '\r\n' : ''
    if (before.length + chunk.length <= JOIN_MAX) return this.write(before + chunk.toString('latin1') + after)
    const whole = Buffer.allocUnsafeSlow(before.length + chunk.length + after.length)
    whole.write(before, 0, 'latin1')
    whole.set(chunk, before.length)
    whole.write(after, before.length + chunk.length, 'latin1')
    this.bytesOut += whole.length
    return this.socket.write(whole)
  }

  /** The same for parts that nobody changes: they go as they are, where a copy would cost more. */
  sendParts(parts: readonly Buffer[]): boolean {
    if (this.framing === 'nothing') return true
    let length = 0
    for (const part of parts) length += part.length
    if (length <= JOIN_MAX) return this.sendChunk(parts.length === 1 ? parts[0]! : Buffer.concat(parts))
    const isChunked = this.framing === 'chunked'
    const { socket } = this
    socket.cork()
    const before = this.takeHead() + (isChunked ? serialiseChunkSize(length) : '')
    if (before !== '') this.write(before)
    for (const part of parts) socket.write(part)
    if (isChunked) this.write('\r\n')
    socket.uncork()
    this.bytesOut += length
    return !socket.writableNeedDrain
  }

  endStream(trailers: HeaderList): void {
    if (this.framing === 'chunked') this.write(this.takeHead() + serialiseLastChunk(trailers))
    else this.flushHead()
  }

  write(text: string): boolean {
    this.bytesOut += text.length
    return this.socket.write(text, 'latin1')
  }

  private takeHead(): string {
    const head = this.pendingHead
    this.pendingHead = ''
    return head
  }
}
