/**
 * An answer that another request fetches, on its way to one client: its head at once, its body as it comes, at the pace of that client.
 *
 * Nothing of it can hold up the others, nor those the client: see `caching/arrival.ts`. What breaks off is cut, never ended in order.
 */
import { cacheStatusLine } from './cache-status-line.ts'
import { EdgeError } from '../base/errors.ts'
import { fitsBody, hasNoBody, withLength } from './body-fit.ts'
import { startChain, transform } from './body/transforms.ts'
import type { BodyChain } from './body/chain.ts'
import type { Arrival, ArrivalReader } from './caching/arrival.ts'
import { isNotModified } from './caching/conditional.ts'
import { EMPTY_BODY } from './caching/stored-body.ts'
import type { InProgress } from './connection-host.ts'
import type { Exchange } from './exchange.ts'

const PIECE_BYTES = 64 * 1024

/** Where the body goes: the connection, or what it has to pass before. */
interface Outlet {
  write(chunk: Buffer): boolean
  end(): void
}

export class FollowerFlow implements InProgress {
  private readonly exchange: Exchange
  private readonly arrival: Arrival
  private readonly reader: ArrivalReader
  private outlet: Outlet | undefined
  private chain: BodyChain | undefined
  private isWhole = false
  private isOver = false
  private isPumping = false
  /** The client takes no more for now. */
  private isStalled = false
  private hasDrained = false
  /** Bytes of the body still to go out, where that is known. */
  private left: number | undefined

  /** `member`: what `Cache-Status` says. */
  static start(exchange: Exchange, arrival: Arrival, member: string): void {
    const nowMs = exchange.node.now()
    const status = `age: ${arrival.ageSeconds(nowMs)}\r\n${cacheStatusLine(exchange, arrival.priorCacheStatus, member)}`
    if (isNotModified(exchange.headers, arrival, nowMs)) {
      const fields = arrival.notModifiedFields + status
      exchange.answerWhole({ status: 304, reason: 'Not Modified', fields, source: 'cache' }, '')
    } else if (exchange.head.method === 'HEAD') answerHead(exchange, arrival, arrival.fields + status)
    else new FollowerFlow(exchange, arrival).begin(arrival.fields + status)
  }

  private constructor(exchange: Exchange, arrival: Arrival) {
    this.exchange = exchange
    this.arrival = arrival
    this.left = arrival.bodyBytes
    this.reader = arrival.follow({
      onMore: () => this.pump(),
      onEnd: () => {
        this.isWhole = true
        this.pump()
      },
      onBroken: (error) => this.onBroken(error),
    })
  }

  private begin(given: string): void {
    const { exchange, arrival } = this
    exchange.flow = this
    const { status, reason } = arrival
    exchange.finishHead({ status, reason, fields: given, source: 'cache' }, (fields, status, reason) => {
      // It broke off while `headerFilter` was asked.
      if (this.isOver) return
      if (!exchange.mayTransform) return this.startStream(fields, status, reason)
      const outgoing = { status, reason, fields, bytes: arrival.bodyBytes }
      const transformed = transform(exchange, outgoing)
      if (transformed === undefined) return
      if (transformed.links.length === 0 && transformed.coding === undefined) {
        exchange.finalFields = transformed.fields
        return this.startStream(transformed.fields, status, reason)
      }
      const chain = startChain(exchange, outgoing, transformed, {
        resume: () => this.onDrain(),
        abort: () => this.onGone(),
      })
      this.chain = chain
      this.open({
        write: (chunk) => chain.write(chunk, this.left === 0),
        end: () => chain.end([]),
      })
      if (!this.isOver) queueMicrotask(() => chain.flush())
    })
  }

  private startStream(fields: string, status: number, reason: string): void {
    const { exchange, arrival } = this
    const { connection } = exchange
    const hasBody = !hasNoBody(arrival.status)
    const fits = fitsBody(hasBody, status, false)
    const framing = !fits || !hasBody ? 'none' : arrival.bodyBytes === undefined ? 'unknown' : 'length'
    connection.startStream(
      `HTTP/1.1 ${status} ${reason}\r\n${fits ? fields : withLength(fields, status, 0)}`,
      framing,
    )
    const end = (): void => {
      exchange.flow = undefined
      connection.endStream([])
      exchange.done()
    }
    if (framing === 'none') {
      this.close()
      return end()
    }
    this.open({ write: (chunk) => connection.sendChunk(chunk), end })
    // The first piece goes with the head, in one write; a head alone does not wait for it.
    queueMicrotask(() => {
      if (!this.isOver) connection.flushHead()
    })
  }

  private open(outlet: Outlet): void {
    this.outlet = outlet
    this.pump()
  }

  /** What is here goes out, as far as the client takes it. */
  private readonly pump = (): void => {
    if (this.isPumping || this.isStalled || this.isOver || this.outlet === undefined) return
    this.isPumping = true
    // Writing may end in `onGone`: then there is no more.
    while (!this.isStalled && this.reader.left > 0) {
      const piece = this.reader.read(PIECE_BYTES)
      if (piece === undefined) return this.onBroken(undefined)
      if (this.left !== undefined) this.left -= piece.length
      this.hasDrained = false
      const takesMore = this.outlet.write(piece)
      // It may have been told of room while it wrote.
      this.isStalled = !takesMore && !this.hasDrained
    }
    this.isPumping = false
    if (this.isOver || !this.isWhole || this.reader.left > 0) return
    this.close()
    this.outlet.end()
  }

  onDrain(): void {
    this.isStalled = false
    this.hasDrained = true
    // A fast client has room again at once: the others have their turn between two pieces.
    if (this.reader.left > 0) setImmediate(this.pump)
    else this.pump()
  }

  onGone(): void {
    this.close()
  }

  private onBroken(error: EdgeError | undefined): void {
    if (this.isOver) return
    this.close()
    const { exchange } = this
    this.chain?.breakOff()
    exchange.flow = undefined
    if (exchange.connection.hasSentHead) exchange.connection.cut()
    else
      exchange.answerOriginError(
        error ?? new EdgeError('origin-closed', 'the request that fetched the answer broke off'),
      )
  }

  private close(): void {
    this.isOver = true
    this.reader.close()
  }
}

/** A HEAD is told what a GET would be. */
function answerHead(exchange: Exchange, arrival: Arrival, given: string): void {
  const { status, reason, bodyBytes } = arrival
  exchange.finishHead({ status, reason, fields: given, source: 'cache' }, (fields, status, reason) => {
    const outgoing = { status, reason, fields, bytes: bodyBytes }
    const left = exchange.mayTransform ? exchange.sendTransformed(outgoing, EMPTY_BODY) : fields
    if (left === undefined) return
    exchange.connection.sendWhole(`HTTP/1.1 ${status} ${reason}\r\n${left}`, '')
    exchange.done()
  })
}
