/**
 * A stored body on its way to one client, at the client's pace.
 *
 * A file in memory goes by `sendfile` where the connection is plain TCP, as much as the kernel takes. When it takes no
 * more, the next small piece goes by an ordinary write: its callback tells that there is room again, and that is all this
 * needs of Node. `sendfile` only runs while Node itself has nothing to write on the socket, so the two never mix. Anything
 * else (TLS, no files on this system) goes by ordinary writes from piece to piece: at most one of them is in memory.
 *
 * Of a file on disk, what was not found to be right yet is looked at first. What turns out to be wrong ends the connection.
 */
import type { Socket } from 'node:net'
import { BrokenFile, type SentFile } from '../base/send-file.ts'
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
    const { file } = body
    const checkedEnd = this.checkedEnd()
    if (checkedEnd === undefined) return
    if (checkedEnd <= this.at) return this.check(file!)
    const descriptor = file === undefined ? undefined : tcpDescriptor(socket)
    if (descriptor !== undefined && socket.writableLength === 0) {
      const wanted = Math.min(checkedEnd - this.at, TURN_BYTES)
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
    const piece = this.read(Math.min(checkedEnd, this.at + bytes))
    if (piece === undefined) return
    this.advance(piece.length)
    this.events.onStall()
    socket.write(piece, this.onWritten)
  }

  /** Up to where the body may be sent as it is. Undefined: it is broken, and this is over. */
  private checkedEnd(): number | undefined {
    const { body, end, at } = this
    try {
      return Math.min(end, body.file?.checkedEnd?.(at) ?? end)
    } catch (error) {
      this.breakOff(error)
      return undefined
    }
  }

  private check(file: SentFile): void {
    file.check!(this.at, (isWhole) => {
      if (isWhole) this.goOn()
      else this.socket.destroy()
    })
  }

  private read(end: number): Buffer | undefined {
    try {
      return this.body.read(this.at, end)
    } catch (error) {
      this.breakOff(error)
      return undefined
    }
  }

  private breakOff(error: unknown): void {
    if (!(error instanceof BrokenFile)) throw error
    this.socket.destroy()
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
