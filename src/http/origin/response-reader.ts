/**
 * Turns the bytes of one connection into one answer at a time. No I/O.
 *
 * What follows an answer belongs to nobody: one request is out at a time, so there is no second answer to expect. The reader says whether
 * an answer ended exactly where the bytes did, and a connection on which it did not is not used again.
 */
import { ChunkedDecoder } from '../../wire/http1/chunked.ts'
import type { HeaderList, ResponseHead, WireProblem } from '../../wire/http1/message.ts'
import { parseResponseHead } from '../../wire/http1/response-parser.ts'

/** Told in the order of `OriginHandler`. Pieces are valid until the call returns. */
export interface ResponseSink {
  onInformational(head: ResponseHead): void
  onHead(head: ResponseHead): void
  onData(chunk: Buffer): void
  /** `isClean`: no byte came after the answer. */
  onEnd(trailers: HeaderList, isClean: boolean): void
  onProblem(problem: WireProblem): void
}

/** Where the reader stands, for those who must say what an early end means. */
export type ReaderState = 'idle' | 'head' | 'length' | 'chunked' | 'close' | 'tunnel'

/** Origins are ours or our customers': generous, but bounded. */
const LIMITS = { headBytes: 64 * 1024, headerCount: 512 }

/** Interim answers before one answer: a few hints, not a stream that nobody can hold back. */
const INTERIM_MAX = 32

const UNEXPECTED_UPGRADE: WireProblem = { kind: 'problem', status: 400, reason: '101 that nobody asked for' }
const TOO_MANY_INTERIM: WireProblem = { kind: 'problem', status: 400, reason: 'too many interim answers' }
const NO_TRAILERS: HeaderList = []

export class ResponseReader {
  state: ReaderState = 'idle'
  /** No byte of the answer has come. */
  isUntouched = true
  /** Of a body of known length: bytes still to come. */
  left = 0
  private readonly sink: ResponseSink
  private method = ''
  private mayUpgrade = false
  private leftover: Buffer | undefined = undefined
  private scanned = 0
  private interim = 0
  private decoder: ChunkedDecoder | undefined = undefined

  constructor(sink: ResponseSink) {
    this.sink = sink
  }

  /** Expects the answer to a request with that method, which may be a switch to another protocol. */
  begin(method: string, mayUpgrade = false): void {
    this.mayUpgrade = mayUpgrade
    this.state = 'head'
    this.isUntouched = true
    this.interim = 0
    this.method = method
  }

  /** Expects nothing more: the one who asked went away. Safe to call from within the sink. */
  stop(): void {
    this.state = 'idle'
    this.leftover = undefined
    this.scanned = 0
    this.decoder = undefined
  }

  feed(bytes: Buffer, end: number): void {
    this.isUntouched = false
    if (this.leftover !== undefined) {
      bytes = Buffer.concat([this.leftover, bytes.subarray(0, end)])
      end = bytes.length
      this.leftover = undefined
    }
    let at = 0
    while (at < end && this.state !== 'idle') at = this.read(bytes, at, end)
  }

  /** The connection ended in order. True: so did the answer, and `onEnd` was told. */
  endOfInput(): boolean {
    if (this.state !== 'close' && this.state !== 'tunnel') return false
    this.finish(NO_TRAILERS, true)
    return true
  }

  private read(bytes: Buffer, at: number, end: number): number {
    switch (this.state) {
      case 'head':
        return this.readHead(bytes, at, end)
      case 'length': {
        const stop = Math.min(end, at + this.left)
        this.left -= stop - at
        this.sink.onData(bytes.subarray(at, stop))
        if (this.left === 0 && this.state === 'length') this.finish(NO_TRAILERS, stop === end)
        return stop
      }
      case 'chunked':
        return this.readChunked(bytes, at, end)
      default:
        this.sink.onData(bytes.subarray(at, end))
        return end
    }
  }

  private readHead(bytes: Buffer, at: number, end: number): number {
    const result = parseResponseHead(bytes, at, end, LIMITS, this.method, this.scanned)
    if (result.kind === 'more') {
      this.scanned = end - at
      this.leftover = Buffer.from(bytes.subarray(at, end))
      return end
    }
    this.scanned = 0
    if (result.kind === 'problem') return this.fail(result, end)
    const { head, next } = result
    if (head.status === 101) {
      if (!this.mayUpgrade) return this.fail(UNEXPECTED_UPGRADE, end)
      this.state = 'tunnel'
    } else if (head.status < 200) {
      if (++this.interim > INTERIM_MAX) return this.fail(TOO_MANY_INTERIM, end)
      this.sink.onInformational(head)
      return next
    }
    const { framing } = head
    if (framing.kind === 'length' && framing.bytes > 0) {
      this.left = framing.bytes
      this.state = 'length'
    } else if (framing.kind === 'chunked') {
      this.decoder = new ChunkedDecoder(LIMITS)
      this.state = 'chunked'
    } else if (framing.kind === 'close') {
      this.state = 'close'
    }
    this.sink.onHead(head)
    // Still at the head: there is no body. The compiler does not see that `onHead` may have stopped the reader.
    if ((this.state as ReaderState) === 'head') this.finish(NO_TRAILERS, next === end)
    return next
  }

  private readChunked(bytes: Buffer, at: number, end: number): number {
    const decoder = this.decoder!
    const next = decoder.feed(bytes, at, end, (chunk) => {
      if (this.state === 'chunked') this.sink.onData(chunk)
    })
    if (this.state !== 'chunked') return end
    if (decoder.problem !== undefined) return this.fail(decoder.problem, end)
    if (decoder.done) this.finish(decoder.trailers, next === end)
    return next
  }

  private finish(trailers: HeaderList, isClean: boolean): void {
    this.stop()
    this.sink.onEnd(trailers, isClean)
  }

  private fail(problem: WireProblem, end: number): number {
    this.stop()
    this.sink.onProblem(problem)
    return end
  }
}
