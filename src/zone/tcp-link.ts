/** Messages over one TCP connection to another server (RFC 1035 §4.2.2), one after another, as fast as they are taken and no faster. */
import { connect, type Socket } from 'node:net'

export interface ServerAddress {
  readonly host: string
  readonly port: number
}

export interface LinkPatience {
  /** So long nothing may come, not even a part of a message. */
  readonly silenceMs: number
  /** So long the connection may last. */
  readonly wholeMs: number
}

/** So many bytes wait to be taken before no more are read from the socket. */
const WAITING_BYTES_MAX = 1024 * 1024

export class TcpLink {
  readonly #socket: Socket
  readonly #silenceMs: number
  readonly #end: NodeJS.Timeout
  #chunks: Buffer[] = []
  #bytes = 0
  #error: Error | undefined
  #isEnded = false
  #wake: (() => void) | undefined

  private constructor(socket: Socket, { silenceMs, wholeMs }: LinkPatience) {
    this.#socket = socket
    this.#silenceMs = silenceMs
    this.#end = setTimeout(() => socket.destroy(new Error(`it takes longer than ${wholeMs} ms`)), wholeMs)
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#bytes += chunk.length
      if (this.#bytes > WAITING_BYTES_MAX) socket.pause()
      this.#wake?.()
    })
    socket.on('connect', () => this.#wake?.())
    socket.on('end', () => this.#over())
    socket.on('close', () => this.#over())
    socket.on('error', (error) => {
      this.#error ??= error
      this.#wake?.()
    })
  }

  /** Rejects where nobody answers. */
  static async connect({ host, port }: ServerAddress, patience: LinkPatience): Promise<TcpLink> {
    const socket = connect({ host, port, noDelay: true })
    const link = new TcpLink(socket, patience)
    try {
      await link.#until(() => !socket.connecting, 'no connection')
      if (link.#error) throw link.#error
    } catch (error) {
      link.close()
      throw error
    }
    return link
  }

  send(message: Buffer): void {
    const frame = Buffer.allocUnsafe(message.length + 2)
    frame.writeUInt16BE(message.length)
    message.copy(frame, 2)
    this.#socket.write(frame)
  }

  /** The next message. Rejects where the connection ended or failed before it was whole, or nothing came for too long. */
  async next(): Promise<Buffer> {
    await this.#until(() => this.#bytes >= 2, 'the connection ended')
    const length = this.#peekLength()
    // What is long comes in pieces: each piece is a sign of life.
    while (this.#bytes < length + 2) {
      const { length: before } = this.#chunks
      await this.#until(() => this.#chunks.length > before, 'the connection ended in the middle of a message')
    }
    return this.#take(length + 2).subarray(2)
  }

  close(): void {
    clearTimeout(this.#end)
    this.#socket.destroy()
  }

  #over(): void {
    this.#isEnded = true
    this.#wake?.()
  }

  async #until(holds: () => boolean, otherwise: string): Promise<void> {
    if (holds()) return
    let timer: NodeJS.Timeout | undefined
    let isLate = false
    try {
      while (!holds()) {
        if (this.#error) throw this.#error
        if (this.#isEnded) throw new Error(otherwise)
        if (isLate) throw new Error(`${otherwise}: nothing came for ${this.#silenceMs} ms`)
        await new Promise<void>((resolve) => {
          this.#wake = resolve
          timer ??= setTimeout(() => {
            isLate = true
            this.#wake?.()
          }, this.#silenceMs)
        })
      }
    } finally {
      clearTimeout(timer)
      this.#wake = undefined
    }
  }

  #peekLength(): number {
    const [first] = this.#chunks
    if (first!.length >= 2) return first!.readUInt16BE(0)
    this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]!.readUInt16BE(0)
  }

  #take(bytes: number): Buffer {
    let whole = this.#chunks[0]!
    if (whole.length < bytes) {
      whole = Buffer.concat(this.#chunks)
      this.#chunks = []
    } else this.#chunks.shift()
    if (whole.length > bytes) this.#chunks.unshift(whole.subarray(bytes))
    this.#bytes -= bytes
    if (this.#bytes < WAITING_BYTES_MAX && this.#socket.isPaused()) this.#socket.resume()
    return whole.subarray(0, bytes)
  }
}
