/** One request over an HTTP/2 session of Node's client, and the whole answer. */
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2'

export interface Http2Answer {
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Interim answers that came before. */
  readonly hints: readonly IncomingHttpHeaders[]
  readonly trailers: IncomingHttpHeaders
}

export function askHttp2(
  session: ClientHttp2Session,
  headers: Record<string, string | string[]>,
  body?: Buffer | string,
  trailers?: Record<string, string>,
): Promise<Http2Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, {
      endStream: body === undefined,
      waitForTrailers: trailers !== undefined,
    })
    const pieces: Buffer[] = []
    const hints: IncomingHttpHeaders[] = []
    let got: IncomingHttpHeaders = {}
    let after: IncomingHttpHeaders = {}
    stream.on('headers', (more: IncomingHttpHeaders) => hints.push(more))
    stream.on('response', (given) => (got = given))
    stream.on('trailers', (given) => (after = given))
    stream.on('wantTrailers', () => stream.sendTrailers(trailers!))
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    stream.on('end', () => resolve({ headers: got, body: Buffer.concat(pieces), hints, trailers: after }))
    stream.on('error', reject)
    if (body !== undefined) stream.end(body)
  })
}
