/** Answers without records: the name is there, the type is not (RFC 2308 §2.2). The SOA comes from whoever has the zone. */
import type { DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { TYPE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'

/** Where nobody behind has a zone: a resolver remembers for that long that there is nothing. */
const OWN_TTL_SECONDS = 30

export function nothingHere(
  reply: DnsMessage,
  query: DnsQuery,
  next: DnsNext,
): DnsOutcome | Promise<DnsOutcome> {
  const answeredBy = query.answeredBy
  const finish = (outcome: DnsOutcome): DnsMessage => {
    query.answeredBy = answeredBy
    reply.authority.push(soaOf(outcome) ?? ownSoa(query, OWN_TTL_SECONDS))
    return reply
  }
  const outcome = next(query.with({ type: TYPE.SOA }))
  return outcome instanceof Promise ? outcome.then(finish) : finish(outcome)
}

/** The SOA of an answer or of what it says about a name that is not there, for as long as that is to be remembered (RFC 2308 §5). */
function soaOf(outcome: DnsOutcome): DnsRecord | undefined {
  if (!(outcome instanceof DnsMessage)) return undefined
  const soa =
    outcome.answer.find(({ type }) => type === TYPE.SOA) ??
    outcome.authority.find(({ type }) => type === TYPE.SOA)
  if (!soa || soa.rdata.length < 4) return undefined
  const minimum = soa.rdata.readUInt32BE(soa.rdata.length - 4)
  return minimum < soa.ttl ? soa.withTtl(minimum) : soa
}

/** Of the zone of the server block, or of the name itself where that has all names. */
export function ownSoa({ zone, qname }: DnsQuery, ttlSeconds: number): DnsRecord {
  const owner = zone.equals(DnsName.ROOT) ? qname : zone
  const mailbox = owner.below('hostmaster') ?? owner
  const numbers = Buffer.alloc(20)
  for (const [index, number] of [1, 3600, 600, 604_800, ttlSeconds].entries())
    numbers.writeUInt32BE(number, index * 4)
  const rdata = Buffer.concat([Buffer.from(owner.wire + mailbox.wire, 'latin1'), numbers])
  return new DnsRecord(owner, TYPE.SOA, ttlSeconds, rdata)
}
