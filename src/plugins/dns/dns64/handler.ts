/** Where a name has no addresses of IPv6, its addresses of IPv4 are shown as some. */
import type {
  DnsController,
  DnsCounter,
  DnsHandler,
  DnsNext,
  DnsOutcome,
  DnsQuery,
} from '../../../contract/dns.ts'
import { CLASS, RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import { embedded, isMapped, type Nat64Prefix } from './prefix.ts'

export interface Dns64Options {
  readonly prefix: Nat64Prefix
  /** Also for names that have addresses of IPv6. */
  readonly isForAll: boolean
  /** Also for clients that came over IPv4. */
  readonly isForIpv4: boolean
}

/** Seconds, where no SOA says how long there is no address of IPv6 (RFC 6147 §5.1.7). */
const TTL_WITHOUT_SOA = 600

export class Dns64Handler implements DnsHandler {
  readonly #options: Dns64Options
  readonly #lookup: DnsController['lookup']
  readonly #translated: DnsCounter

  constructor(options: Dns64Options, { lookup, metrics }: DnsController) {
    this.#options = options
    this.#lookup = lookup
    this.#translated = metrics.counter(
      'coredns_dns64_requests_translated_total',
      'Counter of DNS requests translated by dns64.',
      ['server'],
    )
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    if (!this.#isMeant(query)) return next(query)
    const outcome = next(query)
    return outcome instanceof Promise
      ? outcome.then((late) => this.#translate(query, late))
      : this.#translate(query, outcome)
  }

  #isMeant(query: DnsQuery): boolean {
    if (query.qtype !== TYPE.AAAA || query.qclass !== CLASS.IN) return false
    // Who checks signatures itself would find that what we make has none (RFC 6147 §5.5).
    if (query.do() && query.isCheckingDisabled) return false
    return this.#options.isForIpv4 || query.family() === 2
  }

  #translate(query: DnsQuery, outcome: DnsOutcome): DnsOutcome | Promise<DnsOutcome> {
    if (!(outcome instanceof DnsMessage) || outcome.rcode === RCODE.NXDOMAIN) return outcome
    if (!this.#options.isForAll && outcome.answer.some(isReachable)) return outcome
    return this.#synthesize(query, outcome)
  }

  async #synthesize(query: DnsQuery, outcome: DnsMessage): Promise<DnsOutcome> {
    const found = await this.#lookup(query, query.qname, TYPE.A)
    // Nothing to make one of: the client learns what there is (RFC 6147 §5.1.6).
    if (!found?.answer.some(({ type }) => type === TYPE.A)) return outcome
    const soa = outcome.authority.find(({ type }) => type === TYPE.SOA)
    const ttlMax = soa?.ttl ?? TTL_WITHOUT_SOA
    const answer = query.reply()
    answer.isRecursionAvailable = found.isRecursionAvailable
    answer.isAuthoritative = found.isAuthoritative
    answer.isTruncated = found.isTruncated
    answer.authority = found.authority
    answer.additional = found.additional
    for (const record of found.answer) {
      // Signatures are over the addresses of IPv4: they hold no longer.
      if (record.type === TYPE.A)
        answer.answer.push(
          new DnsRecord(
            record.name,
            TYPE.AAAA,
            Math.min(record.ttl, ttlMax),
            embedded(this.#options.prefix, record.rdata),
          ),
        )
      else if (!isSignatureOfA(record)) answer.answer.push(record)
    }
    this.#translated.add(1, query.server)
    return answer
  }
}

const isReachable = ({ type, rdata }: DnsRecord): boolean => type === TYPE.AAAA && !isMapped(rdata)

const isSignatureOfA = ({ type, rdata }: DnsRecord): boolean =>
  type === TYPE.RRSIG && rdata.length >= 2 && rdata.readUInt16BE(0) === TYPE.A
