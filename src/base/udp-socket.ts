/**
 * A UDP socket that takes and sends many packets in one call (`recvmmsg`, `sendmmsg`).
 *
 * Node's own takes one packet a call and sends one, each with objects around it: more than half of what an answer of the DNS costs. Here packets lie in
 * memory that the kernel writes to again and again, and what is answered at once is written into memory that it reads from, so that a packet
 * on its way needs no buffer of its own. libc is asked through FFI; the layouts are those of Linux with 64 bits.
 */
import koffi from 'koffi'
import { formatIp, type IpAddress, parseIp } from './ip-address.ts'
import {
  ANSWER_BYTES,
  type OnPacket,
  type PacketSender,
  type PacketSocket,
  type PacketSocketOptions,
} from './packet-socket.ts'
import {
  ADDRESS_BYTES,
  AF_INET,
  AF_INET6,
  boundSocket,
  closeDescriptor,
  IPPROTO_IPV6,
  isLittleEndian,
  libcCall,
  portOf,
  setOption,
  SOL_SOCKET,
} from './socket-calls.ts'

/** Packets of one call. More gain nothing that can be measured. */
const BATCH = 64
/** Calls of one turn of the event loop: then others have their turn. */
const BATCHES_A_TURN = 8
/** What is longer is told to be cut. */
const PACKET_BYTES = 4096
const CONTROL_BYTES = 64
const HEADER_BYTES = 64
const IOVEC_BYTES = 16

const SOCK_DGRAM = 2
const MSG_DONTWAIT = 0x40
const MSG_TRUNC = 0x20
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const IPPROTO_IP = 0
const IP_PKTINFO = 8
const IP_MTU_DISCOVER = 10
const IP_PMTUDISC_OMIT = 5
const IPV6_MTU_DISCOVER = 23
const IPV6_RECVPKTINFO = 49
const IPV6_PKTINFO = 50
/** Bursts wait here while others have their turn. */
const SOCKET_BUFFER_BYTES = 4 << 20

const recvmmsg = libcCall('int recvmmsg(int fd, void *messages, uint32_t count, int flags, void *timeout)')
const sendmmsg = libcCall('int sendmmsg(int fd, void *messages, uint32_t count, int flags)')
/** Gives its first argument back: so the address of a buffer is learned. */
const memmove = libcCall('uintptr_t memmove(void *to, void *from, size_t bytes)')

/** Whether this system has the layouts below. */
export const HAS_UDP_BATCHES =
  isLittleEndian && ['x64', 'arm64'].includes(process.arch) && process.platform === 'linux'

/** `BATCH` messages, each with room for an address, control data and content, laid out for one call. */
class Batch {
  /** `struct mmsghdr` one after the other. */
  readonly headers: Buffer
  readonly headersView: DataView
  readonly addresses: Buffer
  readonly controls: Buffer
  readonly controlsView: DataView
  readonly contents: Buffer
  readonly #contentBytes: number
  readonly #iovecs: Buffer
  readonly #iovecsView: DataView

  constructor(contentBytes: number) {
    this.#contentBytes = contentBytes
    this.headers = Buffer.alloc(BATCH * HEADER_BYTES)
    this.addresses = Buffer.alloc(BATCH * ADDRESS_BYTES)
    this.controls = Buffer.alloc(BATCH * CONTROL_BYTES)
    this.contents = Buffer.alloc(BATCH * contentBytes)
    this.#iovecs = Buffer.alloc(BATCH * IOVEC_BYTES)
    this.headersView = new DataView(this.headers.buffer, this.headers.byteOffset)
    this.controlsView = new DataView(this.controls.buffer, this.controls.byteOffset)
    this.#iovecsView = new DataView(this.#iovecs.buffer, this.#iovecs.byteOffset)
    const [addresses, controls, contents, iovecs] = [
      this.addresses,
      this.controls,
      this.contents,
      this.#iovecs,
    ].map(addressOf)
    for (let index = 0; index < BATCH; index++) {
      const at = index * HEADER_BYTES
      this.headersView.setBigUint64(at, addresses! + BigInt(index * ADDRESS_BYTES), true)
      this.headersView.setBigUint64(at + 16, iovecs! + BigInt(index * IOVEC_BYTES), true)
      this.headersView.setUint32(at + 24, 1, true)
      this.headersView.setBigUint64(at + 32, controls! + BigInt(index * CONTROL_BYTES), true)
      this.#iovecsView.setBigUint64(index * IOVEC_BYTES, contents! + BigInt(index * contentBytes), true)
      this.setContentLength(index, contentBytes)
    }
  }

