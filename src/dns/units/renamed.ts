/** A question that a unit put in place of the client's: the chain answers it, and the answer is given back under the client's. */
import { DnsStream, type DnsNext, type DnsOutcome, type DnsQuery } from '../../contract/dns.ts'
import { TYPE } from '../../wire/dns/codes.ts'
import type { DnsName } from '../../wire/dns/name.ts'
import type { DnsRecord } from '../../wire/dns/record.ts'
import type { UnitAsk } from './unit-answer.ts'

export async function askChain(query: DnsQuery, ask: UnitAsk, next: DnsNext): Promise<DnsOutcome> {
  const name = ask.name ?? query.qname
  const outcome = await next(query.with({ name, type: ask.type ?? query.qtype }))
  if (typeof outcome === 'number' || outcome instanceof DnsStream) return outcome
  // A cache may hold the same one.
  const answer = outcome.copy()
  answer.question = [...query.reply().question]
  if (!name.equals(query.qname)) {
    answer.answer = renamed(answer.answer, name, query.qname)
    answer.authority = renamed(answer.authority, name, query.qname)
    answer.additional = renamed(answer.additional, name, query.qname)
  }
  return answer
}

/** What is of the name that was asked is of the client's; what it points to stays. Signatures fit no more, and go. */
const renamed = (records: readonly DnsRecord[], from: DnsName, to: DnsName): DnsRecord[] =>
  records
    .filter(({ type, name }) => type !== TYPE.RRSIG || !name.equals(from))
    .map((record) => (record.name.equals(from) ? record.withName(to) : record))
