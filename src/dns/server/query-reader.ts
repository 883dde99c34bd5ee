/**
 * Reads what is asked out of a packet.
 *
 * Nearly every query is a header, one question and maybe an OPT record right behind: that is read in place. All else is read whole first, so that
 * nothing malformed goes any further. What is malformed ends where that is seen: it costs less than what is not.
 */
import { OPCODE, RCODE, TYPE } from '../../wire/dns/codes.ts'
import { type Edns, readOptions } from '../../wire/dns/edns.ts'
import { DnsMalformed } from '../../wire/dns/malformed.ts'
import { DnsMessage, HEADER_BYTES } from '../../wire/dns/message.ts'
import { DnsName, nameEnd, readName } from '../../wire/dns/name.ts'
import type { Asked } from '../query.ts'

/** What is asked; or the rcode of the answer to what cannot be asked; or `IGNORED`. */
export type Reading = Asked | number
/** No query at all: whoever sent it is not answered, lest two servers answer each other for ever. */
export const IGNORED = -1

const FLAG_RESPONSE = 0x8000
const FLAG_RD = 0x0100
const FLAG_AD = 0x0020
const FLAG_CD = 0x0010

/** `bytes` from `from` to `to` is the packet. */
export function readQuery(bytes: Buffer, from: number, to: number): Reading {
  if (to - from < HEADER_BYTES) return IGNORED
  const flags = read16(bytes, from + 2)
  if ((flags & FLAG_RESPONSE) !== 0) return IGNORED
  const opcode = (flags >> 11) & 0x0f
  if (opcode !== OPCODE.QUERY && opcode !== OPCODE.NOTIFY) return RCODE.NOTIMP
  const questions = read16(bytes, from + 4)
  const additionals = read16(bytes, from + 10)
  const isPlain = read16(bytes, from + 6) === 0 && read16(bytes, from + 8) === 0
  try {
    if (questions === 1 && isPlain && additionals <= 1) {
      // Names point from the beginning of their message.
      const message = from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to)
      const asked = readPlain(message, flags, additionals)
      if (asked !== undefined) return asked
    }
    return readWhole(bytes.subarray(from, to), flags)
  } catch (error) {
    if (error instanceof DnsMalformed) return RCODE.FORMERR
    throw error
  }
}

/** Undefined: something else than OPT stands behind the question. */
function readPlain(bytes: Buffer, flags: number, additionals: number): Asked | undefined {
  const name = readName(bytes, HEADER_BYTES)
  const at = nameEnd.at
  // Nothing stands in front of it that it could point at.
  if (at !== HEADER_BYTES + name.wire.length) throw new DnsMalformed('a question is compressed')
  if (at + 4 > bytes.length) throw new DnsMalformed('a question is cut')
  const end = at + 4
  let edns: Edns | undefined
  if (additionals === 0) {
    if (end !== bytes.length) throw new DnsMalformed('something stands behind the last record')
  } else {
    if (end + 11 > bytes.length || bytes[end] !== 0 || read16(bytes, end + 1) !== TYPE.OPT) return undefined
    const optionsAt = end + 11
    if (optionsAt + read16(bytes, end + 9) !== bytes.length) return undefined
    const options = optionsAt === bytes.length ? [] : readOptions(bytes, optionsAt, bytes.length)
    if (!options) throw new DnsMalformed('an option of EDNS is cut')
    edns = {
      udpSize: read16(bytes, end + 3),
      version: bytes[end + 6]!,
      isDo: (bytes[end + 7]! & 0x80) !== 0,
      options,
    }
  }
  return askedOf(bytes, flags, name, read16(bytes, at), read16(bytes, at + 2), edns)
}

function readWhole(bytes: Buffer, flags: number): Reading {
  const message = DnsMessage.decode(bytes)
  const [question, more] = message.question
  // One question alone (RFC 9619 §4); none at all asks for a cookie (RFC 7873 §5.4), or for nothing.
  if (more) return RCODE.FORMERR
  if (!question) {
    if (!message.edns) return RCODE.FORMERR
    return { ...askedOf(bytes, flags, DnsName.ROOT, 0, 0, message.edns), isWithoutQuestion: true }
  }
  const signature = message.additional.findIndex(({ type }) => type === TYPE.TSIG)
  // It is the last record, and there is one at most (RFC 8945 §5.1).
  if (signature >= 0 && signature !== message.additional.length - 1) return RCODE.FORMERR
  return askedOf(bytes, flags, question.name, question.type, question.class, message.edns)
}

function askedOf(
  bytes: Buffer,
  flags: number,
  name: DnsName,
  type: number,
  klass: number,
  edns: Edns | undefined,
): Asked {
  return {
    id: read16(bytes, 0),
    opcode: (flags >> 11) & 0x0f,
    isRecursionDesired: (flags & FLAG_RD) !== 0,
    isCheckingDisabled: (flags & FLAG_CD) !== 0,
    isAuthenticWanted: (flags & FLAG_AD) !== 0,
    isWithoutQuestion: false,
    name,
    type,
    class: klass,
    edns,
  }
}

const read16 = (bytes: Buffer, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!
