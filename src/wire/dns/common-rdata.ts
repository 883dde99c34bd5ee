/** Data of the types that the server itself looks into: where a record leads, addresses, the times of a zone, texts. */
import { formatIp, parseIp } from '../../base/ip-address.ts'
import { TYPE } from './codes.ts'
import { DnsMalformed } from './malformed.ts'
import { DnsName, nameEnd, readName } from './name.ts'
import type { DnsRecord } from './record.ts'

/** The numbers of an SOA record (RFC 1035 §3.3.13). Times are seconds. */
export interface Soa {
  readonly primary: DnsName
  /** The address of whoever is responsible, its first label in front of the `@`. */
  readonly mailbox: DnsName
  readonly serial: number
  readonly refreshS: number
  readonly retryS: number
  readonly expireS: number
  readonly minimumS: number
}

/** How many bytes stand in front of the name that a record leads to, by type. */
const BEFORE_TARGET: Readonly<Record<number, number>> = {
  [TYPE.CNAME]: 0,
  [TYPE.NS]: 0,
  [TYPE.PTR]: 0,
  [TYPE.DNAME]: 0,
  [TYPE.MX]: 2,
  [TYPE.SRV]: 6,
  [TYPE.SVCB]: 2,
  [TYPE.HTTPS]: 2,
}

/** The name that a CNAME, NS, PTR, DNAME, MX, SRV, SVCB or HTTPS record leads to; undefined for other types. Throws `DnsMalformed`. */
export function targetOf({ type, rdata }: DnsRecord): DnsName | undefined {
  const before = BEFORE_TARGET[type]
  return before === undefined ? undefined : readName(rdata, before)
}

/** The data of a CNAME, NS, PTR or DNAME record. */
export const nameRdata = (name: DnsName): Buffer => Buffer.from(name.wire, 'latin1')

/** Throws `DnsMalformed`. */
export function readSoa(rdata: Buffer): Soa {
  const primary = readName(rdata, 0)
  const mailbox = readName(rdata, nameEnd.at)
  const at = nameEnd.at
  if (at + 20 !== rdata.length) throw new DnsMalformed('the data of an SOA record is cut')
  return {
    primary,
    mailbox,
    serial: rdata.readUInt32BE(at),
    refreshS: rdata.readUInt32BE(at + 4),
    retryS: rdata.readUInt32BE(at + 8),
    expireS: rdata.readUInt32BE(at + 12),
    minimumS: rdata.readUInt32BE(at + 16),
  }
}

export function soaRdata(soa: Soa): Buffer {
  const { primary, mailbox, serial, refreshS, retryS, expireS, minimumS } = soa
  const numbers = Buffer.alloc(20)
  for (const [index, value] of [serial, refreshS, retryS, expireS, minimumS].entries())
    numbers.writeUInt32BE(value, index * 4)
  return Buffer.concat([nameRdata(primary), nameRdata(mailbox), numbers])
}

/** The data of an A or AAAA record, by the family of the address; undefined where the text is no address. */
export function addressRdata(text: string): Buffer | undefined {
  const ip = parseIp(text)
  if (!ip) return undefined
  const isIpv6 = text.includes(':')
  const bytes = Buffer.alloc(isIpv6 ? 16 : 4)
  // What is written as an IPv6 address is data of an AAAA record, mapped or not.
  const words = isIpv6 && ip.family === 4 ? [0, 0, 0xffff, ip.words[3]] : ip.words.slice(isIpv6 ? 0 : 3)
  for (const [index, word] of words.entries()) bytes.writeUInt32BE(word, index * 4)
  return bytes
}

/** The address in the data of an A or AAAA record; undefined where it is neither. */
export function addressText(rdata: Buffer): string | undefined {
  const word = (at: number) => rdata.readUInt32BE(at)
  if (rdata.length === 4) return formatIp({ family: 4, words: [0, 0, 0, word(0)] })
  if (rdata.length !== 16) return undefined
  return formatIp({ family: 6, words: [word(0), word(4), word(8), word(12)] })
}

/** The strings of a TXT record, as bytes. Throws `DnsMalformed`. */
export function txtStrings(rdata: Buffer): Buffer[] {
  const strings: Buffer[] = []
  for (let at = 0; at < rdata.length; at += 1 + rdata[at]!) {
    const end = at + 1 + rdata[at]!
    if (end > rdata.length) throw new DnsMalformed('the data of a TXT record is cut')
    strings.push(rdata.subarray(at + 1, end))
  }
  return strings
}

/** The data of a TXT record: a text longer than 255 bytes goes on in the next string. An empty list is one empty string. */
export function txtRdata(...texts: readonly (string | Buffer)[]): Buffer {
  const pieces: Buffer[] = []
  for (const text of texts.length === 0 ? [''] : texts) {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text
    let at = 0
    do {
      const piece = bytes.subarray(at, at + 255)
      pieces.push(Buffer.of(piece.length), piece)
      at += 255
    } while (at < bytes.length)
  }
  return Buffer.concat(pieces)
}
