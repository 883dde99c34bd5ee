/**
 * What workers of a node say to each other over their sockets: frames of a kind, a length and so many bytes.
 *
 *     ask         →   JSON: what is wanted                       one at a time on a connection
 *     invalidate  →   JSON: what was changed; no answer
 *                 ←   none    JSON: why there is nothing
 *                 ←   head    JSON: the head of what there is
 *                 ←   data …  bytes of its body, any number of frames
 *                 ←   end     the body is whole; the connection is free for the next question
 *
 * A connection that ends before `end` is a body that was cut. Both sides are the same program; lengths are checked all the same.
 */

export const KIND = { ask: 1, invalidate: 2, none: 3, head: 4, data: 5, end: 6 } as const

const HEADER_BYTES = 5
/** JSON holds a key and heads, both of which are bounded where they come in. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024

const NO_BYTES = Buffer.alloc(0)
export const END_FRAME = header(KIND.end, 0)

export function textFrame(kind: number, value: unknown): Buffer {
  const text = JSON.stringify(value)
  const bytes = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bytes)
  frame[0] = kind
  frame.writeUInt32LE(bytes, 1)
  frame.write(text, HEADER_BYTES)
  return frame
}

/** What stands before so many bytes of a body. */
export const dataHeader = (bytes: number): Buffer => header(KIND.data, bytes)

function header(kind: number, bytes: number): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES)
  frame[0] = kind
  frame.writeUInt32LE(bytes, 1)
  return frame
}

export interface FrameEvents {
  /** A whole frame of JSON, or `end`, which has none. */
  onText(kind: number, value: unknown): void
  /** Bytes of a body, as they come. */
  onData(piece: Buffer): void
}

/** Takes frames out of a stream of bytes. `push` throws where the bytes are none. */
export class FrameReader {
  readonly #events: FrameEvents
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  #left = 0
  #parts: Buffer[] = []
  /** Set by whoever no longer wants what comes. */
  isClosed = false

  constructor(events: FrameEvents) {
    this.#events = events
  }

  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.isClosed) {
      if (this.#headerBytes < HEADER_BYTES) {
        const end = Math.min(chunk.length, at + HEADER_BYTES - this.#headerBytes)
        chunk.copy(this.#header, this.#headerBytes, at, end)
        this.#headerBytes += end - at
        at = end
        if (this.#headerBytes < HEADER_BYTES) return
        this.#begin()
        continue
      }
      const end = Math.min(chunk.length, at + this.#left)
      const piece = chunk.subarray(at, end)
      at = end
      this.#left -= piece.length
      const isData = this.#header[0] === KIND.data
      if (this.#left === 0) this.#headerBytes = 0
      if (isData) this.#events.onData(piece)
      else if (this.#left > 0) this.#parts.push(Buffer.from(piece))
      else this.#tell(piece)
    }
  }

  #begin(): void {
    const kind = this.#header[0]!
    this.#left = this.#header.readUInt32LE(1)
    if (kind < KIND.ask || kind > KIND.end) throw new Error(`a frame of kind ${kind}`)
    if (kind !== KIND.data && this.#left > TEXT_BYTES_MAX) throw new Error(`a frame of ${this.#left} bytes`)
    if (this.#left > 0) return
    this.#headerBytes = 0
    if (kind === KIND.end) this.#events.onText(kind, undefined)
    else if (kind !== KIND.data) this.#tell(NO_BYTES)
  }

  #tell(last: Buffer): void {
    const text = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last])
    this.#parts = []
    this.#events.onText(this.#header[0]!, JSON.parse(text.toString('utf8')))
  }
}
