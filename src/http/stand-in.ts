/** A unit's answer in the place of an origin's: told to the same handler, piece by piece, as it can take them. */
import type { OriginCall, OriginHandler } from '../contract/origin.ts'
import { statusText } from '../wire/http1/serialise.ts'
import type { StandInAnswer } from './origin-units.ts'

const PIECE_BYTES = 64 * 1024

export class StandIn implements OriginCall {
  readonly connectMs = 0
  readonly responseMs = 0
  readonly endpoint = ''
  private readonly answer: StandInAnswer
  private readonly handler: OriginHandler
  private at = 0
  private isHeadTold = false
  private isFlowing = false
  private isOver = false

  constructor(answer: StandInAnswer, handler: OriginHandler) {
    this.answer = answer
    this.handler = handler
  }

  /** `hasBody`: the request's method asks for one. */
  start(hasBody: boolean): void {
    const { status, headers, body } = this.answer
    if (!hasBody) this.at = body.length
    this.isFlowing = true
    this.handler.onHead({
      status,
      reason: statusText(status),
      minor: 1,
      headers:
        status === 204 || status === 304 ? headers : [...headers, 'content-length', String(body.length)],
      framing: hasBody ? { kind: 'length', bytes: body.length } : { kind: 'none' },
      keepAlive: true,
      nominated: [],
    })
    this.isHeadTold = true
    this.flow()
  }

  private flow(): void {
    const { body } = this.answer
    while (this.isFlowing && !this.isOver && this.at < body.length) {
      const piece = body.subarray(this.at, this.at + PIECE_BYTES)
      this.at += piece.length
      this.isFlowing = this.handler.onData(piece)
    }
    if (this.isOver || this.at < body.length) return
    this.isOver = true
    this.handler.onEnd([])
  }

  resume(): void {
    this.isFlowing = true
    // Not from within a call of the handler: it is not told anything while it is being told something.
    if (this.isHeadTold) process.nextTick(() => this.flow())
  }

  abort(): void {
    this.isOver = true
  }

  /** Nobody reads the request's body. */
  write(): boolean {
    return true
  }

  end(): void {}
}
