/**
 * The first of a request's body, until it is enough to ask the origin: all of a small one, or a piece of a large one.
 *
 * Until then the request takes nothing of the origin's: a client that sends its body in drips would hold a connection there, and some
 * thousands of them all that there are. Where it is asked before the body is whole, `origin/call-queue.ts` keeps the half of them for others.
 */

const ENOUGH_BYTES = 16 * 1024

export class BodyStart {
  /** Of the whole body. */
  readonly total: number
  private readonly enough: number
  private bytes: Buffer | undefined
  private length = 0

  constructor(total: number) {
    this.total = total
    this.enough = Math.min(total, ENOUGH_BYTES)
  }

  /** Keeps a copy of the piece. Once there is enough it returns all that came, which is valid as long as the piece. */
  take(piece: Buffer): Buffer | undefined {
    const end = this.length + piece.length
    if (end >= this.enough)
      return this.bytes === undefined ? piece : Buffer.concat([this.bytes.subarray(0, this.length), piece])
    this.bytes ??= Buffer.allocUnsafeSlow(this.enough)
    piece.copy(this.bytes, this.length)
    this.length = end
    return undefined
  }
}
