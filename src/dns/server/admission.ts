/**
 * Who may have a connection: so many at once, and so many of one network among them, whatever is spoken over them. Where there are more, the one that
 * has waited for longest with nothing on its way is closed for whoever comes; where all have something on their way, whoever comes is.
 */
import type { Socket } from 'node:net'
import { parseIp } from '../../base/ip-address.ts'

export interface AdmissionOptions {
  readonly connectionsMax: number
  readonly ofOneNetworkMax: number
  /** Milliseconds from the connection to `hasBegun`: in them keys are agreed on. */
  readonly beginMs: number
}

export const USUAL_CONNECTIONS = { connectionsMax: 4096, ofOneNetworkMax: 256 }

/** Nobody is to make us look through all of them for each connection. */
const LOOKED_AT_MAX = 64

/** A connection that was let in. */
export class Seat {
  readonly socket: Socket
  readonly client: string
  readonly network: string
  /** Queries on their way. */
  pending = 0
  timer: NodeJS.Timeout | undefined
  readonly #used: (seat: Seat) => void

  constructor(socket: Socket, network: string, used: (seat: Seat) => void) {
    this.socket = socket
    this.client = clientOf(socket)
    this.network = network
    this.#used = used
  }

  /** Its first query may come: from here on, whoever reads from it has times of its own. */
  hasBegun(): void {
    clearTimeout(this.timer)
  }

  /** It was of use just now. */
  use(): void {
    this.#used(this)
  }
}

export class Admission {
  readonly #options: AdmissionOptions
  /** By the address and port of the client, the one that was used last at the end. */
  readonly #seats = new Map<string, Seat>()
  readonly #ofNetwork = new Map<string, Set<Seat>>()

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Undefined: there is no room, and it was closed. */
  admit(socket: Socket): Seat | undefined {
    socket.on('error', () => socket.destroy())
    const { remoteAddress } = socket
    const network = remoteAddress && networkOf(remoteAddress)
    // Who went before he was seen has no address any more.
    if (!network || !this.#makeRoom(network)) {
      socket.destroy()
      return undefined
    }
    const seat = new Seat(socket, network, this.#used)
    seat.timer = setTimeout(() => socket.destroy(), this.#options.beginMs)
    this.#seats.set(seat.client, seat)
    const others = this.#ofNetwork.get(network)
    if (others) others.add(seat)
    else this.#ofNetwork.set(network, new Set([seat]))
    socket.once('close', () => this.#leave(seat))
    return seat
  }

  /** Of a connection that was admitted, or of what is spoken within it. */
  seatOf(socket: Socket): Seat | undefined {
    return this.#seats.get(clientOf(socket))
  }

  get sockets(): readonly Socket[] {
    return [...this.#seats.values()].map(({ socket }) => socket)
  }

  #makeRoom(network: string): boolean {
    const own = this.#ofNetwork.get(network)
    const { connectionsMax, ofOneNetworkMax } = this.#options
    if (own && own.size >= ofOneNetworkMax) return this.#closeIdle(own.values())
    return this.#seats.size < connectionsMax || this.#closeIdle(this.#seats.values())
  }

  #closeIdle(seats: Iterable<Seat>): boolean {
    let looked = 0
    for (const seat of seats) {
      if (seat.pending === 0) {
        this.#leave(seat)
        seat.socket.destroy()
        return true
      }
      if (++looked === LOOKED_AT_MAX) return false
    }
    return false
  }

  readonly #used = (seat: Seat): void => {
    const { client, network } = seat
    // It may have been closed for another one meanwhile.
    if (this.#seats.get(client) !== seat) return
    this.#seats.delete(client)
    this.#seats.set(client, seat)
    const own = this.#ofNetwork.get(network)!
    own.delete(seat)
    own.add(seat)
  }

  #leave(seat: Seat): void {
    clearTimeout(seat.timer)
    if (this.#seats.get(seat.client) === seat) this.#seats.delete(seat.client)
    const own = this.#ofNetwork.get(seat.network)
    own?.delete(seat)
    if (own?.size === 0) this.#ofNetwork.delete(seat.network)
  }
}

/** The same for a connection and for what is spoken within it. */
const clientOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

/** An address of IPv4; of IPv6 the half that a client cannot choose (RFC 4291 §2.5.4). */
function networkOf(remoteAddress: string): string {
  const address = parseIp(remoteAddress.split('%')[0]!)
  if (address?.family !== 6) return address ? `${address.words[3]}` : remoteAddress
  return `${address.words[0]}:${address.words[1]}`
}
