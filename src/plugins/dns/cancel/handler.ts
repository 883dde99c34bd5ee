/** Answers SERVFAIL where the rest of the chain takes longer than it may. What it answers later is let go. */
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { RCODE } from '../../../wire/dns/codes.ts'

export class CancelHandler implements DnsHandler {
  readonly #ms: number

  constructor(ms: number) {
    this.#ms = ms
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const outcome = next(query)
    if (!(outcome instanceof Promise)) return outcome
    return new Promise<DnsOutcome>((resolve, reject) => {
      const timer = setTimeout(() => {
        query.explain('other', `${query.answeredBy}: no answer within ${this.#ms} ms`)
        resolve(RCODE.SERVFAIL)
      }, this.#ms)
      outcome.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }
}
