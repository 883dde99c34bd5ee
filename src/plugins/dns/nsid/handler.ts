/** Puts the name of the server into answers to questions that have an NSID option, which is empty there (RFC 5001 §2). */
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { OPTION } from '../../../wire/dns/codes.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { type AnswerChange, changed } from '../answer-change.ts'

export class NsidHandler implements DnsHandler, AnswerChange {
  readonly #name: Buffer

  constructor(name: Buffer) {
    this.#name = name
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const outcome = next(query)
    const { edns } = query
    if (edns === undefined || !edns.options.some(({ code }) => code === OPTION.NSID)) return outcome
    return changed(this, outcome, query)
  }

  change(answer: DnsMessage, query: DnsQuery): DnsMessage {
    const named = answer.copy()
    query.sizeAndDo(named)
    const options = named.edns!.options.filter(({ code }) => code !== OPTION.NSID)
    named.edns = { ...named.edns!, options: [...options, { code: OPTION.NSID, data: this.#name }] }
    return named
  }
}
