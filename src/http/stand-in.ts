/** A unit's answer in the place of an origin's: told to the same handler, piece by piece, as it can take them. */
import type { OriginCall, OriginHandler } from '../contract/origin.ts'
import type { FailureReason } from '../contract/unit.ts'
import { hasNoBody } from './body-fit.ts'
import type { UnitBodySink } from '../contract/unit-runner.ts'
import { statusText } from '../wire/http1/serialise.ts'
import type { StandInAnswer } from './origin-units.ts'
import { CLIENT_GONE } from './unit-trip.ts'
import { UnitFailure } from './unit-failure.ts'

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
    const { status, headers, body, bytes, stream } = this.answer
    if (!hasBody) this.at = body.length
    this.isFlowing = true
    // An answer to HEAD has mostly none at hand whose length could be told.
    const isAtHand = stream === undefined && (hasBody || body.length > 0)
    const length = hasNoBody(status) ? undefined : isAtHand ? body.length : bytes
    this.handler.onHead({
      status,
      reason: statusText(status),
      minor: 1,
      headers: length === undefined ? headers : [...headers, 'content-length', String(length)],
      framing: !hasBody
        ? { kind: 'none' }
        : length === undefined
          ? { kind: 'chunked' }
          : { kind: 'length', bytes: length },
      keepAlive: true,
      nominated: [],
    })
    this.isHeadTold = true
    if (stream === undefined || !hasBody) {
      stream?.cancel('the answer has no body')
      this.flow()
    } else if (!this.isOver) {
      stream.start(this.sink)
    }
  }

  /** For a unit that streams. */
  private readonly sink: UnitBodySink = {
    write: (piece) => this.isOver || this.handler.onData(piece),
    end: () => {
      this.isOver = true
      this.handler.onEnd([])
    },
    fail: (reason: FailureReason) => {
      this.isOver = true
      this.handler.onError(new UnitFailure(this.answer.unit, reason))
    },
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
    const { stream } = this.answer
    // Not from within a call of the handler: it is not told anything while it is being told something.
    if (this.isHeadTold) process.nextTick(() => (stream === undefined ? this.flow() : stream.resume()))
  }

  abort(): void {
    this.isOver = true
    this.answer.stream?.cancel(CLIENT_GONE)
  }

  /** Nobody reads the request's body. */
  write(): boolean {
    return true
  }

  end(): void {}
}
