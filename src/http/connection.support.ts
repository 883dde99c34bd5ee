/** A server whose requests the tests beside this file answer themselves, on a clock of its own. */
import { connect } from 'node:net'
import * as v from 'valibot'
import { eventually } from '../../test/harness/eventually.ts'
import { CidrSet } from '../base/cidr.ts'
import { openListenSocket } from '../base/listen-socket.ts'
import { ListenList } from '../config/listen.ts'
import type { RequestHead } from '../wire/http1/message.ts'
import type { ServerConnection } from './connection.ts'
import { HttpMetrics } from './http-metrics.ts'
import { Http2Metrics } from './http2/metrics.ts'
import { type Door, HttpServer } from './server.ts'
import { TlsMetrics } from './tls-metrics.ts'

/** Minutes: a test that lets time run meets the one small limit that it brings. */
export const LIMITS = {
  headBytes: 2048,
  targetBytes: 512,
  headerCount: 20,
  bodyBytes: 200_000,
  idle: 600_000,
  head: 600_000,
  body: 600_000,
  connections: 100,
  streams: 10,
  handshake: 1000,
  handshakes: 10,
}

/** Closes the connection once it is answered. */
export const LAST = 'GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

export class TestServer {
  port = 0
  onRequest: (connection: ServerConnection, head: RequestHead) => void = () => {}
  readonly metrics = new HttpMetrics()
  /** What requests in progress were told. */
  readonly told = { gone: 0, drained: 0 }
  /**
   * What the server takes for the time: it stands still, so that a machine that does so ends nothing. Where it runs, each
   * look at it, which is each sweep, finds so much of it gone.
   */
  private readonly clock = { nowMs: 0, looks: 0, eachLookMs: 0 }
  private readonly server: HttpServer

  constructor(door?: Door) {
    this.server = new HttpServer({
      door,
      trust: { trusted: new CidrSet([]), from: 'either' },
      limits: LIMITS,
      listeners: v.parse(ListenList, '127.0.0.1:0'),
      metrics: this.metrics,
      tlsMetrics: new TlsMetrics(),
      http2Metrics: new Http2Metrics(),
      monotonic: () => {
        this.clock.looks += 1
        return (this.clock.nowMs += this.clock.eachLookMs)
      },
      onRequest: (connection, head) => {
        connection.attach({
          onDrain: () => (this.told.drained += 1),
          onGone: () => (this.told.gone += 1),
          bytesSent: 0,
          headBytes: 0,
          bytesReceived: 0,
        })
        this.onRequest(connection as ServerConnection, head)
      },
    })
  }

  closeBanned(): void {
    this.server.closeBanned()
  }

  async start(): Promise<void> {
    const socket = await openListenSocket({ host: '127.0.0.1', port: 0, reusePort: false, backlog: 128 })
    this.port = socket.port
    await this.server.listen(socket.fd, 0)
  }

  stop(): Promise<void> {
    return this.server.drain(0)
  }

  /** Lets time run while the work is done, against this limit alone. */
  async againstTime<T>(limit: Partial<typeof LIMITS>, work: () => Promise<T>): Promise<T> {
    this.server.limits = { ...LIMITS, ...limit }
    this.clock.eachLookMs = 250
    try {
      return await work()
    } finally {
      this.clock.eachLookMs = 0
      this.server.limits = LIMITS
    }
  }

  /** Resolves when the server has looked at its deadlines that much later. */
  async pass(ms: number): Promise<void> {
    this.clock.nowMs += ms
    const { looks } = this.clock
    await eventually(() => this.clock.looks > looks)
  }

  /** Sends the pieces, each after the one before was taken by the kernel; resolves to all that came until the end. */
  talk(...pieces: (string | Buffer)[]): Promise<string> {
    return new Promise((resolve) => {
      let text = ''
      const socket = connect(this.port, '127.0.0.1', async () => {
        for (const piece of pieces) {
          await new Promise((sent) => socket.write(piece, sent))
          await new Promise((later) => setImmediate(later))
        }
      })
      socket.setEncoding('latin1')
      socket.on('data', (chunk) => (text += String(chunk)))
      socket.on('error', () => {})
      socket.on('close', () => resolve(text))
    })
  }
}

export const ok = (connection: ServerConnection, body: string): void =>
  connection.sendWhole(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n`, body)
