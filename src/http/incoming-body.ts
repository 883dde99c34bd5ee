/** The body of one request as it comes in: knows its framing, its limit and its end; hands pieces to whoever reads it. */
import type { Framing, HeaderList, RequestHead, WireProblem } from '../wire/http1/message.ts'
import { ChunkedDecoder } from '../wire/http1/chunked.ts'
import type { HeadLimits } from '../wire/http1/request-parser.ts'

/** Takes the body of a request, piece by piece. */
export interface BodyConsumer {
  /** The piece is valid until this returns. False pauses the client until `resumeBody`. */
  onBody(chunk: Buffer): boolean
  onBodyEnd(trailers: HeaderList): void
  /** The body is malformed, too long, too slow, or the client stopped in the middle. Nothing more comes. */
  onBodyProblem(status: WireProblem['status'], reason: string): void
}

/** An unread body up to this is read and thrown away, to keep the connection. */
const DISCARD_MAX = 64 * 1024

/** What a body is measured by. */
type BodyLimits = HeadLimits & { readonly bodyBytes: number; readonly body: number }

export class IncomingBody {
  /** It has not been read to its end. */
  isOpen = true
  /** The client waits for `100 Continue` before it sends. */
  isContinueOwed: boolean
  /** What ended it before its time. */
  problem: WireProblem | undefined = undefined
  trailers: HeaderList = []
  private readonly bytesMax: number
  private readonly chunked: ChunkedDecoder | undefined
  /** Bytes still to come, where the length is known. */
  private left: number
  private read = 0

  /** Milliseconds that the next piece may take. */
  readonly waitMs: number

  private constructor(framing: Framing, isContinueOwed: boolean, limits: BodyLimits) {
    this.bytesMax = limits.bodyBytes
    this.waitMs = limits.body
    this.isContinueOwed = isContinueOwed
    this.left = framing.kind === 'length' ? framing.bytes : 0
    this.chunked = framing.kind === 'chunked' ? new ChunkedDecoder(limits) : undefined
    if (this.left > this.bytesMax) this.problem = this.tooLong()
  }

  /** Undefined where the request has none. */
  static of(head: RequestHead, limits: BodyLimits): IncomingBody | undefined {
    const { framing } = head
    if (framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0)) return undefined
    return new IncomingBody(framing, head.expectContinue, limits)
  }

  /** What a client sends after a switch of protocols: all that comes, and whoever reads it watches the clock. */
  static endless(limits: HeadLimits): IncomingBody {
    const bytes = Number.POSITIVE_INFINITY
    return new IncomingBody({ kind: 'length', bytes }, false, { ...limits, bodyBytes: bytes, body: bytes })
  }

  /** It is short, of known length, and will surely come: one that waits for 100 may never be sent. */
  get canBeDiscarded(): boolean {
    return !this.isContinueOwed && this.chunked === undefined && this.left <= DISCARD_MAX
  }

  /**
   * Reads on and tells `consumer` the pieces; whether it wants more is in `wantsMore`. Returns the index of the first byte
   * that is not the body's. The end, or a problem, is for the caller to tell.
   */
  feed(bytes: Buffer, start: number, end: number, consumer: BodyConsumer): number {
    this.wantsMore = true
    return this.chunked === undefined
      ? this.feedLength(bytes, start, end, consumer)
      : this.feedChunks(this.chunked, bytes, start, end, consumer)
  }

  wantsMore = true

  private feedLength(bytes: Buffer, start: number, end: number, consumer: BodyConsumer): number {
    const stop = Math.min(end, start + this.left)
    this.left -= stop - start
    this.isOpen = this.left > 0
    this.wantsMore = consumer.onBody(bytes.subarray(start, stop))
    return stop
  }

  private feedChunks(
    decoder: ChunkedDecoder,
    bytes: Buffer,
    start: number,
    end: number,
    consumer: BodyConsumer,
  ): number {
    const next = decoder.feed(bytes, start, end, (chunk) => {
      this.read += chunk.length
      if (this.read <= this.bytesMax) this.wantsMore = consumer.onBody(chunk) && this.wantsMore
    })
    this.problem = decoder.problem ?? (this.read > this.bytesMax ? this.tooLong() : undefined)
    if (decoder.done && this.problem === undefined) {
      this.isOpen = false
      this.trailers = decoder.trailers
    }
    return next
  }

  private tooLong(): WireProblem {
    return { kind: 'problem', status: 413, reason: `the body may have ${this.bytesMax} bytes` }
  }
}
