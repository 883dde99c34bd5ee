/**
 * Heads and trailers of a connection: gathered from HEADERS and CONTINUATION (RFC 9113 §4.3), and read.
 *
 * Each block has to be decoded, also of a stream that is no more: the table of HPACK is common to all of them.
 * Clients repeat themselves, so a block that is the same as the last, with the same table, is not decoded again.
 */
import { allowedTrailers } from '../../wire/http1/chunked.ts'
import type { HeaderList, RequestHead, WireProblem } from '../../wire/http1/message.ts'
import { HEAD_TOO_LARGE } from '../../wire/http1/problems.ts'
import { ERROR, FLAG, FRAME_BYTES_MAX } from '../../wire/http2/frames.ts'
import { HpackDecoder } from '../../wire/http2/hpack-decoder.ts'
import { parseHttp2Head, parseHttp2Trailers } from '../../wire/http2/request-head.ts'
import type { ConnectionLimits } from '../connection-host.ts'
import { ConnectionError } from './connection-error.ts'
import { checkDependency, unpadded } from './frame-shape.ts'

/** CONTINUATION frames of one head. An honest client needs three for the largest. */
const CONTINUATIONS_MAX = 16
/** Blocks longer than this are not kept to compare. */
const MEMO_BYTES_MAX = 2048

interface OpenBlock {
  readonly stream: number
  readonly isEnd: boolean
  readonly pieces: Buffer[]
  bytes: number
}

export class HeadReader {
  /** A head that has begun: until it ends, nothing else may come. */
  open: OpenBlock | undefined
  /** What was read last asks for a head alone; known of one that is malformed too. */
  isHeadRequest = false
  /** Its limits may change while the connection lives. */
  private readonly host: { readonly limits: ConnectionLimits }
  private readonly decoder = new HpackDecoder()
  private memoBlock = ''
  private memoGeneration = -1
  private memoHead: RequestHead | undefined

  constructor(host: { readonly limits: ConnectionLimits }) {
    this.host = host
  }

  /** A HEADERS frame: its block, or undefined where it goes on. */
  begin(flags: number, id: number, payload: Buffer): Buffer | undefined {
    let block = unpadded(flags, payload)
    if ((flags & FLAG.priority) !== 0) {
      if (block.length < 5) throw new ConnectionError(ERROR.frameSize, 'HEADERS too short')
      checkDependency(id, block)
      block = block.subarray(5)
    }
    if ((flags & FLAG.endHeaders) !== 0) return block
    const isEnd = (flags & FLAG.endStream) !== 0
    this.open = { stream: id, isEnd, pieces: [Buffer.from(block)], bytes: block.length }
    return undefined
  }

  /** A CONTINUATION frame: the whole block, or undefined where it still goes on. */
  continue(flags: number, payload: Buffer): Buffer | undefined {
    const { open } = this
    if (open === undefined) throw new ConnectionError(ERROR.protocol, 'CONTINUATION of nothing')
    open.bytes += payload.length
    open.pieces.push(Buffer.from(payload))
    if (open.pieces.length > CONTINUATIONS_MAX || open.bytes > this.host.limits.headBytes + FRAME_BYTES_MAX)
      throw new ConnectionError(ERROR.enhanceYourCalm, 'a head that does not end')
    if ((flags & FLAG.endHeaders) === 0) return undefined
    this.open = undefined
    return Buffer.concat(open.pieces)
  }

  /** `isEnd`: no body follows. */
  readRequest(block: Buffer, isEnd: boolean): RequestHead | WireProblem {
    const { decoder } = this
    const { limits } = this.host
    const text = isEnd && block.length <= MEMO_BYTES_MAX ? block.toString('latin1') : ''
    if (text !== '' && text === this.memoBlock && decoder.generation === this.memoGeneration)
      return this.memoHead!
    const { generation } = decoder
    const fields = this.decode(block)
    const at = fields.indexOf(':method')
    this.isHeadRequest = at >= 0 && fields[at + 1] === 'HEAD'
    if (decoder.isTooLarge) return HEAD_TOO_LARGE
    const head = parseHttp2Head(fields, isEnd, limits)
    if ('kind' in head) return head
    if (head.headers.length > limits.headerCount * 2) return HEAD_TOO_LARGE
    if (text !== '' && decoder.generation === generation) {
      this.memoBlock = text
      this.memoGeneration = generation
      this.memoHead = head
    }
    return head
  }

  /** The trailers that may pass on; undefined where they are malformed or too long. */
  readTrailers(block: Buffer): HeaderList | undefined {
    const fields = this.decode(block)
    const trailers = this.decoder.isTooLarge ? undefined : parseHttp2Trailers(fields)
    return trailers && allowedTrailers(trailers)
  }

  /** What is of no use but to the table. */
  skip(block: Buffer): void {
    this.decode(block)
  }

  private decode(block: Buffer): string[] {
    // Pseudo-headers and pieces of cookies are not fields of the request.
    const { headBytes, headerCount } = this.host.limits
    return this.decoder.decode(block, { bytes: headBytes, count: headerCount * 2 })
  }
}
