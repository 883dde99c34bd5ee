/**
 * A network between places that may lose, cut, delay and repeat, with chance out of a seed.
 *
 * It is TCP as programs see it: what was sent on a connection comes in order and whole, or the connection is over in the middle of it, or there
 * is silence. Of a request one cannot tell whether it came, where no answer does.
 */
import { EdgeError } from '../../src/base/errors.ts'
import type { FeedConnection } from '../../src/replication/control-transport.ts'
import type { Random } from '../../src/wire/http1/fuzz/random.ts'
import { SimulatedFeed } from './simulated-feed.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Shares, 0 to 1. */
export interface NetworkFaults {
  /** Of requests that come to nothing, or whose answer does. */
  readonly request: number
  /** Of requests that come twice, the second time much later. */
  readonly twice: number
  /** Of chunks in whose middle the connection is cut. */
  readonly cut: number
  /** Of chunks after which nothing is heard any more. */
  readonly silence: number
  /** Of messages that take seconds. */
  readonly slow: number
}

export const NO_FAULTS: NetworkFaults = { request: 0, twice: 0, cut: 0, silence: 0, slow: 0 }

/** Whoever lives at a place now; another one after a restart. */
interface Dweller {
  isAlive: boolean
}

/** TCP gives up after so long without an answer. */
export const GIVE_UP_MS = 60_000

export class Network {
  faults: NetworkFaults = NO_FAULTS
  readonly time: VirtualTime
  readonly random: Random
  readonly #dwellers = new Map<string, Dweller>()
  readonly #parted = new Set<string>()
  readonly #feeds = new Set<SimulatedFeed>()

  constructor(time: VirtualTime, random: Random) {
    this.time = time
    this.random = random
  }

  /** Somebody is there from now on. */
  enter(place: string): void {
    this.#dwellers.set(place, { isAlive: true })
  }

  /** Whoever was there is no more: nothing reaches it, and its connections are cut. */
  leave(place: string): void {
    const dweller = this.#dwellers.get(place)
    if (dweller) dweller.isAlive = false
    this.#dwellers.delete(place)
    for (const feed of this.#feeds) if (feed.server === place || feed.client === place) feed.sever()
  }

  part(a: string, b: string): void {
    this.#parted.add([a, b].toSorted().join(' '))
  }

  /** All places reach each other again. */
  join(): void {
    this.#parted.clear()
  }

  isParted(a: string, b: string): boolean {
    return this.#parted.has([a, b].toSorted().join(' '))
  }

  chance(fault: keyof NetworkFaults): boolean {
    return this.random.chance(this.faults[fault])
  }

  delayMs(): number {
    return this.chance('slow') ? 500 + this.random.below(4000) : 1 + this.random.below(15)
  }

  /** Does the work at the other place, once what is sent gets there: never, where nobody is there by then. */
  send(from: string, to: string, work: () => void, delayMs = this.delayMs()): void {
    const dweller = this.#dwellers.get(to)
    this.time.later(delayMs, () => {
      if (!dweller?.isAlive) return
      if (this.isParted(from, to)) return this.send(from, to, work, 100)
      work()
    })
  }

  /** Asks at the other place. Rejects where the connection broke or no answer came in time, and as `serve` does. */
  request<T>(from: string, to: string, serve: () => Promise<T>, timeoutMs: number): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const broken = () => reject(new ConnectionBroken(`the connection to ${to} broke`))
    const asking = this.#dwellers.get(from)
    // Not to whoever lives there next.
    const answer = (settle: () => void) => this.send(to, from, () => asking?.isAlive && settle())
    const ask = (settle: (work: () => void) => void) =>
      serve().then(
        (value) => settle(() => resolve(value)),
        (error: Error) => settle(() => reject(error)),
      )
    const callOff = this.time.later(timeoutMs, () => {
      if (asking?.isAlive)
        reject(new EdgeError('control-unreachable', `${to}: no answer within ${timeoutMs} ms`))
    })
    if (!this.#dwellers.has(to)) this.send(from, from, broken)
    else if (this.chance('request')) {
      switch (this.random.below(4)) {
        case 0: // It never gets there, and nobody is told.
          break
        case 1: // It never gets there.
          this.send(from, from, broken)
          break
        case 2: // It is done, and the answer is lost.
          this.send(from, to, () => void ask(() => {}))
          break
        default: // It is done, and the connection breaks.
          this.send(from, to, () => void ask(() => answer(broken)))
      }
    } else {
      this.send(from, to, () => void ask(answer))
      if (this.chance('twice')) this.send(from, to, () => void ask(() => {}), 20 + this.random.below(3000))
    }
    return promise.finally(callOff)
  }

  /** Opens a stream at the other place. */
  open(client: string, server: string, open: () => ReadableStream<Uint8Array>): FeedConnection {
    const feed: SimulatedFeed = new SimulatedFeed(this, client, server, () => this.#feeds.delete(feed))
    this.#feeds.add(feed)
    if (!this.#dwellers.has(server)) this.send(client, client, () => feed.sever())
    else this.send(client, server, () => feed.begin(open))
    return feed
  }
}

/** It may have been done, or not. */
export class ConnectionBroken extends Error {}
