/** The two edges of a server, without the sockets: a packet in, the packet that answers it, from an address that the test names. */
import { type IpAddress, formatIp, parseIp } from '../../../base/ip-address.ts'
import {
  ANSWER_BYTES,
  type OnPacket,
  type PacketSender,
  type PacketSocket,
} from '../../../base/packet-socket.ts'
import type { AnswerQuery } from '../../endpoint.ts'
import type { DnsAmplification } from '../../../contract/dns.ts'
import { Amplification } from '../amplification.ts'
import { Answering } from '../answering.ts'
import { ServerCookies } from '../server-cookies.ts'
import { UdpServer } from '../udp-server.ts'

export interface Edges {
  readonly answering: Answering
  /** What an operator was told. */
  readonly failures: string[]
  /** What figures were told. */
  readonly counted: { readonly rcode: number; readonly bytes: number }[]
  /** From 192.0.2.1. Undefined where nothing was sent within ten turns. */
  ask(bytes: Buffer): Promise<Buffer | undefined>
  close(): void
}

/** Whose memory is used again: after each call the packet is overwritten. */
class OnePacketSocket implements PacketSocket {
  readonly host = '192.0.2.53'
  readonly port = 53
  readonly answers = Buffer.alloc(ANSWER_BYTES)
  readonly answerAt = 0
  sent: Buffer | undefined
  #onPacket: OnPacket | undefined

  receive(onPacket: OnPacket): void {
    this.#onPacket = onPacket
  }

  take(bytes: Buffer): void {
    const memory = Buffer.from(bytes)
    this.#onPacket?.(memory, 0, memory.length, new Sender(parseIp('192.0.2.1')!))
    memory.fill(0xee)
  }

  queue(_: PacketSender, bytes: number): void {
    this.sent = Buffer.from(this.answers.subarray(0, bytes))
  }

  close(): void {
    this.#onPacket = undefined
  }
}

class Sender implements PacketSender {
  readonly port = 40_000
  readonly #address: IpAddress

  constructor(address: IpAddress) {
    this.#address = address
  }

  ip = (): string => formatIp(this.#address)
  address = (): IpAddress => this.#address
  localAddress = (): undefined => undefined
  keep = (): void => undefined
}

export function edgesOf(
  answer: AnswerQuery,
  options: { readonly amplification?: DnsAmplification } = {},
): Edges {
  const failures: string[] = []
  const counted: { rcode: number; bytes: number }[] = []
  const endpoint = {
    transport: 'dns' as const,
    host: '192.0.2.53',
    port: 53,
    tls: undefined,
    timeouts: { readMs: 1000, writeMs: 1000, idleMs: 1000 },
    label: 'dns://192.0.2.53:53',
  }
  const counting: AnswerQuery = (query) => {
    query.counts = { answered: (_, rcode, bytes) => void counted.push({ rcode, bytes }) }
    return answer(query)
  }
  const answering = new Answering(endpoint, counting, {
    cookies: new ServerCookies(),
    amplification: new Amplification(options.amplification),
    nowMs: () => performance.now(),
    onFailure: (_, what, error) => void failures.push(`${what}: ${(error as Error).message}`),
  })
  const socket = new OnePacketSocket()
  const server = new UdpServer(socket, answering)
  return {
    answering,
    failures,
    counted,
    close: () => server.close(),
    async ask(bytes) {
      socket.sent = undefined
      socket.take(bytes)
      for (let turn = 0; turn < 10 && !socket.sent; turn++) await new Promise(setImmediate)
      return socket.sent
    },
  }
}
