/**
 * The same as `UdpSocket` by Node's own calls, one packet each, for systems whose layouts we do not know. An answer leaves from the address that the
 * system chooses: on a machine with several, `bind` names those that are asked.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type IpAddress, parseIp } from './ip-address.ts'
import {
  ANSWER_BYTES,
  type OnPacket,
  type PacketSender,
  type PacketSocket,
  type PacketSocketOptions,
} from './packet-socket.ts'

class NodeUdpSender implements PacketSender {
  /** As the system has it: with the interface of a link's address, and IPv4 within IPv6. */
  readonly from: RemoteInfo
  readonly #ip: string

  constructor(from: RemoteInfo) {
    this.from = from
    this.#ip = from.address.replace(/^::ffff:(?=\d+\.)/, '').split('%')[0]!
  }

  get port(): number {
    return this.from.port
  }

  ip(): string {
    return this.#ip
  }

  address(): IpAddress {
    return parseIp(this.#ip)!
  }

  localAddress(): undefined {
    return undefined
  }

  keep(): void {
    // Nothing of it is used again.
  }
}

export class NodeUdpSocket implements PacketSocket {
  readonly host: string
  readonly port: number
  readonly answers = Buffer.alloc(ANSWER_BYTES)
  readonly answerAt = 0
  readonly #socket: Socket
  #isClosed = false

  private constructor(socket: Socket, host: string) {
    this.#socket = socket
    this.host = host
    this.port = socket.address().port
  }

  /** Rejects with an error with `code`. */
  static async open({ host, port, reusePort }: PacketSocketOptions): Promise<NodeUdpSocket> {
    const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', reusePort })
    socket.bind({ address: host, port })
    try {
      await once(socket, 'listening')
    } catch (error) {
      socket.close()
      throw error
    }
    // What a read of it may report is of one packet, that is lost.
    socket.on('error', () => undefined)
    return new NodeUdpSocket(socket, host)
  }

  receive(onPacket: OnPacket): void {
    this.#socket.on('message', (bytes, from) => onPacket(bytes, 0, bytes.length, new NodeUdpSender(from)))
  }

  queue(sender: NodeUdpSender, bytes: number): void {
    if (this.#isClosed) return
    const { port, address } = sender.from
    this.#socket.send(Buffer.from(this.answers.subarray(0, bytes)), port, address, () => undefined)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket.close()
  }
}