  setAddressLength(index: number, bytes: number): void {
    this.headersView.setUint32(index * HEADER_BYTES + 8, bytes, true)
  }

  setControlLength(index: number, bytes: number): void {
    this.headersView.setUint32(index * HEADER_BYTES + 40, bytes, true)
  }

  controlLength(index: number): number {
    return this.headersView.getUint32(index * HEADER_BYTES + 40, true)
  }

  isCut(index: number): boolean {
    return (this.headersView.getUint32(index * HEADER_BYTES + 48, true) & MSG_TRUNC) !== 0
  }

  /** What a call took or gave. */
  length(index: number): number {
    return this.headersView.getUint32(index * HEADER_BYTES + 56, true)
  }

  setContentLength(index: number, bytes: number): void {
    this.#iovecsView.setUint32(index * IOVEC_BYTES + 8, bytes, true)
  }

  contentAt(index: number): number {
    return index * this.#contentBytes
  }
}

const addressOf = (buffer: Buffer): bigint => BigInt(memmove(buffer, buffer, 0))

/**
 * Who sent a packet, and to which of our addresses. As long as its packet is being looked at it reads the memory of the batch; who needs it for longer calls
 * `keep` before the turn ends.
 */
export class UdpSender implements PacketSender {
  #addresses: Buffer
  #addressAt: number
  #controls: Buffer
  #controlAt: number
  readonly controlLength: number

  constructor(
    addresses: Buffer,
    addressAt: number,
    controls: Buffer,
    controlAt: number,
    controlLength: number,
  ) {
    this.#addresses = addresses
    this.#addressAt = addressAt
    this.#controls = controls
    this.#controlAt = controlAt
    this.controlLength = controlLength
  }

  keep(): void {
    this.#addresses = Buffer.from(this.#addresses.subarray(this.#addressAt, this.#addressAt + ADDRESS_BYTES))
    this.#controls = Buffer.from(this.#controls.subarray(this.#controlAt, this.#controlAt + CONTROL_BYTES))
    this.#addressAt = 0
    this.#controlAt = 0
  }

  get port(): number {
    return this.#addresses.readUInt16BE(this.#addressAt + 2)
  }

  address(): IpAddress {
    return addressIn(this.#addresses, this.#addressAt)
  }

  ip(): string {
    return formatIp(this.address())
  }

  /** Undefined where the socket is bound to one address. */
  localAddress(): IpAddress | undefined {
    if (this.controlLength === 0) return undefined
    const at = this.#controlAt
    const level = this.#controls.readUInt32LE(at + 8)
    return level === IPPROTO_IP ? ipv4(this.#controls.readUInt32BE(at + 20)) : ipv6(this.#controls, at + 16)
  }

  /** Copies who is answered, and from which address, to where a call takes it from. */
  writeTo(addresses: Buffer, addressAt: number, controls: Buffer, controlAt: number): void {
    this.#addresses.copy(addresses, addressAt, this.#addressAt, this.#addressAt + ADDRESS_BYTES)
    if (this.controlLength > 0)
      this.#controls.copy(controls, controlAt, this.#controlAt, this.#controlAt + this.controlLength)
  }

  get isIpv6(): boolean {
    return this.#addresses.readUInt16LE(this.#addressAt) === AF_INET6
  }
}

const ipv4 = (word: number): IpAddress => ({ family: 4, words: [0, 0, 0, word] })

function ipv6(bytes: Buffer, at: number): IpAddress {
  const words = [0, 4, 8, 12].map((offset) => bytes.readUInt32BE(at + offset)) as [
    number,
    number,
    number,
    number,
  ]
  // As dual-stack sockets show an IPv4 address.
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return ipv4(words[3])
  return { family: 6, words }
}

const addressIn = (bytes: Buffer, at: number): IpAddress =>
  bytes.readUInt16LE(at) === AF_INET ? ipv4(bytes.readUInt32BE(at + 4)) : ipv6(bytes, at + 8)

/** What only lowers a quality where the system does not take it is not asked for twice. */
function prepare(fd: number, isV6: boolean, isAny: boolean): void {
  // Only the system's most may be had; without it bursts are shorter.
  setOption(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES)
  setOption(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES)
  // No path's MTU is believed that a forged ICMP could lower: answers are small enough (RFC 9715 §3.1).
  setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT)
  if (isV6) setOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_OMIT)
  if (!isAny) return
  if (isV6) setOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
  else setOption(fd, IPPROTO_IP, IP_PKTINFO, 1)
}

