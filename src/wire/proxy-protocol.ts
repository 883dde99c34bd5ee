/**
 * The header that a proxy puts before a connection to say whose it is: PROXY protocol, versions 1 (a line) and 2 (bytes). No I/O.
 *
 * Strict: what is not exactly a header ends the connection, since what follows would be read as the client's. Every way of being
 * endless has a bound. See https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt.
 */
import { type IpAddress, ipFromWords, ipv4FromWord, parseIp } from '../base/ip-address.ts'

export interface ProxyEnds {
  readonly source: IpAddress
  readonly sourcePort: number
  readonly destination: IpAddress
  readonly destinationPort: number
}

export type ProxyHeaderResult =
  /** The client's bytes begin at `next`. Without `ends` the connection is the proxy's own, or of a family without addresses. */
  | { readonly kind: 'header'; readonly next: number; readonly ends: ProxyEnds | undefined }
  /** So far sound, and not whole. */
  | { readonly kind: 'more' }
  | { readonly kind: 'malformed'; readonly reason: string }

const MORE: ProxyHeaderResult = { kind: 'more' }
const malformed = (reason: string): ProxyHeaderResult => ({ kind: 'malformed', reason })

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V1_START = Buffer.from('PROXY ', 'latin1')
/** §2.1: a line of version 1 fits into so many bytes, CRLF included. */
const V1_BYTES_MAX = 107
const V2_FIXED = 16
/** Addresses, and what may stand after them (certificates of clients, for one). */
export const V2_BYTES_MAX = 16 * 1024

export function parseProxyHeader(bytes: Buffer): ProxyHeaderResult {
  if (bytes.length === 0) return MORE
  if (startsLike(bytes, SIGNATURE)) return bytes.length < V2_FIXED ? MORE : parseV2(bytes)
  if (startsLike(bytes, V1_START)) return parseV1(bytes)
  return malformed('neither version 1 nor version 2')
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.subarray(0, length).equals(start.subarray(0, length))
}

// ── version 1 ───────────────────────────────────────────────────────────────────────────────────────────────────

function parseV1(bytes: Buffer): ProxyHeaderResult {
  const end = bytes.subarray(0, V1_BYTES_MAX).indexOf('\r\n', 0, 'latin1')
  if (end === -1) return bytes.length < V1_BYTES_MAX ? MORE : malformed('a line that does not end')
  const line = bytes.toString('latin1', V1_START.length, end)
  const next = end + 2
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return { kind: 'header', next, ends: undefined }
  const [family, from, to, fromPort, toPort, ...more] = line.split(' ')
  if ((family !== 'TCP4' && family !== 'TCP6') || more.length > 0) return malformed('a line of another form')
  const source = addressOf(family, from)
  const destination = addressOf(family, to)
  const sourcePort = portOf(fromPort)
  const destinationPort = portOf(toPort)
  if (source === undefined || destination === undefined || sourcePort === -1 || destinationPort === -1)
    return malformed(`a line with a bad address or port`)
  return { kind: 'header', next, ends: { source, sourcePort, destination, destinationPort } }
}

function addressOf(family: 'TCP4' | 'TCP6', text: string | undefined): IpAddress | undefined {
  return text === undefined || text.includes(':') !== (family === 'TCP6') ? undefined : parseIp(text)
}

function portOf(text: string | undefined): number {
  if (text === undefined || !/^(?:0|[1-9]\d{0,4})$/.test(text)) return -1
  return Number(text) < 65_536 ? Number(text) : -1
}

// ── version 2 ───────────────────────────────────────────────────────────────────────────────────────────────────

const LOCAL = 0x20
const PROXY = 0x21
/** Bytes of addresses by family, the high half of byte 13: none, IPv4, IPv6, UNIX. */
const ADDRESS_BYTES = [0, 12, 36, 216]
/** §2.2.3: CRC-32C over the header with these four bytes as zeros. */
const TLV_CRC32C = 0x03

function parseV2(bytes: Buffer): ProxyHeaderResult {
  const command = bytes[12]!
  if (command !== LOCAL && command !== PROXY) return malformed('another version or command')
  const family = bytes[13]! >> 4
  const transport = bytes[13]! & 0x0f
  const addressBytes = ADDRESS_BYTES[family]
  if (addressBytes === undefined || transport > 2) return malformed('an unknown family')
  const next = V2_FIXED + bytes.readUInt16BE(14)
  if (next > V2_BYTES_MAX) return malformed(`more than ${V2_BYTES_MAX} bytes`)
  if (command === PROXY && next < V2_FIXED + addressBytes) return malformed('shorter than its addresses')
  if (bytes.length < next) return MORE
  // §2.2: of a health check of the proxy's own, nothing else counts.
  if (command === LOCAL) return { kind: 'header', next, ends: undefined }
  const reason = tlvProblem(bytes.subarray(0, next), V2_FIXED + addressBytes)
  if (reason !== undefined) return malformed(reason)
  // Only streams of TCP have ends that mean something here.
  const ends =
    transport !== 1 ? undefined : family === 1 ? endsV4(bytes) : family === 2 ? endsV6(bytes) : undefined
  return { kind: 'header', next, ends }
}

function endsV4(bytes: Buffer): ProxyEnds {
  return {
    source: ipv4FromWord(bytes.readUInt32BE(16)),
    destination: ipv4FromWord(bytes.readUInt32BE(20)),
    sourcePort: bytes.readUInt16BE(24),
    destinationPort: bytes.readUInt16BE(26),
  }
}

function endsV6(bytes: Buffer): ProxyEnds {
  const address = (at: number) =>
    ipFromWords(
      bytes.readUInt32BE(at),
      bytes.readUInt32BE(at + 4),
      bytes.readUInt32BE(at + 8),
      bytes.readUInt32BE(at + 12),
    )
  return {
    source: address(16),
    destination: address(32),
    sourcePort: bytes.readUInt16BE(48),
    destinationPort: bytes.readUInt16BE(50),
  }
}

/** Walks what stands after the addresses; it is not used, but must be what it says. */
function tlvProblem(header: Buffer, start: number): string | undefined {
  let at = start
  while (at < header.length) {
    if (at + 3 > header.length) return 'a field that is cut short'
    const length = header.readUInt16BE(at + 1)
    const value = at + 3
    if (value + length > header.length) return 'a field that is cut short'
    if (header[at] === TLV_CRC32C) {
      if (length !== 4) return 'a checksum of another length'
      const sent = header.readUInt32BE(value)
      const zeroed = Buffer.from(header)
      zeroed.fill(0, value, value + 4)
      if (crc32c(zeroed) !== sent) return 'a checksum that does not fit'
    }
    at = value + length
  }
  return undefined
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  // The polynomial of Castagnoli, reversed.
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value
})

/** CRC-32C. */
export function crc32c(bytes: Uint8Array): number {
  let value = 0xffffffff
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff]! ^ (value >>> 8)
  return (value ^ 0xffffffff) >>> 0
}
