/** DNS over HTTPS (RFC 8484), over HTTP/2 and HTTP/1.1, on an address of its own. */
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { formatIp, parseIp } from '../../base/ip-address.ts'
import { DOH_MEDIA_TYPE, dohQuery, freshSeconds } from '../../wire/dns/doh.ts'
import { MESSAGE_BYTES_MAX } from '../../wire/dns/message.ts'
import type { DnsPeer } from '../query.ts'
import { Admission, type Seat, USUAL_CONNECTIONS } from './admission.ts'
import type { Answering } from './answering.ts'
import type { TlsIdentity } from './tls-identity.ts'

export const DOH_PATH = '/dns-query'
/** Streams of one HTTP/2 connection at once. */
const STREAMS_MAX = 100
const HEADER_BYTES_MAX = 16 * 1024

export class HttpsServer {
  readonly server: Http2SecureServer
  readonly #answering: Answering
  readonly #admission: Admission

  constructor(answering: Answering, identity: TlsIdentity) {
    this.#answering = answering
    const { idleMs, readMs } = answering.endpoint.timeouts
    this.server = createSecureServer({
      allowHTTP1: true,
      ...identity.serverOptions(),
      maxSessionMemory: 1,
      settings: { maxConcurrentStreams: STREAMS_MAX, maxHeaderListSize: HEADER_BYTES_MAX },
    })
    identity.follow(this.server)
    this.server.setTimeout(idleMs + readMs)
    this.#admission = new Admission({ ...USUAL_CONNECTIONS, beginMs: idleMs + readMs })
    this.server.on('connection', (socket: Socket) => void this.#admission.admit(socket))
    this.server.on('secureConnection', (socket: TLSSocket) => {
      const seat = this.#admission.seatOf(socket)
      if (seat && identity.admits(socket)) seat.hasBegun()
      else socket.destroy()
    })
    this.server.on('sessionError', () => undefined)
    this.server.on('tlsClientError', (_, socket: Socket) => socket.destroy())
    this.server.on('timeout', (session: { destroy(): void }) => session.destroy())
    this.server.on(
      'request',
      (request: Http2ServerRequest, response: Http2ServerResponse) => void this.#take(request, response),
    )
  }

  async #take(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    const seat = this.#seatOf(request)
    if (!seat) {
      response.destroy()
      return
    }
    seat.use()
    seat.pending += 1
    await this.#respond(request, response)
    seat.pending -= 1
  }

  #seatOf(request: Http2ServerRequest): Seat | undefined {
    try {
      return this.#admission.seatOf(request.socket)
    } catch {
      // The connection has gone meanwhile: that is how HTTP/2 says it.
      return undefined
    }
  }

  async #respond(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    try {
      const [path, query = ''] = request.url.split('?', 2)
      if (path !== DOH_PATH) {
        fail(response, 404, `queries are taken at ${DOH_PATH}`)
        return
      }
      const body = await bodyOf(request)
      if (!body) {
        fail(response, 413, `a message has at most ${MESSAGE_BYTES_MAX} bytes`)
        return
      }
      const asked = dohQuery(request.method, query, request.headers['content-type'], body)
      if (!Buffer.isBuffer(asked)) {
        if (asked.status === 405) response.setHeader('allow', 'GET, HEAD, POST')
        fail(response, asked.status, asked.detail)
        return
      }
      const answer = await this.#answering.answerBytes(asked, peerOf(request, this.#answering.endpoint.label))
      if (!answer) {
        fail(response, 403, 'no answer for this client')
        return
      }
      response.statusCode = 200
      response.setHeader('content-type', DOH_MEDIA_TYPE)
      response.setHeader('content-length', answer.length)
      response.setHeader('cache-control', `max-age=${freshSeconds(answer)}`)
      if (request.method === 'HEAD') response.end()
      else response.end(answer)
    } catch {
      // The client went away, or sent what HTTP does not allow.
      response.destroy()
    }
  }

  async close(withinMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    const timer = setTimeout(() => {
      for (const socket of this.#admission.sockets) socket.destroy()
    }, withinMs)
    await this.#answering.idle(withinMs)
    // Connections that only wait for more.
    setImmediate(() => {
      for (const socket of this.#admission.sockets) socket.destroySoon()
    })
    await closed
    clearTimeout(timer)
  }
}

function fail(response: Http2ServerResponse, status: number, detail: string): void {
  response.statusCode = status
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end(`${detail}\n`)
}

/** Undefined where it is longer than a message. */
async function bodyOf(request: Http2ServerRequest): Promise<Buffer | undefined> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length
    if (length > MESSAGE_BYTES_MAX) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

function peerOf({ socket }: Http2ServerRequest, server: string): DnsPeer {
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket
  const [address, local] = [parseIp(remoteAddress.split('%')[0]!), parseIp(localAddress.split('%')[0]!)]
  return {
    transport: 'https',
    isUdp: false,
    isProven: true,
    server,
    ip: () => (address ? formatIp(address) : remoteAddress),
    port: () => remotePort,
    localIp: () => (local ? formatIp(local) : localAddress),
    localPort: () => localPort,
  }
}
