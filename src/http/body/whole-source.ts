/** A body that is at hand (stored, or a unit's own), fed into a chain as it takes it. */
import { readIfWhole } from '../../base/send-file.ts'
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

  private readonly onBroken: () => void

  /** `onBroken`: it lies in a file that is not what it was. */
  constructor(body: BodyAtHand, onBroken: () => void) {
    this.body = body
    this.onBroken = onBroken
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
      const piece = this.read()
      if (piece === undefined) return
      this.at += piece.length
      wantsMore = this.chain.write(piece, this.at === body.length)
    }
    this.isFlowing = false
    if (this.at < body.length) return
    const { chain } = this
    this.chain = undefined
    chain?.end([])
  }

  private read(): Buffer | undefined {
    const { body, at } = this
    const piece = readIfWhole(body, at, Math.min(at + PIECE_BYTES, body.length))
    if (piece !== undefined) return piece
    const { chain } = this
    this.chain = undefined
    chain?.breakOff()
    this.onBroken()
    return undefined
  }

  abort(): void {
    this.chain = undefined
  }
}
