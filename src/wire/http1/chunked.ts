/**
 * Chunked bodies (RFC 9112 §7.1), read in whatever pieces they arrive and handed on where they lie. Small chunks of one read are moved together
 * first: a sender of one-byte chunks would otherwise cost a write each.
 *
 * Strict, since a chunk size that two servers read differently is as good as two lengths: hexadecimal digits alone, no space around
 * them, CRLF exactly where it belongs. Extensions are checked, bounded over the whole body, and dropped. Trailers that would change how the
 * message is routed or trusted are dropped too; those that speak of framing are refused, as some servers act on them.
 */
import { CR, HEX, LF, TOKEN, VALUE } from './characters.ts'
import { INCOMPLETE, readFields, scanFields } from './fields.ts'
import { withoutFields, type HeaderList, type HeadLimits, type WireProblem } from './message.ts'
import { BARE_CR, BARE_LF, HEAD_TOO_LARGE, problem } from './problems.ts'

const NO_SIZE = problem(400, 'chunk without a size')
const BAD_SIZE = problem(400, 'chunk size that is not hexadecimal')
const SIZE_TOO_LARGE = problem(400, 'chunk size too large')
const BAD_EXTENSION = problem(400, 'malformed chunk extension')
const LONG_EXTENSIONS = problem(400, 'chunk extensions too long')
const NO_CHUNK_END = problem(400, 'chunk that is not followed by CRLF')
const FRAMING_TRAILER = problem(400, 'trailer that speaks of framing')
const TRAILERS_TOO_LARGE = problem(431, 'trailers too large')

/** 13 hexadecimal digits are 52 bits: numbers are exact up to there. */
const SIZE_DIGITS_MAX = 13
/** Of all chunks of a body together: a sender may not make us read much more than it sends. */
const EXTENSION_BYTES_MAX = 4096

const TRAILER_BYTES_MAX = 8192
/** A chunk up to this is moved to the end of the one before. */
const MOVE_BYTES_MAX = 1024

const SEMICOLON = 0x3b
const EQUALS = 0x3d
const QUOTE = 0x22
const BACKSLASH = 0x5c

// Where in the grammar the next byte stands.
const SIZE_START = 0
const SIZE = 1
const EXTENSION_NAME_START = 2
const EXTENSION_NAME = 3
const EXTENSION_VALUE_START = 4
const EXTENSION_TOKEN = 5
const EXTENSION_QUOTED = 6
const EXTENSION_ESCAPED = 7
const EXTENSION_QUOTE_END = 8
const SIZE_LF = 9
const DATA = 10
const DATA_CR = 11
const DATA_LF = 12
const TRAILERS = 13
const DONE = 14

const NO_TRAILERS: HeaderList = []

/** RFC 9110 §6.5.1: fields that are needed before the body, or that decide whom to believe. */
const FORBIDDEN_TRAILERS = new Set(
  `age authorization cache-control content-encoding content-location content-range content-type cookie date
  expect expires forwarded host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive location max-forwards pragma
  proxy-authenticate proxy-authentication-info proxy-authorization proxy-connection range retry-after set-cookie te trailer
  upgrade vary via warning www-authenticate x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-real-ip`.split(
    /\s+/,
  ),
)

/** llhttp, for one, closes on a `Connection` among the trailers and refuses the other two. */
const FRAMING_TRAILERS = new Set([
  'connection',
  'content-length',
  'transfer-encoding',
  'content_length',
  'transfer_encoding',
])

export class ChunkedDecoder {
  /** What is wrong with the body; nothing is read after it. */
  problem: WireProblem | undefined = undefined
  /** In lower case, those that are allowed. Whole when `done`. */
  trailers: HeaderList = NO_TRAILERS
  private readonly limits: Pick<HeadLimits, 'headBytes' | 'headerCount'>
  private state = SIZE_START
  /** Digits of the size read so far. */
  private digits = 0
  /** The size being read, then the bytes of the chunk still to come. */
  private left = 0
  private extensionBytes = 0
  /** The start of a trailer block that came in pieces. */
  private pending: Buffer | undefined = undefined

  constructor(limits: Pick<HeadLimits, 'headBytes' | 'headerCount'>) {
    this.limits = limits
  }

  /** The last chunk and the trailers were read. */
  get done(): boolean {
    return this.state === DONE
  }

  /**
   * Reads on, telling `sink` each piece of data, valid until it returns. Returns the index of the first byte that is not the body's:
   * `end`, unless the body is done or has a problem. What was read of `bytes` may be overwritten.
   */
  feed(bytes: Buffer, start: number, end: number, sink: (chunk: Buffer) => void): number {
    let at = start
    // Data that lies together and was not told yet.
    let from = start
    let to = start
    while (at < end && this.state !== DONE && this.problem === undefined) {
      if (this.state === DATA) {
        const stop = Math.min(end, at + this.left)
        this.left -= stop - at
        if (this.left === 0) this.state = DATA_CR
        if (to > from && stop - at <= MOVE_BYTES_MAX) {
          bytes.copyWithin(to, at, stop)
          to += stop - at
        } else {
          if (to > from) sink(bytes.subarray(from, to))
          from = at
          to = stop
        }
        at = stop
      } else if (this.state === TRAILERS) {
        at = this.readTrailers(bytes, at, end)
      } else {
        this.problem = this.step(bytes[at]!)
        at++
      }
    }
    if (to > from) sink(bytes.subarray(from, to))
    return at
  }

