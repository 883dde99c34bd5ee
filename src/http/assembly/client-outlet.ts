/** The client's side of an answer that is put together here: its head once, then its body as far as the client takes it. */
import type { HeaderList } from '../../wire/http1/message.ts'
import { fitsBody, hasNoBody, withLength } from '../body-fit.ts'
import type { BodyChain } from '../body/chain.ts'
import { startChain, transform } from '../body/transforms.ts'
import type { Answer } from '../answer.ts'
import type { Exchange } from '../exchange.ts'

export interface OutletEvents {
  /** The head is on its way, and the body may follow. */
  onOpen(): void
  /** After `write` said false. */
  onRoom(): void
  /** The client is gone, or wants no body: nothing more is taken. */
  onGone(): void
}

export class ClientOutlet {
  private readonly exchange: Exchange
  private readonly events: OutletEvents
  private chain: BodyChain | undefined
  /** Bytes of the body still to come, where that is known. */
  private left: number | undefined
  private isOpen = false
  private isOver = false

  constructor(exchange: Exchange, events: OutletEvents) {
    this.exchange = exchange
    this.events = events
    exchange.flow = { onDrain: () => events.onRoom(), onGone: () => this.onGone() }
  }

  /** `bytes`: the length of the body, which the fields name as well; undefined where it is not known. */
  open(answer: Answer, bytes: number | undefined): void {
    this.isOpen = true
    this.left = bytes
    const { exchange } = this
    exchange.finishHead(answer, (given, status, reason) => {
      if (this.isOver) return
      let fields = given
      // RFC 9110 §14.2: a range is one of the bytes as they are.
      if (exchange.mayTransform && status !== 206) {
        const outgoing = { status, reason, fields, bytes }
        const transformed = transform(exchange, outgoing)
        if (transformed === undefined) return
        if (transformed.links.length > 0 || transformed.coding !== undefined) {
          const { events } = this
          const source = { resume: () => events.onRoom(), abort: () => this.onGone() }
          const chain = startChain(exchange, outgoing, transformed, source)
          this.chain = chain
          events.onOpen()
          queueMicrotask(() => chain.flush())
          return
        }
        fields = exchange.finalFields = transformed.fields
      }
      this.startStream(fields, status, reason, answer.status)
    })
  }

  private startStream(given: string, status: number, reason: string, before: number): void {
    const { exchange, events } = this
    const { connection, head } = exchange
    const isHead = head.method === 'HEAD'
    const hasBody = !hasNoBody(before)
    const fits = fitsBody(hasBody, status, isHead)
    const fields = fits ? given : withLength(given, status, 0)
    if (!fits || !hasBody || isHead) {
      connection.startStream(`HTTP/1.1 ${status} ${reason}\r\n${fields}`, 'none')
      this.isOver = true
      exchange.flow = undefined
      connection.endStream([])
      exchange.done()
      events.onGone()
      return
    }
    const framing = this.left === undefined ? 'unknown' : 'length'
    connection.startStream(`HTTP/1.1 ${status} ${reason}\r\n${fields}`, framing)
    events.onOpen()
    // The first piece mostly comes with the head, in one write; a head alone does not wait for it.
    queueMicrotask(() => {
      if (!this.isOver) connection.flushHead()
    })
  }

  /** The same for bytes that nobody changes any more: they are not copied. */
  give(bytes: Buffer): boolean {
    if (this.isOver) return true
    if (this.left !== undefined) this.left -= bytes.length
    return this.chain?.write(bytes, this.left === 0) ?? this.exchange.connection.sendParts([bytes])
  }

  /** Copied, or passed on. False: no more until `onRoom`. */
  write(chunk: Buffer): boolean {
    if (this.isOver) return true
    if (this.left !== undefined) this.left -= chunk.length
    return this.chain?.write(Buffer.from(chunk), this.left === 0) ?? this.exchange.connection.sendChunk(chunk)
  }

  end(trailers: HeaderList): void {
    if (this.isOver) return
    this.isOver = true
    if (this.chain !== undefined) return this.chain.end(trailers)
    const { exchange } = this
    exchange.flow = undefined
    exchange.connection.endStream(trailers)
    exchange.done()
  }

  /** What the head promised does not come. Before it has left, `inWords` may say so. */
  breakOff(inWords: () => void): void {
    if (this.isOver) return
    this.isOver = true
    const { exchange } = this
    this.chain?.breakOff()
    exchange.flow = undefined
    if (exchange.connection.hasSentHead) exchange.connection.cut()
    else inWords()
  }

  /** Somebody else answers. False: it is too late for that. */
  release(): boolean {
    if (this.isOpen) return false
    this.isOver = true
    this.exchange.flow = undefined
    return true
  }

  private onGone(): void {
    if (this.isOver) return
    this.isOver = true
    this.events.onGone()
  }
}