export class UdpSocket implements PacketSocket {
  readonly port: number
  readonly #fd: number
  readonly #received = new Batch(PACKET_BYTES)
  readonly #sent = new Batch(ANSWER_BYTES)
  readonly #hasControl: boolean
  readonly #host: string
  #queued = 0
  #flushes = false
  #poll: { close(): void } | undefined
  #isClosed = false

  private constructor(fd: number, host: string, hasControl: boolean) {
    this.#fd = fd
    this.#host = host
    this.#hasControl = hasControl
    this.port = portOf(fd)
  }

  /** Throws an error with `code`, as Node does: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`. */
  static open({ host, port, reusePort }: PacketSocketOptions): UdpSocket {
    const [plain = '', zone] = host.split('%')
    const address = parseIp(plain)
    if (!address) throw new TypeError(`${host} is no address`)
    // An answer leaves from the address that was asked, of the many that the machine may have.
    const isAny = address.words.every((word) => word === 0)
    const fd = boundSocket(host, {
      type: SOCK_DGRAM,
      address,
      zone,
      port,
      reusePort,
      prepare: (made) => prepare(made, address.family === 6, isAny),
    })
    return new UdpSocket(fd, host, isAny)
  }

  get host(): string {
    return this.#host
  }

  receive(onPacket: OnPacket): void {
    this.#poll = koffi.node.poll(this.#fd, { readable: true }, () => this.#read(onPacket))
  }

  get answers(): Buffer {
    return this.#sent.contents
  }

  get answerAt(): number {
    return this.#sent.contentAt(this.#queued)
  }

  /** What stands at `answerAt` goes to `sender`: when the batch that is read is over, or this turn. */
  queue(sender: UdpSender, bytes: number): void {
    const index = this.#queued
    const sent = this.#sent
    sender.writeTo(sent.addresses, index * ADDRESS_BYTES, sent.controls, index * CONTROL_BYTES)
    sent.setAddressLength(index, sender.isIpv6 ? ADDRESS_BYTES : 16)
    sent.setControlLength(index, sender.controlLength)
    if (sender.controlLength > 0) this.#anyInterface(index)
    sent.setContentLength(index, bytes)
    this.#queued += 1
    if (this.#queued === BATCH) this.flush()
    else if (!this.#flushes) {
      this.#flushes = true
      setImmediate(() => this.flush())
    }
  }

  /** The way back is the routing table's: only a link's own addresses say an interface. */
  #anyInterface(index: number): void {
    const { controlsView } = this.#sent
    const at = index * CONTROL_BYTES
    const isV6 = controlsView.getUint32(at + 12, true) === IPV6_PKTINFO
    if (!isV6) controlsView.setUint32(at + 16, 0, true)
    else if (controlsView.getUint16(at + 16) !== 0xfe80) controlsView.setUint32(at + 32, 0, true)
  }

  /** Sends what is queued. What the kernel does not take is lost, as packets may be. */
  flush(): void {
    this.#flushes = false
    const count = this.#queued
    this.#queued = 0
    if (this.#isClosed) return
    for (let from = 0; from < count;) {
      const headers = from === 0 ? this.#sent.headers : this.#sent.headers.subarray(from * HEADER_BYTES)
      const sent = sendmmsg(this.#fd, headers, count - from, MSG_DONTWAIT)
      // The first of them is the one that could not be sent.
      from += sent > 0 ? sent : 1
    }
  }

  #read(onPacket: OnPacket): void {
    const received = this.#received
    for (let batch = 0; batch < BATCHES_A_TURN && !this.#isClosed; batch++) {
      for (let index = 0; index < BATCH; index++) {
        received.setAddressLength(index, ADDRESS_BYTES)
        received.setControlLength(index, this.#hasControl ? CONTROL_BYTES : 0)
      }
      const count = recvmmsg(this.#fd, received.headers, BATCH, MSG_DONTWAIT, null)
      if (count <= 0) return
      for (let index = 0; index < count; index++) {
        const from = received.contentAt(index)
        const sender = new UdpSender(
          received.addresses,
          index * ADDRESS_BYTES,
          received.controls,
          index * CONTROL_BYTES,
          this.#hasControl ? received.controlLength(index) : 0,
        )
        if (!received.isCut(index)) onPacket(received.contents, from, from + received.length(index), sender)
      }
      this.flush()
      if (count < BATCH) return
    }
  }

  close(): void {
    if (this.#isClosed) return
    this.flush()
    this.#isClosed = true
    this.#poll?.close()
    closeDescriptor(this.#fd)
  }
}
