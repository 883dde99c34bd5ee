/** An empty answer to every question; whoever asked stands in its additional section. */
import type { DnsHandler, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { TYPE } from '../../../wire/dns/codes.ts'
import { addressRdata } from '../../../wire/dns/common-rdata.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'

const ADDRESS_TYPES = [TYPE.A, TYPE.AAAA] as const

export class WhoamiHandler implements DnsHandler {
  handle(query: DnsQuery): DnsOutcome {
    const answer = query.reply()
    answer.isAuthoritative = true
    const { qname, qclass } = query
    const type = ADDRESS_TYPES[query.family() - 1]!
    answer.additional.push(new DnsRecord(qname, type, 0, addressRdata(query.ip())!, qclass))
    const owner = qname.below(`_${query.proto()}`)
    // Priority and weight 0, the port, and no target.
    const place = Buffer.alloc(7)
    place.writeUInt16BE(query.port(), 4)
    if (owner) answer.additional.push(new DnsRecord(owner, TYPE.SRV, 0, place, qclass))
    return answer
  }
}
