/** A body that is at hand (stored, or a unit's own), fed into a chain as it takes it. */
import type { BodyChain, ChainSource } from './chain.ts'

const PIECE_BYTES = 64 * 1024

/** Bytes that stay as they are until the answer is out. */
export interface BodyAtHand {
  readonly length: number
  read(start: number, end: number): Buffer
}

export class WholeSource implements ChainSource {
  private readonly body: BodyAtHand
  private chain: BodyChain | undefined
  private at = 0
  private isFlowing = false

  constructor(body: BodyAtHand) {
    this.body = body
  }

  start(chain: BodyChain): void {
    this.chain = chain
    this.resume()
  }

  resume(): void {
    // A link may ask for more while it is being given some.
    if (this.isFlowing) return
    this.isFlowing = true
    const { body } = this
    let wantsMore = true
    while (wantsMore && this.chain !== undefined && this.at < body.length) {
      const piece = body.read(this.at, Math.min(this.at + PIECE_BYTES, body.length))
      this.at += piece.length
      wantsMore = this.chain.write(piece, this.at === body.length)
    }
    this.isFlowing = false
    if (this.at < body.length) return
    const { chain } = this
    this.chain = undefined
    chain?.end([])
  }

  abort(): void {
    this.chain = undefined
  }
}
