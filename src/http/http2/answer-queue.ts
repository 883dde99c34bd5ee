/** What of an answer waits for windows or the socket: pieces that nobody changes, or a stored body, which is read as it leaves. */
import type { StoredBody } from '../caching/stored-body.ts'

export class AnswerQueue {
  bytes = 0
  private pieces: Buffer[] = []
  /** Of the first piece, what has left. */
  private at = 0
  private readonly stored: StoredBody | undefined

  constructor(stored?: StoredBody, part = stored?.whole) {
    this.stored = stored
    if (part === undefined) return
    this.at = part.start
    this.bytes = part.end - part.start
  }

  push(piece: Buffer): void {
    this.pieces.push(piece)
    this.bytes += piece.length
  }

  /** Up to so many bytes; never none. Undefined: they lie in a file that is not what it was. */
  take(bytesMax: number): Buffer | undefined {
    const piece = this.stored === undefined ? this.takePiece(bytesMax) : this.takeStored(bytesMax)
    this.bytes -= piece?.length ?? 0
    return piece
  }

  private takeStored(bytesMax: number): Buffer | undefined {
    const piece = this.stored!.readIfWhole(this.at, this.at + Math.min(bytesMax, this.bytes))
    this.at += piece?.length ?? 0
    return piece
  }

  private takePiece(bytesMax: number): Buffer {
    const first = this.pieces[0]!
    const piece = first.subarray(this.at, this.at + bytesMax)
    this.at += piece.length
    if (this.at === first.length) {
      this.pieces.shift()
      this.at = 0
    }
    return piece
  }
}
