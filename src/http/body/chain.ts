/**
 * The chain of links behind one answer, and its two ends: a source that is paused and resumed, and the connection.
 *
 * The head of the answer leaves with the first piece that comes out, or when nothing is under way. Until then a failure can still be
 * told in words; after it, the connection is cut.
 */
import type { FailureReason } from '../../contract/unit.ts'
import type { HeaderList } from '../../wire/http1/message.ts'
import type { InProgress } from '../connection-host.ts'
import type { Exchange } from '../exchange.ts'
import type { BodyLink, BodySource, BodyTarget } from './link.ts'

/** Where the body of an answer comes from. */
export interface ChainSource extends BodySource {
  /** Nobody wants it any more. */
  abort(): void
}

export class BodyChain implements InProgress {
  private readonly exchange: Exchange
  private readonly links: readonly BodyLink[]
  private readonly source: ChainSource
  private readonly first: BodyTarget
  private readonly last: BodyLink
  private isOver = false

  /** `head` is the status line and headers, without framing. At least one link. */
  constructor(exchange: Exchange, head: string, links: readonly BodyLink[], source: ChainSource) {
    this.exchange = exchange
    this.links = links
    this.source = source
    this.first = links[0]!
    this.last = links.at(-1)!
    const outlet = new Outlet(exchange, head, () => (this.isOver = true))
    links.forEach((link, i) => link.join(links[i - 1] ?? source, links[i + 1] ?? outlet))
    exchange.flow = this
  }

  write(piece: Buffer, isLast: boolean): boolean {
    return this.isOver || this.first.write(piece, isLast)
  }

  end(trailers: HeaderList): void {
    if (!this.isOver) this.first.end(trailers)
  }

  flush(): void {
    if (!this.isOver) this.first.flush()
  }

  onDrain(): void {
    if (!this.isOver) this.last.resume()
  }

  onGone(): void {
    if (this.isOver) return
    this.close()
    this.source.abort()
  }

  /** The source broke off: what has gone out is not whole. */
  breakOff(): void {
    if (this.isOver) return
    this.close()
    this.exchange.flow = undefined
  }

  /** A unit failed, and its policy is `closed`. */
  failUnit(unit: string, reason: FailureReason): void {
    if (this.isOver) return
    this.onGone()
    this.exchange.flow = undefined
    this.exchange.failUnit(unit, reason)
  }

  /** The body is not what it says it is. */
  failBody(detail: string): void {
    if (this.isOver) return
    this.onGone()
    const { exchange } = this
    exchange.flow = undefined
    exchange.node.warn(`${exchange.method} ${exchange.head.authority}${exchange.target}: ${detail}`)
    if (exchange.connection.hasSentHead) exchange.connection.cut()
    else exchange.withoutTransforms().answerError(502, detail)
  }

  private close(): void {
    this.isOver = true
    for (const link of this.links) link.close()
  }
}

/** The connection as the last target. */
class Outlet implements BodyTarget {
  private readonly exchange: Exchange
  private readonly head: string
  private readonly onEnd: () => void
  private isStarted = false

  constructor(exchange: Exchange, head: string, onEnd: () => void) {
    this.exchange = exchange
    this.head = head
    this.onEnd = onEnd
  }

  write(piece: Buffer): boolean {
    return this.writeParts([piece])
  }

  writeParts(parts: readonly Buffer[]): boolean {
    this.start()
    return this.exchange.connection.sendParts(parts)
  }

  end(trailers: HeaderList): void {
    this.start()
    this.onEnd()
    this.exchange.flow = undefined
    const { exchange } = this
    exchange.connection.endStream(
      exchange.debug === undefined ? trailers : [...trailers, ...exchange.debugTrailers()],
    )
    exchange.done()
  }

  flush(): void {
    this.start()
    this.exchange.connection.flushHead()
  }

  private start(): void {
    if (this.isStarted) return
    this.isStarted = true
    this.exchange.connection.startStream(this.head, 'unknown')
  }
}
