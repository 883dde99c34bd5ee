/**
 * A stored body on its way to one client, at the client's pace.
 *
 * A file in memory goes by `sendfile` where the connection is plain TCP, as much as the kernel takes. When it takes no
 * more, the next small piece goes by an ordinary write: its callback tells that there is room again, and that is all this
 * needs of Node. `sendfile` only runs while Node itself has nothing to write on the socket, so the two never mix. Anything
 * else (TLS, no files on this system) goes by ordinary writes from piece to piece: at most one of them is in memory.
 */
import type { Socket } from 'node:net'
import type { StoredBody } from './caching/stored-body.ts'

export interface StoredSendingEvents {
  /** So many bytes are the kernel's, or soon will be. */
  onProgress(bytes: number): void
  /** The client takes no more for now. */
  onStall(): unknown
  /** All of it is the kernel's. Not called where the connection ends before: that, its socket tells. */
  onSent(): void
}

/** Goes by in one turn of the event loop; then others have theirs. */
const TURN_BYTES = 1024 * 1024
/** What waits until the kernel has room again, where it sends the rest itself. */
const TICKET_BYTES = 16 * 1024
/** A piece, where it does not. */
const PIECE_BYTES = 256 * 1024

export class StoredSending {
  private readonly socket: Socket
  private readonly body: StoredBody
  private readonly events: StoredSendingEvents
  private readonly end: number
  private at: number

  /** Sends the bytes from `start` to before `end`. Whoever asks holds the body until `onSent`, or the end of the socket. */
  constructor(socket: Socket, body: StoredBody, start: number, end: number, events: StoredSendingEvents) {
    this.socket = socket
    this.body = body
    this.at = start
    this.end = end
    this.events = events
  }

  /** Begins behind what was written to the socket before. */
  start(): void {
    this.goOn()
  }

  private readonly goOn = (): void => {
    const { socket, body, end } = this
    if (socket.destroyed) return
    const descriptor = body.file === undefined ? undefined : tcpDescriptor(socket)
    if (descriptor !== undefined && socket.writableLength === 0) {
      const wanted = Math.min(end - this.at, TURN_BYTES)
      const taken = body.file!.sendTo(descriptor, this.at, this.at + wanted)
      this.advance(taken)
      if (this.at === end) {
        this.events.onSent()
        return
      }
      if (taken === wanted) {
        setImmediate(this.goOn)
        return
      }
    }
    const bytes = descriptor === undefined ? PIECE_BYTES : TICKET_BYTES
    const piece = body.read(this.at, Math.min(end, this.at + bytes))
    this.advance(piece.length)
    this.events.onStall()
    socket.write(piece, this.onWritten)
  }

  private readonly onWritten = (error?: Error | null): void => {
    if (error || this.socket.destroyed) return
    if (this.at === this.end) this.events.onSent()
    else setImmediate(this.goOn)
  }

  private advance(bytes: number): void {
    this.at += bytes
    this.events.onProgress(bytes)
  }
}

/** Of a plain TCP connection. Undefined for all others: what is sent past TLS would be sent in the clear. */
function tcpDescriptor(socket: Socket): number | undefined {
  const handle = (socket as unknown as { _handle?: { fd?: unknown; constructor: { name: string } } | null })
    ._handle
  if (handle?.constructor.name !== 'TCP') return undefined
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined
}
