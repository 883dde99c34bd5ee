/** Connections to one server, kept for as long as they are used. */
import type { Exchange } from './exchange.ts'
import { StreamLink, type UpstreamTls } from './stream-link.ts'
import { UpstreamError } from './upstream-error.ts'

const LINKS_MAX = 8
/** Questions that wait in a connection before another one is opened beside it. */
const CROWD = 16

export interface StreamPoolOptions {
  readonly expireMs: number
  readonly tls: UpstreamTls | undefined
  /** Zero: as many as there may be. */
  readonly linksMax: number
}

export class StreamPool {
  readonly #address: string
  readonly #port: number
  readonly #server: string
  readonly #expireMs: number
  readonly #tls: UpstreamTls | undefined
  readonly #linksMax: number
  readonly #links: StreamLink[] = []
  #isClosed = false

  constructor(address: string, port: number, server: string, { expireMs, tls, linksMax }: StreamPoolOptions) {
    this.#address = address
    this.#port = port
    this.#server = server
    this.#expireMs = expireMs
    this.#tls = tls
    this.#linksMax = linksMax > 0 ? Math.min(linksMax, LINKS_MAX) : LINKS_MAX
  }

  /** The connection that took it. With `isFresh`, one that is made for it. */
  send(exchange: Exchange, nowMs: number, isFresh: boolean): StreamLink {
    let best: StreamLink | undefined
    let open = 0
    for (const link of this.#links) {
      if (link.isClosed) continue
      open += 1
      if (link.isLeaving || link.isFull) continue
      if (!best || link.inFlight.size < best.inFlight.size) best = link
    }
    if ((isFresh || !best || best.inFlight.size >= CROWD) && open < this.#linksMax) {
      best = new StreamLink(this.#address, this.#port, this.#server, this.#tls, nowMs)
      this.#links.push(best)
    }
    if (!best)
      throw new UpstreamError('overloaded', `${this.#server}: too many questions wait for their answers`)
    best.send(exchange, nowMs)
    return best
  }

  sweep(nowMs: number): void {
    for (let index = this.#links.length - 1; index >= 0; index--) {
      const link = this.#links[index]!
      if (!link.isClosed) link.sweep(nowMs, this.#isClosed ? 0 : this.#expireMs)
      if (link.isClosed) this.#links.splice(index, 1)
    }
  }

  get inFlight(): number {
    let sum = 0
    for (const link of this.#links) sum += link.inFlight.size
    return sum
  }

  get sockets(): number {
    return this.#links.length
  }

  close(): void {
    this.#isClosed = true
    for (const link of this.#links) link.isLeaving = true
  }
}
