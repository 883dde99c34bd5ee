/**
 * A unit's `bodyFilter` as a link: one piece is with the unit, and no other is taken before it has answered.
 *
 * A unit with `buffer` is given the body whole. A unit that fails is out of the way for the rest of the body (`open`), or ends the
 * answer (`closed`). What it answers after the client has gone is thrown away.
 */
import { failurePolicy, type UnitVersion } from '../../contract/unit.ts'
import type { TripStep } from '../../contract/unit-runner.ts'
import type { HeaderList } from '../../wire/http1/message.ts'
import type { Exchange } from '../exchange.ts'
import { requestEdits, UnitTrip } from '../unit-trip.ts'
import type { BodyChain } from './chain.ts'
import { BodyLink } from './link.ts'
import { newPiece, pieceText } from './piece-text.ts'
import { wholeCharacters } from './utf8-cut.ts'

const NOTHING = Buffer.alloc(0)

/** What the links of one answer have in common. */
export interface FilterContext {
  readonly exchange: Exchange
  readonly meta: string
  /** `STATUS\nname: value\r\n…`, as the answer has it. */
  readonly response: string
}

/** What the unit says of pieces that are longer than it takes whole. */
export const tooLong = (unit: UnitVersion): string =>
  `the body is longer than its buffer of ${unit.manifest.buffer} bytes`

export class FilterLink extends BodyLink {
  /** Set by whoever makes the chain. */
  chain!: BodyChain
  private readonly context: FilterContext
  private step: TripStep
  private readonly isText: boolean
  /** Bytes that it takes whole; 0 where it takes them as they come. */
  private readonly bufferMax: number
  private readonly waiting: Buffer[] = []
  private waitingBytes = 0
  /** Bytes of a character that has not come whole. */
  private rest: Buffer = NOTHING
  private isAsked = false
  /** The next one is full. */
  private isFull = false
  private wasToldLast = false
  private isPassing = false
  private isClosed = false
  private trailers: HeaderList | undefined
  private isEnded = false

  constructor(context: FilterContext, step: TripStep) {
    super()
    this.context = context
    this.step = step
    this.isText = step.unit.manifest.chunks === 'text'
    this.bufferMax = step.unit.manifest.buffer ?? 0
  }

  write(piece: Buffer, isLast: boolean): boolean {
    if (this.isPassing) return this.next.write(piece, isLast)
    this.waiting.push(piece)
    this.waitingBytes += piece.length
    if (this.bufferMax > 0) {
      if (this.waitingBytes <= this.bufferMax) return true
      this.onTooLong()
      return !this.isFull
    }
    this.ask(isLast)
    return !this.isAsked && !this.isFull
  }

  end(trailers: HeaderList): void {
    this.trailers = trailers
    this.goOn()
  }

  flush(): void {
    if (!this.isAsked && this.bufferMax === 0) this.next.flush()
  }

  resume(): void {
    this.isFull = false
    this.goOn()
  }

  close(): void {
    this.isClosed = true
    this.waiting.length = 0
  }

  /** Does what can be done now: gives the unit the next piece, ends, or asks for more. */
  private goOn(): void {
    if (this.isClosed || this.isAsked || this.isEnded || this.isFull) return
    const hasMore = this.waiting.length > 0 || (this.trailers !== undefined && !this.wasToldLast)
    if (hasMore && !this.isPassing && (this.bufferMax === 0 || this.trailers !== undefined)) {
      this.ask(false)
      // Not even one character of a text has come.
      if (!this.isAsked) this.source.resume()
    } else if (this.trailers !== undefined) {
      this.isEnded = true
      this.next.end(this.trailers)
    } else {
      this.source.resume()
    }
  }

  private ask(isLast: boolean): void {
    if (this.isAsked || this.isFull) return
    this.wasToldLast = isLast || this.trailers !== undefined
    const piece = this.takePiece(this.wasToldLast)
    if (piece === undefined) return
    this.isAsked = true
    const { exchange, meta, response } = this.context
    const body = pieceText(piece, this.wasToldLast, this.isText)
    const edits = requestEdits(exchange.edits)
    const trip = new UnitTrip(exchange, [this.step], edits, response, body, meta, {
      onNext: ({ steps }) => this.answered(steps[0]!, piece.length > 0 ? [piece] : []),
      onAnswer: ({ steps }, answer) => this.answered(steps[0]!, newPiece(piece, answer)),
      onOpen: () => this.passOn(piece),
      onClosed: (unit, reason) => this.chain.failUnit(unit, reason),
    })
    exchange.node.runner.run(trip)
  }

  /** All that waits as one piece. Of a text, only whole characters; undefined where not even one has come. */
  private takePiece(isLast: boolean): Buffer | undefined {
    const { waiting, rest } = this
    const pieces = rest.length > 0 ? [rest, ...waiting] : waiting
    const whole = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
    waiting.length = 0
    this.waitingBytes = 0
    this.rest = NOTHING
    if (!this.isText || isLast) return whole
    const length = wholeCharacters(whole)
    if (length === whole.length) return whole
    this.rest = whole.subarray(length)
    return length === 0 ? undefined : whole.subarray(0, length)
  }

  private answered(step: TripStep, parts: readonly Buffer[]): void {
    if (this.isClosed) return
    this.isAsked = false
    // `lastGood`: the version before has taken over.
    this.step = step
    if (parts.length > 0) this.isFull = !this.next.writeParts(parts, this.wasToldLast)
    else if (!this.wasToldLast) this.next.flush()
    this.goOn()
  }

  /** The unit failed and is as if it were not there: this piece and all that follow are left alone. */
  private passOn(piece: Buffer): void {
    if (this.isClosed) return
    this.isAsked = false
    this.isPassing = true
    const pieces = [piece, this.rest, ...this.waiting].filter(({ length }) => length > 0)
    this.waiting.length = 0
    this.waitingBytes = 0
    this.rest = NOTHING
    for (const one of pieces) this.isFull = !this.next.write(one, false)
    this.goOn()
  }

  private onTooLong(): void {
    const { unit } = this.step
    this.context.exchange.node.runner.refused(unit, 'bodyFilter', 'buffer', tooLong(unit))
    if (failurePolicy(unit.manifest, 'bodyFilter') === 'open') {
      this.isPassing = true
      const pieces = this.waiting.splice(0)
      for (const piece of pieces) this.isFull = !this.next.write(piece, false)
    } else {
      this.chain.failUnit(unit.name, 'buffer')
    }
  }
}
