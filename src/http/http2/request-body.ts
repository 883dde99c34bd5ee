/**
 * The body of one request as it comes in DATA frames: what waits for its reader, the window that the client has, and whether it is as
 * long as its head says.
 *
 * What the client sends waits here up to its window, and gives the window back as it is read.
 */
import type { HeaderList, RequestHead, WireProblem } from '../../wire/http1/message.ts'
import { ERROR } from '../../wire/http2/frames.ts'
import type { BodyConsumer } from '../incoming-body.ts'
import { ReceiveWindow } from './receive-window.ts'

/** What the client may send of a body before we read it. */
export const STREAM_WINDOW = 128 * 1024
/** Pieces that wait are put together up to this: frames of a byte would cost a hundred times what they carry. */
const PIECE_BYTES = 2048
const NOTHING = Buffer.alloc(0)

/** The stream that it belongs to. */
export interface BodyOwner {
  readonly bodyBytesMax: number
  bodyDeadline(): number
  /** Bytes were read: the connection has room for as many. */
  onRead(bytes: number): void
  /** The client may send so many more on this stream. */
  onWindow(bytes: number): void
  /** The body cannot be read on. `code` is undefined where the client hears of it by the answer alone. */
  onBodyFailed(code: number | undefined): void
  /** As above, where nobody reads it yet who could answer. */
  breakOff(code: number): void
}

export class RequestBody {
  /** Bytes that came. */
  received = 0
  /** The client has sent all of it. */
  hasEnded = false
  /** It was handed to its reader, to the end or to a problem. */
  isRead = false
  private readonly owner: BodyOwner
  private readonly head: RequestHead
  private readonly window = new ReceiveWindow(STREAM_WINDOW)
  private consumer: BodyConsumer | undefined
  private isPaused = false
  private waiting: Buffer[] = []
  /** What the last of `waiting` lies in, where it was put together: the rest of it is free. */
  private tail: Buffer = NOTHING
  private trailers: HeaderList = []
  private deadline = Number.POSITIVE_INFINITY

  constructor(owner: BodyOwner, head: RequestHead) {
    this.owner = owner
    this.head = head
  }

  read(consumer: BodyConsumer): void {
    this.consumer = consumer
    this.deadline = this.owner.bodyDeadline()
    this.deliver()
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.deadline = this.owner.bodyDeadline()
    this.deliver()
    this.payBack()
  }

  /** A DATA frame that counts so many bytes with its padding. False: it is more than the window allows. */
  receive(bytes: Buffer, counted: number, isEnd: boolean): boolean {
    if (!this.window.take(counted)) return false
    // Padding is read as soon as it comes.
    this.giveBack(counted - bytes.length)
    this.received += bytes.length
    if (isEnd) this.hasEnded = true
    if (this.isRead) {
      this.giveBack(bytes.length)
      return true
    }
    const problem = this.problemOfLength()
    if (problem !== undefined) {
      this.giveBack(bytes.length)
      this.fail(problem.status, problem.reason, problem.status === 400)
    } else if (this.consumer !== undefined && !this.isPaused && this.waiting.length === 0) {
      this.deadline = this.owner.bodyDeadline()
      this.hand(bytes)
      this.end()
    } else {
      this.keep(bytes)
    }
    return true
  }

  receiveTrailers(trailers: HeaderList): void {
    this.trailers = trailers
    this.receive(Buffer.alloc(0), 0, true)
  }

  /** RFC 9113 §8.1.1: a length that is not the body's is malformed. */
  private problemOfLength(): Omit<WireProblem, 'kind'> | undefined {
    const { framing } = this.head
    const { bodyBytesMax } = this.owner
    if (framing.kind === 'length' && this.received > framing.bytes)
      return { status: 400, reason: 'the body is longer than Content-Length says' }
    if (this.received > bodyBytesMax)
      return { status: 413, reason: `the body may have ${bodyBytesMax} bytes` }
    if (this.hasEnded && framing.kind === 'length' && this.received < framing.bytes)
      return { status: 400, reason: 'the body is shorter than Content-Length says' }
    return undefined
  }

  private keep(bytes: Buffer): void {
    if (bytes.length === 0) return
    const { waiting } = this
    const last = waiting.at(-1)
    if (last === undefined || last.length + bytes.length > PIECE_BYTES) {
      waiting.push(Buffer.from(bytes))
      return
    }
    if (last.buffer !== this.tail.buffer) {
      this.tail = Buffer.allocUnsafeSlow(PIECE_BYTES)
      last.copy(this.tail)
    }
    bytes.copy(this.tail, last.length)
    waiting[waiting.length - 1] = this.tail.subarray(0, last.length + bytes.length)
  }

  private deliver(): void {
    while (this.waiting.length > 0 && !this.isPaused && this.consumer !== undefined)
      this.hand(this.waiting.shift()!)
    this.end()
  }

  private hand(bytes: Buffer): void {
    if (bytes.length === 0) return
    if (!this.consumer!.onBody(bytes)) this.isPaused = true
    this.giveBack(bytes.length)
  }

  private end(): void {
    const { consumer } = this
    if (!this.hasEnded || this.isRead || consumer === undefined || this.waiting.length > 0) return
    this.isRead = true
    this.consumer = undefined
    this.deadline = Number.POSITIVE_INFINITY
    consumer.onBodyEnd(this.trailers)
  }

  /** It cannot be read on. Where it is malformed, the client is told so by a reset beside the status. */
  fail(status: WireProblem['status'], reason: string, isMalformed: boolean): void {
    const { consumer } = this
    this.release()
    if (consumer === undefined) {
      this.owner.breakOff(isMalformed ? ERROR.protocol : ERROR.cancel)
      return
    }
    this.owner.onBodyFailed(isMalformed ? ERROR.protocol : undefined)
    consumer.onBodyProblem(status, reason)
  }

  /** Nobody reads it any more. */
  release(): void {
    this.consumer = undefined
    this.isRead = true
    this.deadline = Number.POSITIVE_INFINITY
    for (const { length } of this.waiting) this.owner.onRead(length)
    this.waiting = []
  }

  checkDeadline(nowMs: number): void {
    if (nowMs < this.deadline || this.consumer === undefined || this.hasEnded) return
    this.deadline = this.owner.bodyDeadline()
    // Whoever is paused waits for us.
    if (!this.isPaused) this.fail(408, 'the body of the request did not arrive in time', false)
  }

  private giveBack(bytes: number): void {
    if (bytes === 0) return
    this.owner.onRead(bytes)
    if (this.hasEnded || this.isRead) return
    this.window.giveBack(bytes)
    this.payBack()
  }

  private payBack(): void {
    if (this.hasEnded || this.isRead || this.isPaused) return
    const bytes = this.window.payBack()
    if (bytes > 0) this.owner.onWindow(bytes)
  }
}
