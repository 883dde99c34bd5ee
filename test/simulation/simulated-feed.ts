/** One connection of the simulated network on which a stream comes: in order, in pieces, until it is cut somewhere or there is silence. */
import type { FeedConnection } from '../../src/replication/control-transport.ts'
import { GIVE_UP_MS, type Network } from './network.ts'

/** Pieces that are on their way at once: what a window of TCP is. */
const WINDOW = 3

export class SimulatedFeed implements FeedConnection {
  readonly chunks: AsyncIterable<Uint8Array>
  readonly client: string
  readonly server: string
  readonly #network: Network
  readonly #onEnd: () => void
  readonly #arrived: Uint8Array[] = []
  #error: Error | undefined
  /** The server said that this is all. */
  #isWhole = false
  #wakeClient = () => {}
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #underWay = 0
  #wakeServer = () => {}
  #lastAtMs = 0
  readonly #underWayWork: (() => void)[] = []
  #isSilent = false
  #isOver = false

  constructor(network: Network, client: string, server: string, onEnd: () => void) {
    this.#network = network
    this.client = client
    this.server = server
    this.#onEnd = onEnd
    this.chunks = this.#read()
  }

  /** At the server. */
  begin(open: () => ReadableStream<Uint8Array>): void {
    if (this.#isOver) return
    try {
      this.#reader = open().getReader()
    } catch (error) {
      this.#deliver(() => this.#fail(error as Error))
      return
    }
    void this.#serve(this.#reader)
  }

  cut(reason = new Error('it was cut from here')): void {
    if (this.#isOver) return
    this.#fail(reason)
    this.#leaveServer()
  }

  /** One end is no more. */
  sever(): void {
    if (this.#isOver) return
    // What was sent before it may have come, or not.
    const error = new Error('connection reset')
    this.#network.send(this.server, this.client, () => this.#fail(error))
    this.#network.send(this.client, this.server, () => this.#endServer())
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#arrived.shift()
      if (chunk) yield chunk
      else if (this.#error) throw this.#error
      else if (this.#isWhole) return
      else await new Promise<void>((resolve) => (this.#wakeClient = resolve))
    }
  }

  async #serve(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const { random } = this.#network
    try {
      while (!this.#isOver) {
        if (this.#underWay >= WINDOW) {
          await new Promise<void>((resolve) => (this.#wakeServer = resolve))
          continue
        }
        const { done, value } = await reader.read()
        if (done) return this.#deliver(() => this.#end())
        if (this.#network.chance('silence')) {
          this.#isSilent = true
          this.#leaveServer()
        }
        if (this.#network.chance('cut')) {
          this.#piece(value.subarray(0, random.below(value.length)))
          this.#deliver(() => this.#fail(new Error('connection reset')))
          return this.#leaveServer()
        }
        const at = random.chance(0.3) ? random.below(value.length) : 0
        if (at > 0) this.#piece(value.subarray(0, at))
        this.#piece(value.subarray(at))
      }
    } catch (error) {
      this.#deliver(() => this.#fail(error as Error))
    }
  }

  #piece(bytes: Uint8Array): void {
    this.#underWay++
    this.#deliver(() => {
      this.#underWay--
      this.#arrived.push(bytes)
      this.#wakeClient()
      this.#wakeServer()
    })
  }

  /** At the client, behind what was sent before. */
  #deliver(work: () => void): void {
    const { time } = this.#network
    this.#lastAtMs = Math.max(this.#lastAtMs, time.monotonic() + this.#network.delayMs())
    this.#underWayWork.push(work)
    const arrive = () => {
      if (this.#isSilent || this.#isOver) return
      // What comes first is what was sent first, however long one of them waited.
      if (!this.#network.isParted(this.server, this.client)) this.#underWayWork.shift()?.()
      else time.later(100, arrive)
    }
    time.later(this.#lastAtMs - time.monotonic(), arrive)
  }

  #fail(error: Error): void {
    this.#error ??= error
    this.#end()
  }

  /** At the client. */
  #end(): void {
    this.#isWhole = true
    this.#isOver = true
    this.#wakeClient()
    this.#onEnd()
  }

  /** The server notices that nobody is there: soon, or, where nothing gets through, when it gives up. */
  #leaveServer(): void {
    const { time, random } = this.#network
    const isDeaf = this.#isSilent || this.#network.isParted(this.server, this.client)
    time.later(isDeaf ? GIVE_UP_MS : random.below(50), () => this.#endServer())
  }

  #endServer(): void {
    this.#wakeServer()
    void this.#reader?.cancel().catch(() => undefined)
  }
}
