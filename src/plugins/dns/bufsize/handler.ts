/** Lowers what a client says that it takes over UDP, so that answers are not sent in fragments. */
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'

export class BufsizeHandler implements DnsHandler {
  readonly #bytes: number

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    if (query.sizeMax > this.#bytes) query.sizeMax = this.#bytes
    return next(query)
  }
}
