/**
 * One flight a key: while a response is being fetched, those who would fetch the same wait for it.
 *
 * The danger of waiting is that everyone queues for something that then cannot be shared, one after the other. Two
 * memories prevent it: addresses whose answers were not for sharing are remembered for some seconds, and nobody waits
 * for them (hit-for-miss); and the headers by which answers differ are remembered, so that only those wait for each
 * other who will be given the same answer. When a leader gives up, all are woken: the first to come back leads, the
 * others wait for it.
 *
 * Nobody waits for longer than it takes until the head is here: from then on they are given what arrives (`Arrival`).
 */
import type { EdgeError } from '../../base/errors.ts'
import type { HeaderList, RequestHead } from '../../wire/http1/message.ts'
import type { Arrival } from './arrival.ts'
import { Recent } from './recent.ts'
import { readTerms } from './request-terms.ts'
import { isSelectedBy, variantKey } from './vary.ts'
import { PLAIN_VARY, type VaryRules } from './vary-rules.ts'

/** How long an address whose answer could not be shared is remembered. */
const UNSHARED_MS = 5_000
/** How long it is remembered by what answers vary, where none is stored that says so. */
const VARY_MS = 60_000
const REMEMBERED_MAX = 4096

/**
 * Told once, unless cancelled. With an arrival: follow it. With an error: the origin could not be asked, and this is why;
 * asking again at once would most likely end the same way. With neither: look up again, and join again if that is no
 * hit. Must not throw.
 */
export type OnSettled = (error: EdgeError | undefined, arrival?: Arrival) => void

/** A request that waits for another's answer. */
export class Waiting {
  readonly kind = 'waiting'
  readonly headers: HeaderList
  readonly deadlineMs: number
  readonly onSettled: OnSettled
  #flight: Flight

  constructor(flight: Flight, headers: HeaderList, deadlineMs: number, onSettled: OnSettled) {
    this.#flight = flight
    this.headers = headers
    this.deadlineMs = deadlineMs
    this.onSettled = onSettled
  }

  /** The client went away: nothing will be told. False: it was told already. */
  cancel(): boolean {
    return this.#flight.followers.delete(this)
  }
}

/** An answer that is being fetched. */
export class Flight {
  /** Address, and whether credentials are involved. */
  readonly address: string
  readonly leader: HeaderList
  readonly followers = new Set<Waiting>()
  /** Where it is found; undefined once nobody may join it. */
  place: string | undefined
  /** Once the head is here, and may be shared. */
  arrival: Arrival | undefined
  /** Another worker is being asked for it, not the origin. */
  isBorrowing = false

  constructor(address: string, leader: HeaderList, place: string) {
    this.address = address
    this.leader = leader
    this.place = place
  }
}

export class Flights {
  /** Those that can be joined, by place. */
  readonly #open = new Map<string, Flight>()
  readonly #all = new Set<Flight>()
  readonly #rules: VaryRules
  readonly #unshared = new Recent<true>(UNSHARED_MS, REMEMBERED_MAX)
  readonly #vary = new Recent<readonly string[]>(VARY_MS, REMEMBERED_MAX)

  constructor(rules: VaryRules = PLAIN_VARY) {
    this.#rules = rules
  }

  /** Flights under way. */
  get size(): number {
    return this.#all.size
  }

  /**
   * A flight to lead, one to wait for, an answer that is arriving, or undefined: go alone. `storedVary`: the names by which
   * what is stored varies, if known.
   */
  join(
    address: string,
    headers: HeaderList,
    storedVary: readonly string[] | undefined,
    nowMs: number,
    deadlineMs: number,
    onSettled: OnSettled,
  ): Flight | Waiting | Arrival | undefined {
    if (this.#unshared.get(address, nowMs) !== undefined) return undefined
    const place = this.#placeOf(address, headers, storedVary, nowMs)
    const flight = this.#open.get(place)
    // What has become stale on its way is for those who asked for it before.
    if (flight?.arrival !== undefined && !flight.arrival.isFresh(nowMs)) this.#close(flight)
    else if (flight !== undefined) return this.#board(flight, headers, nowMs, deadlineMs, onSettled)
    return this.#takeOff(address, headers, place)
  }

  /**
   * A flight that nobody waits for yet; undefined where there is one. Also where answers were not for sharing a moment ago: one that came
   * stale is such, and is refreshed all the same.
   */
  lead(
    address: string,
    headers: HeaderList,
    storedVary: readonly string[] | undefined,
    nowMs: number,
  ): Flight | undefined {
    const place = this.#placeOf(address, headers, storedVary, nowMs)
    return this.#open.has(place) ? undefined : this.#takeOff(address, headers, place)
  }

  #takeOff(address: string, headers: HeaderList, place: string): Flight {
    const led = new Flight(address, headers, place)
    this.#open.set(place, led)
    this.#all.add(led)
    return led
  }

