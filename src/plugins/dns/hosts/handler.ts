/** Answers A, AAAA and PTR out of a hosts file and what the Corefile has beside it. */
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { CLASS, RCODE, TYPE } from '../../../wire/dns/codes.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import type { HostsTable } from './hosts-table.ts'

export interface HostsHandlerOptions {
  readonly origins: readonly DnsName[]
  readonly ttlS: number
  /** Undefined: what is not there is not there. */
  readonly fallthrough: readonly DnsName[] | undefined
  /** Types that no hosts file has go on as well, where the name is there. */
  readonly fallsThroughUnsupported: boolean
  /** That of the Corefile. */
  readonly inline: HostsTable
}

export class HostsHandler implements DnsHandler {
  readonly #options: HostsHandlerOptions
  /** Replaced whole when the file changes. */
  file: HostsTable | undefined

  constructor(options: HostsHandlerOptions) {
    this.#options = options
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const { qname, qtype } = query
    if (query.qclass !== CLASS.IN) return next(query)
    // Reverse zones need not be named.
    if (qtype === TYPE.PTR) return this.#answerNames(query) ?? next(query)
    if (!this.#options.origins.some((origin) => qname.isWithin(origin))) return next(query)
    const fromFile = this.file?.addresses(qname)
    const inline = this.#options.inline.addresses(qname)
    if (!fromFile && !inline) {
      if (this.#fallsThrough(qname)) return next(query)
      // There is no SOA that could go with "no such name" (RFC 2308 §3).
      query.explain('other', 'the name is not in the hosts file')
      return RCODE.SERVFAIL
    }
    if (
      qtype !== TYPE.A &&
      qtype !== TYPE.AAAA &&
      this.#options.fallsThroughUnsupported &&
      this.#fallsThrough(qname)
    )
      return next(query)
    const reply = query.reply()
    reply.isAuthoritative = true
    for (const addresses of [fromFile, inline]) {
      if (addresses && qtype === TYPE.A) this.#add(reply, qname, qtype, addresses.a)
      else if (addresses && qtype === TYPE.AAAA) this.#add(reply, qname, qtype, addresses.aaaa)
    }
    return reply
  }

  #add(reply: DnsMessage, name: DnsName, type: number, data: readonly Buffer[]): void {
    for (const rdata of data) reply.answer.push(new DnsRecord(name, type, this.#options.ttlS, rdata))
  }

  #answerNames(query: DnsQuery): DnsMessage | undefined {
    const names = [
      ...(this.file?.names(query.qname) ?? []),
      ...(this.#options.inline.names(query.qname) ?? []),
    ]
    if (names.length === 0) return undefined
    const reply = query.reply()
    reply.isAuthoritative = true
    this.#add(
      reply,
      query.qname,
      TYPE.PTR,
      names.map(({ wire }) => Buffer.from(wire, 'latin1')),
    )
    return reply
  }

  #fallsThrough(name: DnsName): boolean {
    return this.#options.fallthrough?.some((zone) => name.isWithin(zone)) ?? false
  }
}
