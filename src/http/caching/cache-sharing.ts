/** What a cache has, or is being sent, for those who do not fetch it for a client of their own: HEAD, a refresh, another worker. */
import type { RequestHead } from '../../wire/http1/message.ts'
import type { Arrival } from './arrival.ts'
import type { CacheFill } from './fill.ts'
import { flightAddress, type Flight, type Flights, type OnSettled, type Waiting } from './flights.ts'
import { asksForFresher, type Stale } from './lookup.ts'
import { readTerms } from './request-terms.ts'
import type { Shelf } from './shelf.ts'
import type { StoredResponse } from './stored-response.ts'

export interface Known {
  readonly vary: readonly string[]
  readonly isUnshared: boolean
}

export interface CacheSharingParts {
  readonly shelf: Shelf
  readonly flights: Flights
  /** What is stored, in memory or behind it, where memory has nothing fresh. Who keeps it for longer than this turn holds it. */
  find(key: string, head: RequestHead, nowMs: number): StoredResponse | undefined
  openFill(
    key: string,
    head: RequestHead,
    nowMs: number,
    flight: Flight | undefined,
    stale: StoredResponse | undefined,
  ): CacheFill
  onJoined(): void
}

export class CacheSharing {
  readonly #parts: CacheSharingParts

  constructor(parts: CacheSharingParts) {
    this.#parts = parts
  }

  /** For a request that would fetch nothing that can be kept (HEAD): what another one fetches; undefined where nobody does. */
  joinLed(
    key: string,
    head: RequestHead,
    nowMs: number,
    deadlineMs: number,
    onSettled: OnSettled,
  ): Waiting | Arrival | undefined {
    if (asksForFresher(readTerms(head).control)) return undefined
    const address = flightAddress(key, head)
    const vary = this.#parts.shelf.varyOf(key)
    const seat = this.#parts.flights.joinLed(address, head.headers, vary, nowMs, deadlineMs, onSettled)
    if (seat !== undefined) this.#parts.onJoined()
    return seat
  }

  /** To fetch it for nobody but the cache: undefined where somebody does, or where it was seen lately that it cannot be shared. */
  lead(key: string, head: RequestHead, found: Stale, nowMs: number): CacheFill | undefined {
    const address = flightAddress(key, head)
    const flight = this.#parts.flights.lead(address, head.headers, this.#parts.shelf.varyOf(key), nowMs)
    return flight && this.#parts.openFill(key, head, nowMs, flight, found.entry)
  }

  /**
   * For another worker of the node: what is here for a request with these headers that says nothing to the cache itself, or comes.
   * It waits for nothing that this worker has to ask for itself. Undefined: nothing is here.
   */
  share(
    key: string,
    head: RequestHead,
    nowMs: number,
    deadlineMs: number,
    onSettled: OnSettled,
  ): StoredResponse | Waiting | Arrival | undefined {
    const entry = this.#parts.find(key, head, nowMs)
    if (entry?.isFresh(nowMs) === true) return entry
    const address = flightAddress(key, head)
    const vary = this.#parts.shelf.varyOf(key)
    return this.#parts.flights.joinLed(address, head.headers, vary, nowMs, deadlineMs, onSettled, true)
  }

  /** Of a key: the names by which its answers vary, and whether it was seen lately that they cannot be shared. */
  known(key: string, head: RequestHead, nowMs: number): Known {
    const address = flightAddress(key, head)
    return {
      vary: this.#parts.shelf.varyOf(key) ?? this.#parts.flights.varyOf(address, nowMs) ?? [],
      isUnshared: this.#parts.flights.isUnshared(address, nowMs),
    }
  }
}
