/**
 * Writes messages: names that were written before are pointed at (RFC 1035 §4.1.4), and what does not fit is left off whole set by whole set
 * (RFC 2181 §9).
 */
import { TYPE } from './codes.ts'
import { HEADER_BYTES, type DnsMessage } from './message.ts'
import { lowered } from './name.ts'
import { NAMES_INSIDE } from './rdata-names.ts'
import type { DnsRecord } from './record.ts'

/** How far a pointer reaches. */
const POINTER_MAX = 0x3fff
const OPT_BYTES = 11

/** Where names begin that stand in the message which is written, by what they are. Cleared for each message. */
const written = new Map<string, number>()

/**
 * Writes `message` to the beginning of `into`, which has room for `sizeMax` bytes, and returns how long it is. OPT always fits: its room is set aside. Where a set of
 * answers or authority does not fit, it is left off with all that follows and TC is set; additional records are left off without a word, but
 * for the addresses of a referral (RFC 9471).
 */
export function writeMessage(message: DnsMessage, into: Buffer, sizeMax: number): number {
  written.clear()
  const edns = message.edns
  let optBytes = edns ? OPT_BYTES : 0
  if (edns) for (const { data } of edns.options) optBytes += 4 + data.length
  const limit = sizeMax - optBytes
  let at = HEADER_BYTES
  for (const { name, type, class: klass } of message.question) {
    at = writeName(into, at, name.wire, name.key)
    at = write16(into, at, type)
    at = write16(into, at, klass)
  }
  sectionEnd.isCut = false
  at = writeSection(into, at, limit, message.answer)
  const answers = sectionEnd.count
  if (!sectionEnd.isCut) at = writeSection(into, at, limit, message.authority)
  const authorities = sectionEnd.isCut && answers < message.answer.length ? 0 : sectionEnd.count
  let isTruncated = message.isTruncated || sectionEnd.isCut
  let additionals = 0
  if (!sectionEnd.isCut) {
    at = writeSection(into, at, limit, message.additional)
    additionals = sectionEnd.count
    if (sectionEnd.isCut && isReferral(message)) isTruncated = true
  }
  if (edns) {
    into[at] = 0
    at = write16(into, at + 1, TYPE.OPT)
    at = write16(into, at, edns.udpSize)
    into[at] = message.rcode >> 4
    into[at + 1] = edns.version
    at = write16(into, at + 2, edns.isDo ? 0x8000 : 0)
    at = write16(into, at, optBytes - OPT_BYTES)
    for (const { code, data } of edns.options) {
      at = write16(into, at, code)
      at = write16(into, at, data.length)
      into.set(data, at)
      at += data.length
    }
  }
  write16(into, 0, message.id)
  write16(into, 2, message.flags | (isTruncated ? 0x0200 : 0))
  write16(into, 4, message.question.length)
  write16(into, 6, answers)
  write16(into, 8, authorities)
  write16(into, 10, additionals + (edns ? 1 : 0))
  return at
}

/** What came of the last section: how many of its records were written, and whether that is not all. */
const sectionEnd = { count: 0, isCut: false }

function writeSection(into: Buffer, from: number, limit: number, records: readonly DnsRecord[]): number {
  let at = from
  /** Where the set of records began that is written just now. */
  let setAt = at
  let setFirst = 0
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!
    if (index > 0 && !isOneSet(record, records[index - 1]!)) {
      setAt = at
      setFirst = index
    }
    const end = writeRecord(into, at, limit, record)
    if (end < 0) {
      sectionEnd.count = setFirst
      sectionEnd.isCut = true
      return setAt
    }
    at = end
  }
  sectionEnd.count = records.length
  return at
}

const isOneSet = (one: DnsRecord, other: DnsRecord): boolean =>
  one.type === other.type && one.name.key === other.name.key

/** -1 where it does not fit. What it left in `written` beyond `at` is dropped with the message: nothing is written behind a set that did not fit. */
function writeRecord(into: Buffer, from: number, limit: number, record: DnsRecord): number {
  const { name, rdata } = record
  // The most it can take: so no bound is looked at on the way. A message is rarely so full.
  if (from + name.wire.length + 10 + rdata.length > limit) return writeTight(into, from, limit, record)
  return writeWhole(into, from, record)
}

function writeWhole(into: Buffer, from: number, record: DnsRecord): number {
  const { name, type, rdata, ttl } = record
  let at = writeName(into, from, name.wire, name.key)
  at = write16(into, at, type)
  at = write16(into, at, record.class)
  into[at] = ttl >>> 24
  into[at + 1] = ttl >>> 16
  at = write16(into, at + 2, ttl & 0xffff)
  const lengthAt = at
  at += 2
  const names = NAMES_INSIDE[type]
  if (names?.mayCompress && rdata.length > 0)
    at = writeRdataWithNames(into, at, rdata, names.before, names.names)
  else {
    copyBytes(rdata, into, at)
    at += rdata.length
  }
  write16(into, lengthAt, at - lengthAt - 2)
  return at
}

/** Near the end of the room: written aside, as it may be short enough once it is compressed. */
function writeTight(into: Buffer, from: number, limit: number, record: DnsRecord): number {
  const room = into.length - from
  if (room < record.name.wire.length + 10 + record.rdata.length) return -1
  const end = writeWhole(into, from, record)
  return end > limit ? -1 : end
}

/** Short data byte by byte: a call into native code takes longer than that. */
function copyBytes(from: Buffer, into: Buffer, at: number): void {
  const length = from.length
  if (length > 32) into.set(from, at)
  else for (let index = 0; index < length; index++) into[at + index] = from[index]!
}

function writeRdataWithNames(
  into: Buffer,
  from: number,
  rdata: Buffer,
  before: number,
  count: number,
): number {
  let at = from
  let read = 0
  for (; read < before; read++) into[at++] = rdata[read]!
  for (let left = count; left > 0; left--) {
    const start = read
    while (rdata[read] !== 0) read += 1 + rdata[read]!
    read += 1
    const wire = rdata.toString('latin1', start, read)
    at = writeName(into, at, wire, lowered(wire))
  }
  for (; read < rdata.length; read++) into[at++] = rdata[read]!
  return at
}

/** Points at the longest end of the name that was written before, in whatever case. */
function writeName(into: Buffer, from: number, wire: string, key: string): number {
  let at = from
  let label = 0
  while (label < wire.length - 1) {
    const rest = label === 0 ? key : key.slice(label)
    const known = written.get(rest)
    if (known !== undefined) return write16(into, at, 0xc000 | known)
    if (at <= POINTER_MAX) written.set(rest, at)
    const end = label + 1 + wire.charCodeAt(label)
    for (; label < end; label++) into[at++] = wire.charCodeAt(label)
  }
  into[at] = 0
  return at + 1
}

function write16(into: Buffer, at: number, value: number): number {
  into[at] = value >>> 8
  into[at + 1] = value
  return at + 2
}

/** No answer, and name servers of a zone below: without their addresses nobody finds them. */
function isReferral({ isAuthoritative, answer, authority }: DnsMessage): boolean {
  return !isAuthoritative && answer.length === 0 && authority.some(({ type }) => type === TYPE.NS)
}

/** The message alone, in bytes of its own. */
export function encodeMessage(message: DnsMessage, sizeMax = 65_535): Buffer {
  const bytes = Buffer.allocUnsafe(sizeMax + 1024)
  return Buffer.from(bytes.subarray(0, writeMessage(message, bytes, sizeMax)))
}
