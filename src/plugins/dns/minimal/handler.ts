/** Takes the authority and additional sections off answers that say what was asked for. Denials, errors and referrals need theirs. */
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { type AnswerChange, changed } from '../answer-change.ts'

export class MinimalHandler implements DnsHandler, AnswerChange {
  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    // A transfer is many messages, and may be one of them.
    if (query.qtype === TYPE.AXFR || query.qtype === TYPE.IXFR) return next(query)
    return changed(this, next(query), query)
  }

  change(answer: DnsMessage): DnsMessage {
    if (answer.rcode !== RCODE.NOERROR || answer.answer.length === 0) return answer
    if (answer.authority.length === 0 && answer.additional.length === 0) return answer
    // With DNSSEC the proof that no name was closer goes with an answer out of a wildcard (RFC 4035 §3.1.3.3).
    if (answer.authority.some(({ type }) => type === TYPE.NSEC || type === TYPE.NSEC3)) return answer
    const less = answer.copy()
    less.authority = []
    less.additional = []
    return less
  }
}
