/**
 * Bytes that lie one after the other in several stored bodies, which they hold until they are closed.
 *
 * So parts are put together without a copy, however often another one comes.
 */
import type { StoredBody } from '../stored-body.ts'

/** The bytes of a body from `start` to before `end`. */
export interface BodyPiece {
  readonly body: StoredBody
  readonly start: number
  readonly end: number
}

export class JoinedBytes {
  readonly length: number
  readonly pieces: readonly BodyPiece[]
  /** Where each piece begins. */
  readonly #starts: readonly number[]

  constructor(pieces: readonly BodyPiece[]) {
    this.pieces = pieces
    let length = 0
    this.#starts = pieces.map(({ start, end }) => {
      const at = length
      length += end - start
      return at
    })
    this.length = length
    for (const { body } of pieces) body.hold()
  }

  /** Bytes from `start` to before `end`, not to be changed. */
  read(start: number, end: number): Buffer {
    const found = this.slice(start, Math.min(end, this.length))
    const [first] = found
    if (found.length === 1) return first!.body.read(first!.start, first!.end)
    return Buffer.concat(found.map((piece) => piece.body.read(piece.start, piece.end)))
  }

  /** The pieces that make up the bytes from `start` to before `end`. */
  slice(start: number, end: number): BodyPiece[] {
    const found: BodyPiece[] = []
    this.pieces.forEach((piece, i) => {
      const at = this.#starts[i]!
      const from = Math.max(start, at)
      const to = Math.min(end, at + piece.end - piece.start)
      if (from < to)
        found.push({ body: piece.body, start: piece.start + from - at, end: piece.start + to - at })
    })
    return found
  }

  /** What the bodies take that it holds, all of them, even where little of them is meant. */
  get memoryBytes(): number {
    let bytes = 0
    for (const body of new Set(this.pieces.map((piece) => piece.body))) bytes += body.memoryBytes
    return bytes
  }

  close(): void {
    for (const { body } of this.pieces) body.release()
  }
}
