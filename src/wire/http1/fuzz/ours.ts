/** Our own parsers, reading a stream that arrives in pieces, as the data plane does. */
import { ChunkedDecoder } from '../chunked.ts'
import type { Framing, HeaderList, WireProblem } from '../message.ts'
import { HeadMemo, parseRequestHead } from '../request-parser.ts'
import { parseResponseHead } from '../response-parser.ts'
import { newReading, type Message, type Reading } from './reading.ts'

const LIMITS = { headBytes: 16_000, targetBytes: 8000, headerCount: 1000 }

interface Head {
  readonly message: Message
  readonly framing: Framing
  readonly next: number
}

export function readWithOurs(
  kind: 'request' | 'response',
  pieces: readonly Buffer[],
  asked: string,
): Reading {
  return new StreamReader(kind, asked).read(pieces)
}

class StreamReader {
  private readonly kind: 'request' | 'response'
  private readonly asked: string
  private readonly reading = newReading()
  private readonly memo = new HeadMemo()
  private pending = Buffer.alloc(0)
  private scanned = 0
  private current: Message | undefined
  private left = 0
  private untilClose = false
  private decoder: ChunkedDecoder | undefined

  constructor(kind: 'request' | 'response', asked: string) {
    this.kind = kind
    this.asked = asked
  }

  read(pieces: readonly Buffer[]): Reading {
    const { reading } = this
    for (const piece of pieces) {
      const bytes = Buffer.concat([this.pending, piece])
      let at = 0
      while (at < bytes.length && reading.stopped === undefined) {
        const next = this.step(bytes, at)
        if (next === at) break
        at = next
      }
      this.pending = bytes.subarray(at)
    }
    if (reading.stopped === undefined && this.untilClose) this.complete([])
    return reading
  }

  private step(bytes: Buffer, at: number): number {
    if (this.current === undefined) return this.readHead(bytes, at)
    if (this.decoder !== undefined) return this.readChunked(this.decoder, bytes, at)
    const stop = this.untilClose ? bytes.length : Math.min(bytes.length, at + this.left)
    this.current.body += bytes.toString('latin1', at, stop)
    this.left -= stop - at
    if (!this.untilClose && this.left === 0) this.complete([])
    return stop
  }

  private readHead(bytes: Buffer, at: number): number {
    const head = this.kind === 'request' ? this.requestHead(bytes, at) : this.responseHead(bytes, at)
    if (head === 'more') {
      this.scanned = bytes.length - at
      return at
    }
    this.scanned = 0
    if ('reason' in head) {
      this.reading.stopped = head.reason
      return at
    }
    this.reading.messages.push(head.message)
    this.current = head.message
    const { framing } = head
    if (framing.kind === 'none' || (framing.kind === 'length' && framing.bytes === 0)) this.complete([])
    else if (framing.kind === 'length') this.left = framing.bytes
    else if (framing.kind === 'close') this.untilClose = true
    else this.decoder = new ChunkedDecoder(LIMITS)
    return head.next
  }

  private requestHead(bytes: Buffer, at: number): Head | WireProblem | 'more' {
    const result = parseRequestHead(bytes, at, bytes.length, LIMITS, this.memo, this.scanned)
    if (result.kind === 'more') return 'more'
    if (result.kind === 'problem') return result
    const { method, target, minor, headers, keepAlive, framing } = result.head
    return { message: message(`${method} ${target}`, minor, headers, keepAlive), framing, next: result.next }
  }

  private responseHead(bytes: Buffer, at: number): Head | WireProblem | 'more' {
    const result = parseResponseHead(bytes, at, bytes.length, LIMITS, this.asked, this.scanned)
    if (result.kind === 'more') return 'more'
    if (result.kind === 'problem') return result
    const { status, minor, headers, keepAlive, framing } = result.head
    return { message: message(String(status), minor, headers, keepAlive), framing, next: result.next }
  }

  private readChunked(decoder: ChunkedDecoder, bytes: Buffer, at: number): number {
    const message = this.current!
    const next = decoder.feed(bytes, at, bytes.length, (chunk) => (message.body += chunk.toString('latin1')))
    if (decoder.problem !== undefined) this.reading.stopped = decoder.problem.reason
    else if (decoder.done) this.complete(decoder.trailers)
    return next
  }

  private complete(trailers: HeaderList): void {
    const message = this.current!
    message.trailers = trailers
    message.isComplete = true
    this.current = undefined
    this.decoder = undefined
    this.untilClose = false
    // What follows is not read: the connection closes.
    if (!message.keepAlive) this.reading.stopped = 'close'
  }
}

function message(start: string, minor: number, headers: HeaderList, keepAlive: boolean): Message {
  return { start, minor, headers, keepAlive, body: '', trailers: [], isComplete: false }
}
