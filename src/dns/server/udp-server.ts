/** Answers over UDP: what is answered at once goes from memory to memory, many packets in one call. */
import { formatIp, type IpAddress } from '../../base/ip-address.ts'
import { ANSWER_BYTES, type PacketSender, type PacketSocket } from '../../base/packet-socket.ts'
import { DROPPED, type DnsOutcome } from '../../contract/dns.ts'
import { OPTION, RCODE } from '../../wire/dns/codes.ts'
import { DnsMessage } from '../../wire/dns/message.ts'
import { type DnsPeer, OUR_UDP_SIZE, ServerQuery } from '../query.ts'
import { writeRefusal } from './answer-writer.ts'
import { type Answering, malformedCookie } from './answering.ts'
import { IGNORED, readQuery } from './query-reader.ts'

/** Answers a second to what cannot be read. */
const REFUSALS_A_SECOND = 1000

export class UdpServer {
  readonly #socket: PacketSocket
  readonly #answering: Answering
  /** How many were refused in the second that runs. */
  #refused = 0
  #refusedSecond = 0

  constructor(socket: PacketSocket, answering: Answering) {
    this.#socket = socket
    this.#answering = answering
    socket.receive((bytes, from, to, sender) => this.#take(bytes, from, to, sender))
  }

  #take(bytes: Buffer, from: number, to: number, sender: PacketSender): void {
    const asked = readQuery(bytes, from, to)
    if (asked === IGNORED || sender.port === 0) return
    if (typeof asked === 'number') {
      this.#refuse(bytes, from, to, asked, sender)
      return
    }
    const peer = new UdpPeer(bytes.subarray(from, to), sender, this.#answering.endpoint.label, this.#socket)
    const query = new ServerQuery(asked, peer, peer.bytes, this.#answering.nowMs())
    query.sizeMax = OUR_UDP_SIZE
    if (asked.edns !== undefined && asked.edns.options.length > 0) {
      const cookie = asked.edns.options.find(({ code }) => code === OPTION.COOKIE)
      const reading = cookie && this.#answering.cookies.read(cookie.data, query.addressBytes())
      if (reading === 'malformed') {
        this.#send(query, malformedCookie(query), sender)
        return
      }
      peer.isProven = reading === 'proven'
    }
    const outcome = this.#answering.answer(query)
    if (!(outcome instanceof Promise)) {
      this.#send(query, outcome, sender)
      return
    }
    // From here on the packet's memory is another packet's.
    peer.keep()
    keepOptions(query)
    outcome.then(
      (late) => this.#send(query, late, sender),
      () => this.#send(query, RCODE.SERVFAIL, sender),
    )
  }

  #send(query: ServerQuery, outcome: DnsOutcome, sender: PacketSender): void {
    if (outcome === DROPPED) return
    // Several messages are for TCP alone: the first of them is not all.
    const whole = typeof outcome === 'number' || outcome instanceof DnsMessage ? outcome : truncated(query)
    const { answers, answerAt } = this.#socket
    const room = answers.subarray(answerAt, answerAt + ANSWER_BYTES)
    const length = this.#answering.write(query, whole, room)
    if (length > 0) this.#socket.queue(sender, length)
  }

  /** For the good of whoever has a fault in his client; a flood of them is not answered: to send is what costs. */
  #refuse(bytes: Buffer, from: number, to: number, rcode: number, sender: PacketSender): void {
    const second = Math.floor(this.#answering.nowMs() / 1000)
    if (second !== this.#refusedSecond) {
      this.#refusedSecond = second
      this.#refused = 0
    }
    this.#refused += 1
    if (this.#refused > REFUSALS_A_SECOND) return
    const { answers, answerAt } = this.#socket
    const room = answers.subarray(answerAt, answerAt + ANSWER_BYTES)
    const length = writeRefusal(bytes, from, to, rcode, room)
    this.#socket.queue(sender, length)
  }

  close(): void {
    this.#socket.close()
  }
}

/** Come again over TCP. */
function truncated(query: ServerQuery): DnsMessage {
  const message = query.reply()
  message.isTruncated = true
  return message
}

/** What stands in options lies in the packet, too. */
function keepOptions(query: ServerQuery): void {
  const edns = query.asked.edns
  if (edns)
    for (const [index, { code, data }] of edns.options.entries())
      edns.options[index] = { code, data: Buffer.from(data) }
}

class UdpPeer implements DnsPeer {
  readonly transport = 'dns'
  readonly isUdp = true
  readonly server: string
  isProven = false
  bytes: Buffer
  readonly #sender: PacketSender
  readonly #host: string
  readonly #localPort: number

  constructor(
    bytes: Buffer,
    sender: PacketSender,
    server: string,
    { host, port }: { host: string; port: number },
  ) {
    this.bytes = bytes
    this.#sender = sender
    this.server = server
    this.#host = host
    this.#localPort = port
  }

  /** The packet's memory may be another one's now: what is known of it is copied first. */
  keep(): void {
    this.bytes = Buffer.from(this.bytes)
    this.#sender.keep()
  }

  ip(): string {
    return this.#sender.ip()
  }

  address(): IpAddress {
    return this.#sender.address()
  }

  port(): number {
    return this.#sender.port
  }

  localIp(): string {
    const local = this.#sender.localAddress()
    return local ? formatIp(local) : this.#host
  }

  localPort(): number {
    return this.#localPort
  }
}
