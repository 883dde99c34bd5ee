/**
 * Connections whose proxy says, before the first byte of the client, whose they are (PROXY protocol).
 *
 * The header is read from the socket as it was accepted: TLS, HTTP/1.1 and HTTP/2 come after it and know nothing of it, but that the
 * connection's ends are others. It has a bound in bytes and in time; what is malformed ends the connection.
 */
import type { Socket } from 'node:net'
import { formatIp, type IpAddress, parseIp } from '../../base/ip-address.ts'
import { parseProxyHeader } from '../../wire/proxy-protocol.ts'
import type { Held } from '../connection-host.ts'
import { rawSocket } from '../tls-listener.ts'
import type { ProxyTrust } from './peer.ts'

/** Why a connection with such a header, or without one, was closed. */
export type AnnouncementFailure = 'untrusted' | 'malformed' | 'timeout'

/** The ends of a connection, as its proxy said or as the socket has them. */
export interface SocketEnds {
  readonly address: string
  readonly port: number
  /** The address it came to. */
  readonly localAddress: string
  readonly localPort: number
}

/** By the socket as it was accepted. */
const announced = new WeakMap<Socket, SocketEnds>()

export function endsOf(socket: Socket): SocketEnds {
  const known = announced.get(rawSocket(socket))
  if (known !== undefined) return known
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket
  return {
    address: addressOf(remoteAddress),
    port: remotePort,
    localAddress: addressOf(localAddress),
    localPort,
  }
}

/** In the one way to write it. */
function addressOf(text: string): string {
  const ip = ipOf(text)
  return ip === undefined ? text : formatIp(ip)
}

/** A link-local address has the interface with it, which means nothing elsewhere. */
const ipOf = (address: string): IpAddress | undefined => parseIp(address.replace(/%.*/, ''))

/** Headers are read from proxies of ours alone: whoever may send one is believed whatever it says. */
export function mayAnnounce(socket: Socket, { trusted }: ProxyTrust): boolean {
  const ip = ipOf(socket.remoteAddress ?? '')
  return ip !== undefined && trusted.has(ip)
}

export interface AnnouncementEvents {
  /** The header was read; the socket is paused, and `rest` is what came after it. */
  onRead(rest: Buffer): void
  onFailed(failure: AnnouncementFailure): void
  /** The connection ended before. */
  onGone(): void
}

export class Announcement implements Held {
  readonly socket: Socket
  readonly bytesOut = 0
  private readonly deadline: number
  private readonly events: AnnouncementEvents
  private seen = Buffer.alloc(0)

  constructor(socket: Socket, deadlineMs: number, events: AnnouncementEvents) {
    this.socket = socket
    this.deadline = deadlineMs
    this.events = events
    socket.on('data', this.onData)
    socket.on('end', this.onEnd)
    socket.on('close', this.onClose)
    socket.on('error', ignore)
  }

  private readonly onData = (bytes: Buffer): void => {
    this.seen = Buffer.concat([this.seen, bytes])
    const result = parseProxyHeader(this.seen)
    if (result.kind === 'more') return
    if (result.kind === 'malformed') {
      this.fail('malformed')
      return
    }
    const { ends, next } = result
    if (ends !== undefined) {
      const { source, sourcePort, destination, destinationPort } = ends
      announced.set(this.socket, {
        address: formatIp(source),
        port: sourcePort,
        localAddress: formatIp(destination),
        localPort: destinationPort,
      })
    }
    this.letGo()
    this.socket.pause()
    this.events.onRead(this.seen.subarray(next))
  }

  private readonly onEnd = (): void => void this.socket.destroy()

  private readonly onClose = (): void => this.events.onGone()

  private letGo(): void {
    this.socket.off('data', this.onData)
    this.socket.off('end', this.onEnd)
    this.socket.off('close', this.onClose)
  }

  private fail(failure: AnnouncementFailure): void {
    this.letGo()
    this.socket.destroy()
    this.events.onFailed(failure)
  }

  checkDeadline(nowMs: number): void {
    if (nowMs >= this.deadline) this.fail('timeout')
  }

  closeIdle(): void {
    if (this.seen.length === 0) this.socket.destroy()
  }
}

function ignore(): void {}
