/**
 * Writes messages: names that were written before are pointed at (RFC 1035 §4.1.4), and what does not fit is left off whole set by whole set
 * (RFC 2181 §9).
 */
import { RCODE, TYPE } from './codes.ts'
import { HEADER_BYTES, type DnsMessage } from './message.ts'
import { NAME_BYTES_MAX } from './name.ts'
import { compressBytesInto, compressInto, forgetNames } from './name-compressor.ts'
import { NAMES_INSIDE } from './rdata-names.ts'
import type { DnsRecord } from './record.ts'

const OPT_BYTES = 11

/**
 * Writes `message` to the beginning of `into`, which has room for `sizeMax` bytes, and returns how long it is. OPT always fits: its room is set aside. Where a set of
 * answers or authority does not fit, it is left off with all that follows and TC is set; additional records are left off without a word, but
 * for the addresses of a referral (RFC 9471).
 */
export function writeMessage(message: DnsMessage, into: Buffer, sizeMax: number): number {
  forgetNames()
  const edns = message.edns
  let optBytes = edns ? OPT_BYTES : 0
  if (edns) for (const { data } of edns.options) optBytes += 4 + data.length
  let at = HEADER_BYTES
  for (const { name, type, class: klass } of message.question) {
    at = compressInto(into, at, name.wire, name.key)
    at = write16(into, at, type)
    at = write16(into, at, klass)
  }
  // Options that leave no room even for the question are the ones that are left off.
  const hasOptions = at + optBytes <= sizeMax
  if (edns && !hasOptions) optBytes = OPT_BYTES
  const limit = sizeMax - optBytes
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
    for (const { code, data } of hasOptions ? edns.options : []) {
      at = write16(into, at, code)
      at = write16(into, at, data.length)
      into.set(data, at)
      at += data.length
    }
  }
  write16(into, 0, message.id)
  // A code that needs OPT (RFC 6891 §6.1.3) would read as another one without it.
  const rcode = edns || message.rcode < 16 ? 0 : RCODE.SERVFAIL
  write16(
    into,
    2,
    (rcode === 0 ? message.flags : (message.flags & 0xfff0) | rcode) | (isTruncated ? 0x0200 : 0),
  )
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

/** -1 where it does not fit. The names of it that are remembered are of no harm: nothing with names is written behind a set that did not fit. */
function writeRecord(into: Buffer, from: number, limit: number, record: DnsRecord): number {
  const { name, rdata } = record
  // The most it can take: so no bound is looked at on the way. A message is rarely so full.
  if (from + name.wire.length + 10 + rdata.length > limit) return writeTight(into, from, limit, record)
  return writeWhole(into, from, record)
}

function writeWhole(into: Buffer, from: number, record: DnsRecord): number {
  const { name, type, rdata, ttl } = record
  let at = compressInto(into, from, name.wire, name.key)
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
  while (read < before) into[at++] = rdata[read++]!
  for (let left = count; left > 0; left--) {
    const start = read
    // Data that was not read from a message may be anything: what is no name is copied.
    while (read < rdata.length && rdata[read] !== 0) read += 1 + rdata[read]!
    read += 1
    if (read > rdata.length || read - start > NAME_BYTES_MAX) {
      read = start
      break
    }
    at = compressBytesInto(into, at, rdata, start, read)
  }
  while (read < rdata.length) into[at++] = rdata[read++]!
  return at
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