  /** The same for one that never leads; `isSibling`: and that asks for another worker. */
  joinLed(
    address: string,
    headers: HeaderList,
    storedVary: readonly string[] | undefined,
    nowMs: number,
    deadlineMs: number,
    onSettled: OnSettled,
    isSibling = false,
  ): Waiting | Arrival | undefined {
    const flight = this.#open.get(this.#placeOf(address, headers, storedVary, nowMs))
    if (flight === undefined || flight.arrival?.isFresh(nowMs) === false) return undefined
    // Two that wait for each other would wait for ever.
    if (isSibling && flight.isBorrowing && flight.arrival === undefined) return undefined
    return this.#board(flight, headers, nowMs, deadlineMs, onSettled)
  }

  #placeOf(
    address: string,
    headers: HeaderList,
    storedVary: readonly string[] | undefined,
    nowMs: number,
  ): string {
    const names = storedVary ?? this.#vary.get(address, nowMs)
    return names === undefined ? address : address + variantKey(names, headers, this.#rules)
  }

  #board(
    flight: Flight,
    headers: HeaderList,
    nowMs: number,
    deadlineMs: number,
    onSettled: OnSettled,
  ): Waiting | Arrival | undefined {
    if (flight.arrival !== undefined) return flight.arrival
    if (nowMs >= deadlineMs) return undefined
    const waiting = new Waiting(flight, headers, deadlineMs, onSettled)
    flight.followers.add(waiting)
    return waiting
  }

  /**
   * The head has come, and says by what the answer varies: those who will be given another one are sent to fetch it.
   */
  learnVary(flight: Flight, names: readonly string[], nowMs: number): void {
    this.#vary.set(flight.address, names, nowMs)
    const variant = variantKey(names, flight.leader, this.#rules)
    this.#move(flight, flight.address + variant)
    const others: Waiting[] = []
    for (const waiting of flight.followers) {
      if (variantKey(names, waiting.headers, this.#rules) !== variant) others.push(waiting)
    }
    wake(others)
  }

  /** The head is here, and may be shared: those who wait are given what arrives, and so are those who come now. */
  announce(flight: Flight, arrival: Arrival): void {
    flight.arrival = arrival
    for (const waiting of flight.followers) {
      if (!waiting.cancel()) continue
      const isFor = isSelectedBy(arrival.selecting, waiting.headers)
      waiting.onSettled(undefined, isFor ? arrival : undefined)
    }
  }

  /** The flight is over: all who waited are told. */
  settle(flight: Flight, error?: EdgeError): void {
    this.#close(flight)
    this.#all.delete(flight)
    if (flight.followers.size > 0) wake([...flight.followers], error)
  }

  /** By what the answers of this address vary, where that was seen. */
  varyOf(address: string, nowMs: number): readonly string[] | undefined {
    return this.#vary.get(address, nowMs)
  }

  isUnshared(address: string, nowMs: number): boolean {
    return this.#unshared.get(address, nowMs) !== undefined
  }

  /** Whoever comes from now on leads another one: what this one brings may be from before a purge. Those who wait already go on. */
  seal(flight: Flight): void {
    this.#close(flight)
  }

  /** For some seconds, nobody waits for this address. */
  markUnshared(address: string, nowMs: number): void {
    this.#unshared.set(address, true, nowMs)
  }

  /** Its answers can be shared after all. */
  markShared(address: string): void {
    this.#unshared.delete(address)
  }

  /** Those who waited for too long are told to look again; joining then, they will be sent alone. */
  sweep(nowMs: number): void {
    const late: Waiting[] = []
    for (const flight of this.#all) {
      for (const waiting of flight.followers) {
        if (nowMs >= waiting.deadlineMs) late.push(waiting)
      }
    }
    wake(late)
  }

  #move(flight: Flight, place: string): void {
    if (flight.place === undefined || flight.place === place) return
    this.#close(flight)
    // Where one is under way already, this one can no longer be joined; its followers stay with it.
    if (this.#open.has(place)) return
    flight.place = place
    this.#open.set(place, flight)
  }

  #close(flight: Flight): void {
    if (flight.place !== undefined) this.#open.delete(flight.place)
    flight.place = undefined
  }
}

/** What one of them does when told may cancel another, who then must not be told. */
function wake(followers: readonly Waiting[], error?: EdgeError): void {
  for (const waiting of followers) if (waiting.cancel()) waiting.onSettled(error)
}

/**
 * Requests with credentials wait only for each other: the answer that one of them is given is mostly not for sharing,
 * and those without need not find out by waiting.
 */
export function flightAddress(key: string, head: RequestHead): string {
  return readTerms(head).hasAuthorization ? `${key}\n+authorization` : key
}
