/** An HTTP/2 client that sends exactly the frames it is given, over TLS or without: for what no well-behaved client would send. */
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { FRAME, PREFACE, settingsFrame } from '../../src/wire/http2/frames.ts'
import { HpackDecoder } from '../../src/wire/http2/hpack-decoder.ts'
import { encodeField } from '../../src/wire/http2/hpack-encoder.ts'
import { eventually } from './eventually.ts'

/** Names and values in turn, as a block of HPACK. */
export function block(...fields: readonly string[]): string {
  let text = ''
  for (let i = 0; i < fields.length; i += 2) text += encodeField(fields[i]!, fields[i + 1]!)
  return text
}

/** The four pseudo-headers of a request. */
export const request = (method: string, path = '/', scheme = 'http'): readonly string[] => [
  ':method',
  method,
  ':scheme',
  scheme,
  ':path',
  path,
  ':authority',
  'a.test',
]

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export class FrameClient {
  readonly frames: Frame[] = []
  isClosed = false
  readonly socket: Socket
  private readonly statuses = new Map<number, string>()
  private readonly decoder = new HpackDecoder()
  private rest = Buffer.alloc(0)

  /** `begin`: what is sent at once; the preface and empty SETTINGS unless given. */
  constructor(t: TestContext, url: string, begin = PREFACE + settingsFrame([])) {
    const { protocol, port } = new URL(url)
    const place = { host: '127.0.0.1', port: Number(port) }
    this.socket =
      protocol === 'https:'
        ? connectTls({ ...place, ALPNProtocols: ['h2'], rejectUnauthorized: false })
        : connect(place)
    this.socket.on('error', () => {}).on('close', () => (this.isClosed = true))
    this.socket.on('data', (bytes: Buffer) => this.take(bytes))
    t.after(() => this.socket.destroy())
    this.send(begin)
  }

  send(text: string): void {
    if (!this.socket.destroyed) this.socket.write(text, 'latin1')
  }

  private take(bytes: Buffer): void {
    this.rest = Buffer.concat([this.rest, bytes])
    while (this.rest.length >= 9) {
      const end = 9 + this.rest.readUIntBE(0, 3)
      if (this.rest.length < end) return
      const frame: Frame = {
        type: this.rest[3]!,
        flags: this.rest[4]!,
        stream: this.rest.readUInt32BE(5),
        payload: this.rest.subarray(9, end),
      }
      this.frames.push(frame)
      if (frame.type === FRAME.headers) this.readHead(frame)
      this.rest = this.rest.subarray(end)
    }
  }

  private readHead({ stream, payload }: Frame): void {
    const fields = this.decoder.decode(payload, { bytes: 1e6, count: 1000 })
    if (fields[0] === ':status' && !this.statuses.has(stream)) this.statuses.set(stream, fields[1]!)
  }

  of(type: number, stream = 0): Frame[] {
    return this.frames.filter((frame) => frame.type === type && frame.stream === stream)
  }

  /** The first frame of this kind, once it has come. */
  frame(type: number, stream: number, what: string): Promise<Frame> {
    return eventually(() => this.of(type, stream)[0], { what })
  }

  /** The status of a stream's answer, once it has come. */
  status(stream: number): Promise<string> {
    return eventually(() => this.statuses.get(stream), {
      what: `an answer on stream ${stream} came`,
    })
  }

  async reset(stream: number): Promise<number> {
    const frame = await this.frame(FRAME.rstStream, stream, `a reset of stream ${stream} came`)
    return frame.payload.readUInt32BE(0)
  }

  async goaway(): Promise<number> {
    return (await this.frame(FRAME.goaway, 0, 'GOAWAY came')).payload.readUInt32BE(4)
  }

  /** Bytes of the answer's body so far. */
  bodyOf(stream: number): Buffer {
    return Buffer.concat(this.of(FRAME.data, stream).map(({ payload }) => payload))
  }

  async closed(what: string): Promise<void> {
    await eventually(() => this.isClosed, { what: `${what}: the connection was closed` })
  }
}
