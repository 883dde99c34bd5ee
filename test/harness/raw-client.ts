/** A client that sends exactly the bytes it is given: for what no well-behaved client would send. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** A machine may stand still for seconds, and more than once in a test. */
const WITHIN_MS = 120_000

export class RawClient {
  readonly socket: Socket
  #received = Buffer.alloc(0)
  #ended = false
  #error: Error | undefined
  #changed: (() => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    const changed = () => this.#changed?.()
    socket.on('data', (piece: Buffer) => {
      this.#received = Buffer.concat([this.#received, piece])
      changed()
    })
    socket.on('error', (error) => {
      this.#error = error
      changed()
    })
    socket.on('close', () => {
      this.#ended = true
      changed()
    })
  }

  /** `url` such as `http://127.0.0.1:8080`: only scheme, host and port count. Over HTTPS any certificate will do. */
  static async connect(url: string): Promise<RawClient> {
    const { protocol, hostname, port } = new URL(url)
    const place = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
    const isTls = protocol === 'https:'
    const socket = isTls ? connectTls({ ...place, rejectUnauthorized: false }) : connect(place)
    socket.setNoDelay(true)
    await new Promise<void>((resolve, reject) => {
      socket.once(isTls ? 'secureConnect' : 'connect', resolve)
      socket.once('error', reject)
    })
    return new RawClient(socket)
  }

  /** All that came and was not taken yet, a character a byte. */
  get received(): string {
    return this.#received.toString('latin1')
  }

  get isClosed(): boolean {
    return this.#ended
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Takes what came up to and with `mark`, waiting for it. */
  async readUntil(mark: string, withinMs = WITHIN_MS): Promise<string> {
    await this.#until(
      () => this.#received.includes(mark, 0, 'latin1'),
      withinMs,
      `no ${JSON.stringify(mark)}`,
    )
    return this.#take(this.#received.indexOf(mark, 0, 'latin1') + Buffer.byteLength(mark, 'latin1'))
  }

  async readBytes(count: number, withinMs = WITHIN_MS): Promise<string> {
    await this.#until(() => this.#received.length >= count, withinMs, `not ${count} bytes`)
    return this.#take(count)
  }

  /** One response by its own framing: a length, chunks, or none. Not for answers to HEAD. */
  async readResponse(withinMs = WITHIN_MS): Promise<string> {
    const head = await this.readUntil('\r\n\r\n', withinMs)
    if (/^HTTP\/1\.1 1\d\d/.test(head)) return head + (await this.readResponse(withinMs))
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (length !== undefined) return head + (await this.readBytes(Number(length), withinMs))
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) return head + (await this.#readChunks(withinMs))
    return /^HTTP\/1\.1 (?:204|304)/.test(head) ? head : head + (await this.readAll(withinMs))
  }

  /** All that comes until the other side closes. */
  async readAll(withinMs = WITHIN_MS): Promise<string> {
    await this.#until(() => this.#ended, withinMs, 'the connection stayed open')
    return this.#take(this.#received.length)
  }

  close(): void {
    this.socket.destroy()
  }

  async #readChunks(withinMs: number): Promise<string> {
    let text = ''
    for (;;) {
      const line = await this.readUntil('\r\n', withinMs)
      const size = Number.parseInt(line, 16)
      text += line
      if (size > 0) text += await this.readBytes(size + 2, withinMs)
      else for (let end = ''; end !== '\r\n'; text += end) end = await this.readUntil('\r\n', withinMs)
      if (size === 0) return text
    }
  }

  #take(count: number): string {
    const taken = this.#received.toString('latin1', 0, count)
    this.#received = this.#received.subarray(count)
    return taken
  }

  async #until(holds: () => boolean, withinMs: number, complaint: string): Promise<void> {
    const deadline = performance.now() + withinMs
    while (!holds()) {
      const left = deadline - performance.now()
      if (this.#ended || left <= 0) {
        const why = this.#ended
          ? `the connection closed${this.#error ? `: ${this.#error.message}` : ''}`
          : 'time is up'
        throw new Error(`${complaint}; ${why}; received: ${JSON.stringify(this.received.slice(0, 500))}`)
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#changed = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

/** Sends the bytes over a new connection and reads until the other side closes it. */
export async function exchange(
  url: string,
  bytes: string | Uint8Array,
  withinMs = WITHIN_MS,
): Promise<string> {
  const client = await RawClient.connect(url)
  try {
    client.send(bytes)
    return await client.readAll(withinMs)
  } finally {
    client.close()
  }
}
