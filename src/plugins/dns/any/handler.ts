/** One made-up HINFO for a question for all types (RFC 8482 §4.2): a short answer is of no use to whoever wants to flood somebody with it. */
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { TYPE } from '../../../wire/dns/codes.ts'
import { txtRdata } from '../../../wire/dns/common-rdata.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'

/** Long, so that it stays in caches; CoreDNS has the same. */
const TTL_S = 8482
/** HINFO is two strings, as those of TXT are written. */
const HINFO = txtRdata('ANY obsoleted', 'See RFC 8482')

export class AnyHandler implements DnsHandler {
  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    if (query.qtype !== TYPE.ANY) return next(query)
    const answer = query.reply()
    answer.answer.push(new DnsRecord(query.qname, TYPE.HINFO, TTL_S, HINFO))
    return answer
  }
}
