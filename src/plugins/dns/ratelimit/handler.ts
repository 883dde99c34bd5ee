/** Counts queries over UDP by network, of clients that did not prove that they have their address. */
import type { CidrSet } from '../../../base/cidr.ts'
import {
  type DnsController,
  type DnsCount,
  type DnsHandler,
  type DnsNext,
  type DnsOutcome,
  type DnsQuery,
  DROPPED,
} from '../../../contract/dns.ts'
import type { AddressLimiter } from '../../../limit/index.ts'
import { RCODE } from '../../../wire/dns/codes.ts'

export const OVER = ['truncate', 'refuse', 'drop'] as const
/** What becomes of a query over the limit. `truncate`: the client is to come over TCP, which no forged address does. */
export type Over = (typeof OVER)[number]
export const isOver = (text: string): text is Over => (OVER as readonly string[]).includes(text)

export interface RateLimits {
  readonly limiter: AddressLimiter
  readonly exempt: CidrSet
  readonly over: Over
}

export class RateLimitHandler implements DnsHandler {
  readonly #limits: RateLimits
  readonly #limited: DnsCount

  constructor(limits: RateLimits, { metrics }: Pick<DnsController, 'metrics'>) {
    this.#limits = limits
    this.#limited = metrics
      .counter('orla_dns_ratelimit_limited_total', 'Queries over UDP beyond the rate of their network.', [
        'over',
      ])
      .labelled(limits.over)
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const { limiter, exempt, over } = this.#limits
    if (query.isAddressProven || query.depth > 0) return next(query)
    const address = query.address()
    if (exempt.has(address) || limiter.take(address).allowed) return next(query)
    this.#limited.add(1)
    if (over === 'drop') return DROPPED
    query.explain('prohibited', 'too many queries from this network')
    if (over === 'refuse') return RCODE.REFUSED
    const answer = query.reply()
    answer.isTruncated = true
    return answer
  }
}
