/** What kind of answer a message is, as far as it may be kept, and for how long. */
import { EXTENDED_ERROR, OPTION, RCODE, TYPE } from '../../../wire/dns/codes.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import type { DnsRecord } from '../../../wire/dns/record.ts'

/** `error`: SERVFAIL and NOTIMP. Undefined in place of a kind: not to be kept. */
export type AnswerKind = 'success' | 'denial' | 'error'

/** Where no record says how long it holds. */
export const TTL_WITHOUT_RECORDS = 5

export function kindOf(message: DnsMessage, type: number): AnswerKind | undefined {
  const { rcode } = message
  if (rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP) return 'error'
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return undefined
  const hasSoa = message.authority.some((record) => record.type === TYPE.SOA)
  // Without a SOA nobody says how long a name does not exist (RFC 2308 §5).
  if (rcode === RCODE.NXDOMAIN) return hasSoa ? 'denial' : undefined
  if (message.answer.some((record) => record.type === type || type === TYPE.ANY)) return 'success'
  if (hasSoa) return 'denial'
  return message.answer.length > 0 ? 'denial' : 'success'
}

/** Seconds that the whole of it holds: as long as the record that holds shortest. */
export function leastTtl(message: DnsMessage): number {
  let least = Infinity
  for (const record of message.answer) least = Math.min(least, record.ttl)
  for (const record of message.authority) least = Math.min(least, record.ttl, negativeTtl(record))
  for (const record of message.additional) least = Math.min(least, record.ttl)
  return least === Infinity ? TTL_WITHOUT_RECORDS : least
}

/** The last number of a SOA (RFC 2308 §4). */
const negativeTtl = ({ type, rdata }: DnsRecord): number =>
  type === TYPE.SOA && rdata.length >= 4 ? rdata.readUInt32BE(rdata.length - 4) : Infinity

/** Whether it is meant for some clients only: it says for which part of the network it holds (RFC 7871 §7.3.1). */
export function hasClientScope({ edns }: DnsMessage): boolean {
  if (!edns) return false
  for (const { code, data } of edns.options)
    if (code === OPTION.CLIENT_SUBNET && data.length >= 4 && data[3] !== 0) return true
  return false
}

/** Whether a resolver in front of us gave an answer that is out of date. */
export function isStale({ edns }: DnsMessage): boolean {
  if (!edns) return false
  return edns.options.some(({ code, data }) => {
    if (code !== OPTION.EXTENDED_ERROR || data.length < 2) return false
    const error = data.readUInt16BE(0)
    return error === EXTENDED_ERROR['stale answer'] || error === EXTENDED_ERROR['stale NXDOMAIN answer']
  })
}

/** Whether all signatures hold at that time, in milliseconds since 1970: those that do not are of no use to who checks them (RFC 4034 §3.1.5). */
export function areSignaturesInForce({ answer, authority }: DnsMessage, nowMs: number): boolean {
  const now = Math.floor(nowMs / 1000) | 0
  return (
    answer.every((record) => isInForce(record, now)) && authority.every((record) => isInForce(record, now))
  )
}

/** Times go round every 136 years: the nearer half counts (RFC 1982). */
const isInForce = ({ type, rdata }: DnsRecord, now: number): boolean =>
  type !== TYPE.RRSIG ||
  rdata.length < 16 ||
  (((rdata.readInt32BE(8) - now) | 0) >= 0 && ((now - rdata.readInt32BE(12)) | 0) >= 0)
