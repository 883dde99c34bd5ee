/**
 * What a worker and its sandbox write to each other: frames with a small binary head.
 *
 *     length u32 | kind u8, patience u8, 0 u16 | seq u32 | slot u32 | a u32 | b u32 | payload
 *
 * `length` counts the payload alone. Batches go out as Latin-1, a character a byte, and the sandbox hands the slice on
 * as it came. Answers come back as UTF-8, since a unit's text may hold any character. The reader bounds every length: what
 * is on the other side of it may have been taken over.
 */
export const FRAME_HEAD = 24

/** To a sandbox. */
export const START = 1 // payload: the guest's source, UTF-8
export const LOAD = 2 // payload: UnitCode as JSON, UTF-8
export const UNLOAD = 3
export const DROP = 4
export const PREPARE = 5
export const STEP = 6 // a: bytes of routes; b: bytes of lengths; payload: routes, lengths of the batch's parts (`LENGTH LENGTH…\n`, none for one), batch

/** From a sandbox. */
export const READY = 10 // a: 1 where it runs as a user without rights
export const ANSWERED = 11 // a: CPU in µs; b: bytes of `ID ID…\n`, for seq 0; payload: those, the answer
export const CUT = 12 // a: CPU in µs; b: progress + 1; patience: index in CUT_REASONS; payload: `RUNNING ID ID…\n`, message
export const PREPARED = 13 // patience: 1 with a problem; payload: the problem, or ModuleFacts as JSON

export const CUT_REASONS = ['timeout', 'memory', 'install', 'broken'] as const

/** What came is not in form. */
export class FrameError extends Error {}

/** One frame at most, in bytes. A body is 16 MiB at most, in UTF-8 up to three bytes a character. */
export const FRAME_BYTES_MAX = 64 * 1024 * 1024

export interface FrameHead {
  length: number
  kind: number
  patience: number
  seq: number
  slot: number
  a: number
  b: number
}

export function writeHead(
  into: Buffer,
  at: number,
  kind: number,
  patience: number,
  length: number,
  seq: number,
  slot: number,
  a: number,
  b: number,
): void {
  into.writeUInt32LE(length, at)
  into.writeUInt32LE(kind | (patience << 8), at + 4)
  into.writeUInt32LE(seq, at + 8)
  into.writeUInt32LE(slot, at + 12)
  into.writeUInt32LE(a, at + 16)
  into.writeUInt32LE(b, at + 20)
}

/** One whole frame with a text as its payload. */
export function textFrame(kind: number, seq: number, slot: number, payload: string): Buffer {
  const length = Buffer.byteLength(payload)
  const bytes = Buffer.allocUnsafe(FRAME_HEAD + length)
  writeHead(bytes, 0, kind, 0, length, seq, slot, 0, 0)
  bytes.write(payload, FRAME_HEAD)
  return bytes
}

/** A frame that came in pieces was put together in a buffer that stays, unless it has become longer than this. */
const HELD_MAX = 1024 * 1024
const HELD_MIN = 64 * 1024

/**
 * Cuts a stream of bytes into frames.
 *
 * `onFrame` gets the head, which is reused, and where in the bytes the payload lies: valid until it returns.
 */
export class FrameReader {
  readonly #onFrame: (head: FrameHead, bytes: Buffer, start: number, end: number) => void
  readonly #head: FrameHead = { length: 0, kind: 0, patience: 0, seq: 0, slot: 0, a: 0, b: 0 }
  #held = Buffer.alloc(0)
  #heldBytes = 0
  /** Bytes until what is held makes a whole frame, or the head that tells. */
  #wanted = FRAME_HEAD

  constructor(onFrame: (head: FrameHead, bytes: Buffer, start: number, end: number) => void) {
    this.#onFrame = onFrame
  }

  /** The next piece goes on with a frame that has begun. */
  get isAmid(): boolean {
    return this.#heldBytes > 0
  }

  /** Takes a piece of the stream. Copies what it keeps. Throws where a length is out of bounds. */
  push(piece: Buffer): void {
    let at = 0
    if (this.#heldBytes > 0) {
      at = this.#hold(piece, at)
      if (this.#heldBytes === FRAME_HEAD) {
        this.#wanted = FRAME_HEAD + lengthAt(this.#held, 0)
        at = this.#hold(piece, at)
      }
      if (this.#heldBytes < this.#wanted) return
      const held = this.#held
      this.#heldBytes = 0
      if (held.length > HELD_MAX) this.#held = Buffer.alloc(0)
      this.#tell(held, 0)
    }
    for (;;) {
      const left = piece.length - at
      this.#wanted = FRAME_HEAD
      if (left >= FRAME_HEAD) this.#wanted += lengthAt(piece, at)
      if (left < this.#wanted) break
      at = this.#tell(piece, at)
    }
    this.#hold(piece, at)
  }

  /** Keeps what is wanted of a piece, from `at` on, and says where it ends. There is never more room than twice what has come. */
  #hold(piece: Buffer, at: number): number {
    const end = Math.min(piece.length, at + this.#wanted - this.#heldBytes)
    const bytes = this.#heldBytes + end - at
    if (bytes > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(HELD_MIN, 2 * bytes))
      this.#held.copy(larger, 0, 0, this.#heldBytes)
      this.#held = larger
    }
    piece.copy(this.#held, this.#heldBytes, at, end)
    this.#heldBytes = bytes
    return end
  }

  /** Says where the frame ends. */
  #tell(bytes: Buffer, at: number): number {
    const head = this.#head
    const kinds = bytes.readUInt32LE(at + 4)
    head.length = bytes.readUInt32LE(at)
    head.kind = kinds & 0xff
    head.patience = (kinds >> 8) & 0xff
    head.seq = bytes.readUInt32LE(at + 8)
    head.slot = bytes.readUInt32LE(at + 12)
    head.a = bytes.readUInt32LE(at + 16)
    head.b = bytes.readUInt32LE(at + 20)
    const start = at + FRAME_HEAD
    const end = start + head.length
    this.#onFrame(head, bytes, start, end)
    return end
  }
}

function lengthAt(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32LE(at)
  if (length > FRAME_BYTES_MAX) throw new FrameError(`a frame of ${length} bytes`)
  return length
}