  /** One byte of what stands around the data. */
  private step(byte: number): WireProblem | undefined {
    switch (this.state) {
      case SIZE_START:
      case SIZE:
        return this.readSize(byte)
      case SIZE_LF:
        if (byte !== LF) return BARE_CR
        this.state = this.left === 0 ? TRAILERS : DATA
        return undefined
      case DATA_CR:
        if (byte !== CR) return NO_CHUNK_END
        this.state = DATA_LF
        return undefined
      case DATA_LF:
        if (byte !== LF) return NO_CHUNK_END
        this.state = SIZE_START
        return undefined
      default:
        return this.readExtension(byte)
    }
  }

  private readSize(byte: number): WireProblem | undefined {
    const digit = HEX[byte]!
    if (digit !== 255) {
      if (this.state === SIZE_START) {
        this.state = SIZE
        this.digits = 0
        this.left = 0
      }
      this.digits++
      if (this.digits > SIZE_DIGITS_MAX) return SIZE_TOO_LARGE
      this.left = this.left * 16 + digit
      return undefined
    }
    if (this.state === SIZE_START) return NO_SIZE
    if (byte === CR) this.state = SIZE_LF
    else if (byte === SEMICOLON) this.state = EXTENSION_NAME_START
    else return byte === LF ? BARE_LF : BAD_SIZE
    return undefined
  }

  /** RFC 9112 §7.1.1, without the optional white space, which some servers refuse: `;name`, `;name=token`, `;name="text"`. */
  private readExtension(byte: number): WireProblem | undefined {
    if (++this.extensionBytes > EXTENSION_BYTES_MAX) return LONG_EXTENSIONS
    const state = this.state
    if (state === EXTENSION_QUOTED) {
      if (byte === QUOTE) this.state = EXTENSION_QUOTE_END
      else if (byte === BACKSLASH) this.state = EXTENSION_ESCAPED
      else if (VALUE[byte] !== 1) return BAD_EXTENSION
      return undefined
    }
    if (state === EXTENSION_ESCAPED) {
      this.state = EXTENSION_QUOTED
      return VALUE[byte] === 1 ? undefined : BAD_EXTENSION
    }
    if (TOKEN[byte] === 1 && state !== EXTENSION_QUOTE_END) {
      if (state === EXTENSION_NAME_START) this.state = EXTENSION_NAME
      else if (state === EXTENSION_VALUE_START) this.state = EXTENSION_TOKEN
      return undefined
    }
    if (state === EXTENSION_VALUE_START) {
      this.state = EXTENSION_QUOTED
      return byte === QUOTE ? undefined : BAD_EXTENSION
    }
    if (state === EXTENSION_NAME_START) return BAD_EXTENSION
    if (byte === EQUALS && state === EXTENSION_NAME) this.state = EXTENSION_VALUE_START
    else if (byte === SEMICOLON) this.state = EXTENSION_NAME_START
    else if (byte === CR) this.state = SIZE_LF
    else return byte === LF ? BARE_LF : BAD_EXTENSION
    return undefined
  }

  /** Waits for the whole block, which is nearly always the empty line alone. */
  private readTrailers(bytes: Buffer, at: number, end: number): number {
    const before = this.pending?.length ?? 0
    const block = this.pending === undefined ? bytes : Buffer.concat([this.pending, bytes.subarray(at, end)])
    const start = this.pending === undefined ? at : 0
    const stop = this.pending === undefined ? end : block.length
    const next = scanFields(block, start, stop, this.limits.headerCount)
    if (typeof next !== 'number') {
      this.problem = next === HEAD_TOO_LARGE ? TRAILERS_TOO_LARGE : next
      return end
    }
    if ((next === INCOMPLETE ? stop : next) - start > Math.min(this.limits.headBytes, TRAILER_BYTES_MAX)) {
      this.problem = TRAILERS_TOO_LARGE
      return end
    }
    if (next === INCOMPLETE) {
      this.pending = Buffer.from(block.subarray(start, stop))
      return end
    }
    this.pending = undefined
    if (next - start > 2) this.takeTrailers(readFields(block.toString('latin1', start, next), start).headers)
    if (this.problem === undefined) this.state = DONE
    return at + (next - start - before)
  }

  private takeTrailers(received: HeaderList): void {
    if (received.some((text, at) => at % 2 === 0 && FRAMING_TRAILERS.has(text)))
      this.problem = FRAMING_TRAILER
    else this.trailers = allowedTrailers(received)
  }
}

/** Without what may not stand in trailers. */
export const allowedTrailers = (headers: HeaderList): HeaderList =>
  withoutFields(headers, (name) => FORBIDDEN_TRAILERS.has(name))
