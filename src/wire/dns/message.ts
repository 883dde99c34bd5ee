/**
 * A message of the DNS (RFC 1035 §4): read whole from bytes, changed, and written with compression.
 *
 * Copy a message that others may hold before changing it: `copy` shares the records, which never change.
 */
import { TYPE } from './codes.ts'
import { type Edns, readOptions } from './edns.ts'
import { DnsMalformed } from './malformed.ts'
import { DnsName, nameEnd, readName } from './name.ts'
import { NAMES_INSIDE } from './rdata-names.ts'
import { DnsRecord } from './record.ts'

export const HEADER_BYTES = 12
export const MESSAGE_BYTES_MAX = 65_535

export interface Question {
  readonly name: DnsName
  readonly type: number
  readonly class: number
}

export class DnsMessage {
  id = 0
  isResponse = false
  opcode = 0
  isAuthoritative = false
  isTruncated = false
  isRecursionDesired = false
  isRecursionAvailable = false
  isAuthentic = false
  isCheckingDisabled = false
  /** With the upper bits that EDNS adds (RFC 6891 §6.1.3). */
  rcode = 0
  question: Question[] = []
  answer: DnsRecord[] = []
  authority: DnsRecord[] = []
  /** Without OPT, which is `edns`. */
  additional: DnsRecord[] = []
  edns: Edns | undefined

  copy(): DnsMessage {
    const copy = Object.assign(new DnsMessage(), this)
    copy.question = [...this.question]
    copy.answer = [...this.answer]
    copy.authority = [...this.authority]
    copy.additional = [...this.additional]
    copy.edns = this.edns && { ...this.edns, options: [...this.edns.options] }
    return copy
  }

  /** Reads all of it. Throws `DnsMalformed`: where anything is cut, leads astray, or stands behind the last record. */
  static decode(bytes: Buffer): DnsMessage {
    if (bytes.length < HEADER_BYTES) throw new DnsMalformed('a message is shorter than its header')
    const message = new DnsMessage()
    const flags = bytes.readUInt16BE(2)
    message.id = bytes.readUInt16BE(0)
    message.flags = flags
    let at = HEADER_BYTES
    for (let left = bytes.readUInt16BE(4); left > 0; left--) {
      const name = readName(bytes, at)
      at = nameEnd.at + 4
      if (at > bytes.length) throw new DnsMalformed('a question is cut')
      message.question.push({ name, type: bytes.readUInt16BE(at - 4), class: bytes.readUInt16BE(at - 2) })
    }
    at = message.#read(bytes, at, bytes.readUInt16BE(6), message.answer)
    at = message.#read(bytes, at, bytes.readUInt16BE(8), message.authority)
    at = message.#read(bytes, at, bytes.readUInt16BE(10), message.additional)
    if (at !== bytes.length) throw new DnsMalformed('something stands behind the last record')
    return message
  }

  /** The second word of the header, but for the upper bits of the rcode. */
  get flags(): number {
    return (
      (this.isResponse ? 0x8000 : 0) |
      (this.opcode << 11) |
      (this.isAuthoritative ? 0x0400 : 0) |
      (this.isTruncated ? 0x0200 : 0) |
      (this.isRecursionDesired ? 0x0100 : 0) |
      (this.isRecursionAvailable ? 0x0080 : 0) |
      (this.isAuthentic ? 0x0020 : 0) |
      (this.isCheckingDisabled ? 0x0010 : 0) |
      (this.rcode & 0x0f)
    )
  }

  set flags(flags: number) {
    this.isResponse = (flags & 0x8000) !== 0
    this.opcode = (flags >> 11) & 0x0f
    this.isAuthoritative = (flags & 0x0400) !== 0
    this.isTruncated = (flags & 0x0200) !== 0
    this.isRecursionDesired = (flags & 0x0100) !== 0
    this.isRecursionAvailable = (flags & 0x0080) !== 0
    this.isAuthentic = (flags & 0x0020) !== 0
    this.isCheckingDisabled = (flags & 0x0010) !== 0
    this.rcode = (this.rcode & 0xff0) | (flags & 0x0f)
  }

  #read(bytes: Buffer, from: number, count: number, into: DnsRecord[]): number {
    let at = from
    for (let left = count; left > 0; left--) {
      const name = readName(bytes, at)
      at = nameEnd.at
      if (at + 10 > bytes.length) throw new DnsMalformed('a record is cut')
      const type = bytes.readUInt16BE(at)
      const klass = bytes.readUInt16BE(at + 2)
      const ttl = bytes.readUInt32BE(at + 4)
      const start = at + 10
      at = start + bytes.readUInt16BE(at + 8)
      if (at > bytes.length) throw new DnsMalformed('the data of a record is cut')
      if (type === TYPE.OPT && into === this.additional) {
        this.#readOpt(bytes, name, klass, ttl, start, at)
        continue
      }
      // A TTL with its highest bit set counts as zero (RFC 2181 §8).
      into.push(
        new DnsRecord(name, type, ttl > 0x7fff_ffff ? 0 : ttl, readRdata(bytes, type, start, at), klass),
      )
    }
    return at
  }

  #readOpt(bytes: Buffer, name: DnsName, udpSize: number, ttl: number, from: number, to: number): void {
    if (this.edns) throw new DnsMalformed('a message has two OPT records')
    if (name.wire.length > 1) throw new DnsMalformed('an OPT record has an owner')
    const options = readOptions(bytes, from, to)
    if (!options) throw new DnsMalformed('an option of EDNS is cut')
    // A copy: the bytes of the message may be used again.
    const kept = options.map(({ code, data }) => ({ code, data: Buffer.from(data) }))
    this.edns = { udpSize, version: (ttl >> 16) & 0xff, isDo: (ttl & 0x8000) !== 0, options: kept }
    this.rcode |= (ttl >>> 24) << 4
  }
}

/** The data of a record with its names whole. Always a copy. */
export function readRdata(bytes: Buffer, type: number, from: number, to: number): Buffer {
  const names = NAMES_INSIDE[type]
  if (!names || from === to) return Buffer.from(bytes.subarray(from, to))
  let at = from + names.before
  if (at > to) throw new DnsMalformed('the data of a record is cut')
  let wire = bytes.toString('latin1', from, at)
  for (let left = names.names; left > 0; left--) {
    wire += readName(bytes, at, to).wire
    at = nameEnd.at
  }
  if (at > to) throw new DnsMalformed('a name goes beyond its record')
  return Buffer.from(wire + bytes.toString('latin1', at, to), 'latin1')
}
