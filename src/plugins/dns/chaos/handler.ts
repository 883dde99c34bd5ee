/** TXT in the class CH: `version.bind`, `version.server`, `authors.bind`, `hostname.bind` and `id.server` (RFC 4892). */
import { hostname } from 'node:os'
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { CLASS, TYPE } from '../../../wire/dns/codes.ts'
import { txtRdata } from '../../../wire/dns/common-rdata.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'

const keyOf = (name: string): string => DnsName.parse(name).key

export class ChaosHandler implements DnsHandler {
  /** By key of the name: the data of each record. */
  readonly #data: ReadonlyMap<string, readonly Buffer[]>

  constructor(version: string, authors: readonly string[]) {
    const own = [txtRdata(version)]
    const host = [txtRdata(hostname() || 'localhost')]
    this.#data = new Map([
      [keyOf('version.bind'), own],
      [keyOf('version.server'), own],
      [keyOf('authors.bind'), authors.map((author) => txtRdata(author))],
      [keyOf('hostname.bind'), host],
      [keyOf('id.server'), host],
    ])
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    if (query.qclass !== CLASS.CH || query.qtype !== TYPE.TXT) return next(query)
    const data = this.#data.get(query.qname.key)
    if (!data) return next(query)
    const answer = query.reply()
    for (const rdata of data) answer.answer.push(new DnsRecord(query.qname, TYPE.TXT, 0, rdata, CLASS.CH))
    return answer
  }
}
