/**
 * Sockets to one server: a question goes out of one by chance, and a socket serves so many questions and so long. So a forger has to guess the
 * port as well as the id (RFC 5452 §9.2), and no question pays for a socket of its own.
 */
import type { Exchange } from './exchange.ts'
import { random16 } from './exchange.ts'
import { UDP_IN_FLIGHT_MAX, UdpLink } from './udp-link.ts'
import { UpstreamError } from './upstream-error.ts'

/** Sockets that take questions. */
const LINKS = 8
/** With those that wait for their last answers. */
const LINKS_MAX = 64
/** Questions a socket takes before another port is used. */
const QUESTIONS_A_PORT = 128

export class UdpPool {
  readonly #address: string
  readonly #port: number
  readonly #server: string
  readonly #expireMs: number
  readonly #links: (UdpLink | undefined)[] = Array.from({ length: LINKS })
  readonly #leaving: UdpLink[] = []
  #isClosed = false

  constructor(address: string, port: number, server: string, expireMs: number) {
    this.#address = address
    this.#port = port
    this.#server = server
    this.#expireMs = expireMs
  }

  /** True where a socket that was open took it. */
  send(exchange: Exchange, nowMs: number): boolean {
    const slot = random16() % LINKS
    let link = this.#links[slot]
    if (link && this.#isWorn(link, nowMs)) {
      this.#part(link)
      link = undefined
      this.#links[slot] = undefined
    }
    const isReused = link !== undefined
    link ??= this.#open(nowMs)
    this.#links[slot] = link
    link.send(exchange)
    return isReused
  }

  /** Ends what waited too long, and closes what nobody needs. */
  sweep(nowMs: number): void {
    for (const [slot, link] of this.#links.entries()) {
      if (!link) continue
      expire(link, nowMs, this.#server)
      if (!link.isClosed && !this.#isClosed && nowMs - link.openedMs <= this.#expireMs) continue
      this.#links[slot] = undefined
      this.#part(link)
    }
    for (let index = this.#leaving.length - 1; index >= 0; index--) {
      const link = this.#leaving[index]!
      expire(link, nowMs, this.#server)
      if (!link.isClosed && link.inFlight.size > 0) continue
      link.close()
      this.#leaving.splice(index, 1)
    }
  }

  get inFlight(): number {
    let sum = 0
    for (const link of this.#links) sum += link?.inFlight.size ?? 0
    for (const link of this.#leaving) sum += link.inFlight.size
    return sum
  }

  get sockets(): number {
    return this.#links.filter((link) => link !== undefined).length + this.#leaving.length
  }

  /** Sockets close once their answers have come. */
  close(): void {
    this.#isClosed = true
  }

  #isWorn(link: UdpLink, nowMs: number): boolean {
    return (
      link.isClosed ||
      link.taken >= QUESTIONS_A_PORT ||
      link.inFlight.size >= UDP_IN_FLIGHT_MAX ||
      nowMs - link.openedMs > this.#expireMs
    )
  }

  #part(link: UdpLink): void {
    if (link.inFlight.size === 0) link.close()
    else this.#leaving.push(link)
  }

  #open(nowMs: number): UdpLink {
    if (this.#leaving.length >= LINKS_MAX - LINKS)
      throw new UpstreamError('overloaded', `${this.#server}: too many questions wait for their answers`)
    return new UdpLink(this.#address, this.#port, this.#server, nowMs)
  }
}

function expire(link: UdpLink, nowMs: number, server: string): void {
  for (const [id, exchange] of link.inFlight) {
    if (exchange.deadlineMs > nowMs) continue
    link.inFlight.delete(id)
    exchange.reject(timedOut(exchange, server))
  }
}

export const timedOut = ({ mismatches }: Exchange, server: string): UpstreamError =>
  mismatches === 0
    ? new UpstreamError('timeout', `${server}: no answer in time`)
    : new UpstreamError(
        'mismatch',
        `${server}: no answer in time but ${mismatches} to another question than was asked`,
      )
