/** Changes what the rest of the chain answers, at once or when it comes. Outcomes without a message, and streams, go on as they are. */
import type { DnsOutcome, DnsQuery } from '../../contract/dns.ts'
import { DnsMessage } from '../../wire/dns/message.ts'

export interface AnswerChange {
  /** The answer may be in a cache: it is copied before it is changed. */
  change(answer: DnsMessage, query: DnsQuery): DnsOutcome
}

export function changed(
  by: AnswerChange,
  outcome: DnsOutcome | Promise<DnsOutcome>,
  query: DnsQuery,
): DnsOutcome | Promise<DnsOutcome> {
  if (outcome instanceof DnsMessage) return by.change(outcome, query)
  if (!(outcome instanceof Promise)) return outcome
  return outcome.then((late) => (late instanceof DnsMessage ? by.change(late, query) : late))
}
