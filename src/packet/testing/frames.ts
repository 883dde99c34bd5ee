/**
 * Frames as they go over a wire, from the inside out: `ethernet(ipv4({ from, to }, udp(5005)))`.
 *
 * Checksums are right where a kernel would look at them, so that what is built here is also taken by a socket.
 */
import { parseIp } from '../../base/ip-address.ts'

/** What an IP header carries: the number of its protocol, and its bytes without a checksum. */
export interface Payload {
  readonly protocol: number
  readonly bytes: Buffer
  /** Where the checksum stands in them, which also covers the addresses; absent: it has none, or its own. */
  readonly checksumAt?: number
}

export interface Ends {
  readonly from: string
  readonly to: string
}

export interface Ipv4Options {
  /** Multiples of 4 bytes. */
  readonly options?: Buffer
  /** In units of 8 bytes. */
  readonly fragmentOffset?: number
  readonly moreFragments?: boolean
  readonly id?: number
  /** What the header says of its own length in words, and of the whole: where it is to lie. */
  readonly words?: number
  readonly length?: number
  readonly version?: number
}

/** A header between IPv6 and its payload: its number, and its bytes behind the first, which names what follows. */
export interface Extension {
  readonly number: number
  readonly rest: Buffer
}

export interface Packet {
  readonly type: number
  readonly bytes: Buffer
}

const BROADCAST = 'ffffffffffff'

const word16 = (value: number): Buffer => Buffer.from([value >>> 8, value & 0xff])
const word32 = (value: number): Buffer => Buffer.concat([word16(value >>> 16), word16(value & 0xffff)])

export function udp(port: number, data = Buffer.from('orla'), fromPort = 40_000): Payload {
  const bytes = Buffer.concat([word16(fromPort), word16(port), word16(8 + data.length), word16(0), data])
  return { protocol: 17, bytes, checksumAt: 6 }
}

/** Flags: 2 is SYN. */
export function tcp(port: number, flags = 2, words = 5, fromPort = 40_000): Payload {
  const ports = Buffer.concat([word16(fromPort), word16(port), word32(1), word32(0)])
  const bytes = Buffer.concat([
    ports,
    Buffer.from([words << 4, flags]),
    word16(1024),
    word32(0),
    Buffer.alloc(Math.max(0, words - 5) * 4, 1),
  ])
  return { protocol: 6, bytes, checksumAt: 16 }
}

export const other = (protocol: number, bytes = Buffer.alloc(16)): Payload => ({ protocol, bytes })

export function ipv4(ends: Ends, payload: Payload, given: Ipv4Options = {}): Packet {
  const { options = Buffer.alloc(0), fragmentOffset = 0, moreFragments = false, id = 1 } = given
  const data = withChecksum(payload, ends)
  const headerBytes = 20 + options.length
  const header = Buffer.concat([
    Buffer.from([((given.version ?? 4) << 4) | (given.words ?? headerBytes / 4), 0]),
    word16(given.length ?? headerBytes + data.length),
    word16(id),
    word16((moreFragments ? 0x2000 : 0) | fragmentOffset),
    Buffer.from([64, payload.protocol]),
    word16(0),
    addressBytes(ends.from),
    addressBytes(ends.to),
    options,
  ])
  header.writeUInt16BE(checksum(header), 10)
  return { type: 0x0800, bytes: Buffer.concat([header, data]) }
}

export function ipv6(
  ends: Ends,
  payload: Payload,
  extensions: readonly Extension[] = [],
  given: { readonly length?: number; readonly version?: number } = {},
): Packet {
  const data = withChecksum(payload, ends)
  const numbers = [...extensions.map(({ number }) => number), payload.protocol]
  const headers = extensions.map(({ rest }, index) =>
    Buffer.concat([Buffer.from([numbers[index + 1]!]), rest]),
  )
  const behind = Buffer.concat([...headers, data])
  const header = Buffer.concat([
    Buffer.from([(given.version ?? 6) << 4, 0, 0, 0]),
    word16(given.length ?? behind.length),
    Buffer.from([numbers[0]!, 64]),
    addressBytes(ends.from),
    addressBytes(ends.to),
  ])
  return { type: 0x86dd, bytes: Buffer.concat([header, behind]) }
}

/** Hop-by-hop (0), routing (43) or destination options (60), of `(length + 1) × 8` bytes, filled with padding (RFC 8200 §4.2). */
export function extension(number: number, length = 0): Extension {
  const padding = length * 8 + 4
  return { number, rest: Buffer.concat([Buffer.from([length, 1, padding]), Buffer.alloc(padding)]) }
}

/** RFC 8200 §4.5; the offset in units of 8 bytes. */
export function fragment(offset: number, more: boolean): Extension {
  return {
    number: 44,
    rest: Buffer.concat([Buffer.from([0]), word16((offset << 3) | (more ? 1 : 0)), word32(7)]),
  }
}

/** RFC 4302: length in words of 32 bits, less 2. */
export const authentication = (): Extension => ({
  number: 51,
  rest: Buffer.concat([Buffer.from([4]), Buffer.alloc(22)]),
})

export const notIp = (type = 0x0806): Packet => ({ type, bytes: Buffer.alloc(28) })

export interface Tag {
  readonly vlan: number
  /** 802.1Q unless said; 0x88a8 is 802.1ad. */
  readonly type?: number
}

export function ethernet(
  packet: Packet,
  { tags = [], to = BROADCAST }: { readonly tags?: readonly Tag[]; readonly to?: string } = {},
): Buffer {
  const types = [...tags.map(({ type = 0x8100 }) => type), packet.type]
  const between = tags.map(({ vlan }, index) => Buffer.concat([word16(vlan), word16(types[index + 1]!)]))
  return Buffer.concat([
    Buffer.from(to, 'hex'),
    Buffer.from('020000000001', 'hex'),
    word16(types[0]!),
    ...between,
    packet.bytes,
  ])
}

function addressBytes(text: string): Buffer {
  const ip = parseIp(text)
  if (ip === undefined) throw new TypeError(`${text} is no address`)
  return Buffer.concat((ip.family === 4 ? ip.words.slice(3) : ip.words).map(word32))
}

/** RFC 768, RFC 9293 §3.1, RFC 8200 §8.1: over the addresses, the length, the protocol and the bytes. */
function withChecksum({ protocol, bytes, checksumAt }: Payload, { from, to }: Ends): Buffer {
  if (checksumAt === undefined) return bytes
  const sum = checksum(
    Buffer.concat([addressBytes(from), addressBytes(to), word32(bytes.length), word32(protocol), bytes]),
  )
  const done = Buffer.from(bytes)
  // RFC 768: a sum of 0 is sent as all ones, as 0 says that there is none.
  done.writeUInt16BE(sum === 0 ? 0xffff : sum, checksumAt)
  return done
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}
