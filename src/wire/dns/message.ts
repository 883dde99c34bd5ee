/**
 * A message of the DNS (RFC 1035 §4): read whole from bytes, changed, and written with compression.
 *
 * Copy a message that others may hold before changing it: `copy` shares the records, which never change.
 */
import { TYPE } from './codes.ts'
import { type Edns, readOptions } from './edns.ts'
import { DnsMalformed } from './malformed.ts'
import { copyName, type DnsName, NAME_BYTES_MAX, nameEnd, readName } from './name.ts'
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
    const flags = read16(bytes, 2)
    message.id = read16(bytes, 0)
    message.flags = flags
    let at = HEADER_BYTES
    for (let left = read16(bytes, 4); left > 0; left--) {
      const name = readName(bytes, at)
      at = nameEnd.at + 4
      if (at > bytes.length) throw new DnsMalformed('a question is cut')
      message.question.push({ name, type: read16(bytes, at - 4), class: read16(bytes, at - 2) })
    }
    at = message.#read(bytes, at, read16(bytes, 6), message.answer)
    at = message.#read(bytes, at, read16(bytes, 8), message.authority)
    at = message.#read(bytes, at, read16(bytes, 10), message.additional)
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
    /** Most owners are a pointer, and most often the same one: to the question. */
    let pointer = this.question.length > 0 ? HEADER_BYTES : -1
    let pointed = this.question[0]?.name
    for (let left = count; left > 0; left--) {
      const target = at + 1 < bytes.length && bytes[at]! >= 0xc0 ? read16(bytes, at) & 0x3fff : -1
      let name = pointed
      if (target >= 0 && target === pointer) at += 2
      else {
        name = readName(bytes, at)
        at = nameEnd.at
        if (target >= 0) {
          pointer = target
          pointed = name
        }
      }
      if (at + 10 > bytes.length) throw new DnsMalformed('a record is cut')
      const type = read16(bytes, at)
      const klass = read16(bytes, at + 2)
      const ttl = read16(bytes, at + 4) * 0x1_0000 + read16(bytes, at + 6)
      const start = at + 10
      at = start + read16(bytes, at + 8)
      if (at > bytes.length) throw new DnsMalformed('the data of a record is cut')
      if (type === TYPE.OPT) {
        if (into !== this.additional) throw new DnsMalformed('an OPT record is not in the additional section')
        this.#readOpt(bytes, name!, klass, ttl, start, at)
        continue
      }
      // RFC 8945 §5.1: anything behind it would not be signed.
      if (type === TYPE.TSIG && (into !== this.additional || left > 1))
        throw new DnsMalformed('a TSIG record is not the last one')
      // A TTL with its highest bit set counts as zero (RFC 2181 §8).
      const ttlS = ttl > 0x7fff_ffff ? 0 : ttl
      into.push(new DnsRecord(name!, type, ttlS, readRdata(bytes, type, start, at), klass))
    }
    return at
  }

  #readOpt(bytes: Buffer, name: DnsName, udpSize: number, ttl: number, from: number, to: number): void {
    if (this.edns) throw new DnsMalformed('a message has two OPT records')
    if (name.wire.length > 1) throw new DnsMalformed('an OPT record has an owner')
    // A copy: the bytes of the message may be used again.
    const options = from === to ? [] : readOptions(Buffer.from(bytes.subarray(from, to)), 0, to - from)
    if (!options) throw new DnsMalformed('an option of EDNS is cut')
    this.edns = { udpSize, version: (ttl >> 16) & 0xff, isDo: (ttl & 0x8000) !== 0, options }
    this.rcode |= (ttl >>> 24) << 4
  }
}

const read16 = (bytes: Buffer, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

const whole = Buffer.alloc(MESSAGE_BYTES_MAX + 2 * NAME_BYTES_MAX)

/** The data of a record with its names whole. Always a copy. Throws `DnsMalformed`. */
export function readRdata(bytes: Buffer, type: number, from: number, to: number): Buffer {
  const names = NAMES_INSIDE[type]
  if (!names || from === to) return copied(bytes, from, to)
  let at = from + names.before
  if (at > to) throw new DnsMalformed('the data of a record is cut')
  let length = 0
  for (let index = from; index < at; index++) whole[length++] = bytes[index]!
  for (let left = names.names; left > 0; left--) {
    length = copyName(bytes, at, to, whole, length)
    at = nameEnd.at
  }
  while (at < to) whole[length++] = bytes[at++]!
  if (length > MESSAGE_BYTES_MAX)
    throw new DnsMalformed('the data of a record is too long once its names are whole')
  return copied(whole, 0, length)
}

/** Short data byte by byte: a call into native code takes longer than that. */
function copied(bytes: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from)
  if (to - from > 32) bytes.copy(copy, 0, from, to)
  else for (let at = from; at < to; at++) copy[at - from] = bytes[at]!
  return copy
}
