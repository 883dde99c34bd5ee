/**
 * A stored body on its way to one client, at the client's pace.
 *
 * A file in memory goes by `sendfile` where the connection is plain TCP, as much as the kernel takes. When it takes no
 * more, the next small piece goes by an ordinary write: its callback tells that there is room again, and that is all this
 * needs of Node. `sendfile` only runs while Node itself has nothing to write on the socket, so the two never mix. Anything
 * else (TLS, no files on this system) goes by ordinary writes from piece to piece: at most one of them is in memory.
 *
 * Of a file on disk, what was not found to be right yet is looked at first. What turns out to be wrong ends the connection. The last piece is
 * a copy, and leaves when nobody has touched the file since the first one did.
 */
import type { Socket } from 'node:net'
import { BrokenFile, loadLibc, type SentFile } from '../base/send-file.ts'
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
const TURN_BYTES = 2 * 1024 * 1024
/** What waits until the kernel has room again, where it sends the rest itself. */
const TICKET_BYTES = 16 * 1024
/** A piece, where it does not. */
const PIECE_BYTES = 256 * 1024

export class StoredSending {
  private readonly socket: Socket
  private readonly body: StoredBody
  private readonly events: StoredSendingEvents
  private readonly end: number
  private readonly begin: number
  private at: number
  /** Up to here it was found right when it was asked last. */
  private checkedTo = -1

  /** Sends the bytes from `start` to before `end`. Whoever asks holds the body until `onSent`, or the end of the socket. */
  constructor(socket: Socket, body: StoredBody, start: number, end: number, events: StoredSendingEvents) {
    this.socket = socket
    this.body = body
    this.begin = start
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
    const { file } = body
    const isWatched = file?.checkedEnd !== undefined
    if (isWatched && !this.isRight(file)) return
    const descriptor = file === undefined || loadLibc() === undefined ? undefined : tcpDescriptor(socket)
    const sendEnd = isWatched ? Math.min(this.checkedTo, end - TICKET_BYTES) : end
    if (descriptor !== undefined && socket.writableLength === 0 && this.at < sendEnd) {
      const wanted = Math.min(sendEnd - this.at, TURN_BYTES)
      const taken = file!.sendTo(descriptor, this.at, this.at + wanted)
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
    const piece = this.read(Math.min(isWatched ? this.checkedTo : end, end, this.at + bytes))
    if (piece === undefined) return
    this.advance(piece.length)
    this.events.onStall()
    socket.write(piece, this.onWritten)
  }

  /**
   * Whether the next bytes may leave; if not, this goes on once they may. Before the last ones do, all of it has to be right still: what the
   * kernel was handed are the pages of the file itself, and somebody may have written to them since.
   */
  private isRight(file: SentFile): boolean {
    const { at, end } = this
    const isLast = end - at <= PIECE_BYTES
    if (!isLast && at < this.checkedTo) return true
    const from = isLast ? this.begin : at
    try {
      this.checkedTo = file.checkedEnd!(from)
    } catch (error) {
      if (!(error instanceof BrokenFile)) throw error
      this.socket.destroy()
      return false
    }
    if (this.checkedTo >= end || (!isLast && this.checkedTo > at)) return true
    file.check!(Math.max(from, this.checkedTo), (isWhole) => {
      if (isWhole) this.goOn()
      else this.socket.destroy()
    })
    return false
  }

  private read(end: number): Buffer | undefined {
    const piece = this.body.readIfWhole(this.at, end)
    if (piece === undefined) this.socket.destroy()
    return piece
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
