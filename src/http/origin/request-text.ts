/** A request as it goes to an origin: its head, and the framing around the pieces of its body. */
import type { OriginRequest } from '../../contract/origin.ts'
import type { HeaderList } from '../../wire/http1/message.ts'
import {
  isHopByHop,
  serialiseChunkSize,
  serialiseLastChunk,
  serialiseRequestLine,
} from '../../wire/http1/serialise.ts'

/** Up to this a piece of a body is joined with its framing as one string, which Node writes without an allocation. */
const JOIN_MAX = 16 * 1024

/** Methods that say something with a body: without one they say `Content-Length: 0` (RFC 9110 §8.6), or some origins answer 411. */
const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH'])

/** The head, the empty line included. `authority` stands in where the request names no host. */
export function requestHeadText(request: OriginRequest, authority: string): string {
  const { method, headers, body } = request
  let text = serialiseRequestLine(method, request.target)
  let hasHost = false
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    // Framing is ours: whoever set it may have changed the body since.
    if (name === 'content-length' || isHopByHop(name)) continue
    if (name === 'host') hasHost = true
    text += `${name}: ${headers[i + 1]}\r\n`
  }
  if (!hasHost) text += `host: ${authority}\r\n`
  if (request.upgrade !== undefined) text += `connection: upgrade\r\nupgrade: ${request.upgrade}\r\n`
  if (body === 'chunked') return `${text}transfer-encoding: chunked\r\n\r\n`
  if (body !== 'none') return `${text}content-length: ${body}\r\n\r\n`
  return BODY_METHODS.has(method) ? `${text}content-length: 0\r\n\r\n` : `${text}\r\n`
}

/** A piece of the body, copied, as it goes out. Text is Latin-1. */
export function bodyPiece(chunk: Buffer, isChunked: boolean): string | Buffer {
  const before = isChunked ? serialiseChunkSize(chunk.length) : ''
  const after = isChunked ? '\r\n' : ''
  if (chunk.length <= JOIN_MAX) return before + chunk.toString('latin1') + after
  const whole = Buffer.allocUnsafeSlow(before.length + chunk.length + after.length)
  whole.write(before, 0, 'latin1')
  chunk.copy(whole, before.length)
  whole.write(after, before.length + chunk.length, 'latin1')
  return whole
}

/** What ends the body; empty where its length said so. */
export function bodyEnd(isChunked: boolean, trailers: HeaderList): string {
  return isChunked ? serialiseLastChunk(trailers) : ''
}
