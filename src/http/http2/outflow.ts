/**
 * What leaves a connection: frames, within the window that the client gives to all bodies together, and as it keeps up.
 *
 * A stream that may not send now waits in line; `pumpAll` lets each of them try again.
 */
import type { Socket } from 'node:net'
import {
  DEFAULT_WINDOW,
  FRAME,
  FRAME_BYTES_MAX,
  frameHead,
  headersFrames,
  WINDOW_MAX,
} from '../../wire/http2/frames.ts'
import { TABLE_EMPTIED } from '../../wire/http2/hpack-encoder.ts'
import type { FloodGuard } from './flood-guard.ts'
import { FrameWriter } from './frame-writer.ts'
import type { PeerSettings } from './peer-settings.ts'

/** A stream that has something to send and could not. */
export interface Waiting {
  /** There may be room again. */
  wake(): void
}

export class Outflow extends FrameWriter {
  /** What the client takes of all bodies at the moment. */
  window = DEFAULT_WINDOW
  private readonly settings: PeerSettings
  private readonly guard: FloodGuard
  private waiting = new Set<Waiting>()

  constructor(socket: Socket, settings: PeerSettings, guard: FloodGuard, onFlooded: () => void) {
    super(socket, onFlooded)
    this.settings = settings
    this.guard = guard
  }

  /** A head, or trailers. */
  writeHead(block: string, stream: number, isEnd: boolean): void {
    if (this.settings.isTableUpdateOwed) {
      this.settings.isTableUpdateOwed = false
      this.write(headersFrames(TABLE_EMPTIED + block, stream, isEnd))
    } else {
      this.write(headersFrames(block, stream, isEnd))
    }
  }

  /** A piece of a body that fits both windows. The stream's window is the stream's to count. */
  writeData(text: string, stream: number, flags: number): void {
    this.window -= text.length
    this.guard.onDataSent()
    this.write(frameHead(text.length, FRAME.data, flags, stream) + text)
  }

  /** May a whole body of this length leave now, as far as the connection goes? */
  canSend(length: number): boolean {
    return length <= FRAME_BYTES_MAX && length <= this.window && !this.isFull
  }

  /** False: it would be larger than a window may be. */
  widen(more: number): boolean {
    this.window += more
    return this.window <= WINDOW_MAX
  }

  wait(stream: Waiting): void {
    this.waiting.add(stream)
  }

  forget(stream: Waiting): void {
    this.waiting.delete(stream)
  }

  pumpAll(): void {
    const { waiting } = this
    if (waiting.size === 0) return
    this.waiting = new Set()
    const served: Waiting[] = []
    for (const stream of waiting) {
      const hasRoom = this.window > 0 && !this.isFull
      stream.wake()
      if (hasRoom) served.push(stream)
    }
    // Whoever had its turn stands behind those who had none: a large answer would keep all others waiting.
    for (const stream of served) if (this.waiting.delete(stream)) this.waiting.add(stream)
  }
}
