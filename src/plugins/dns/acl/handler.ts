/** Asks the rules about each query, and answers those that are kept out. */
import {
  type DnsController,
  type DnsCounter,
  type DnsHandler,
  type DnsNext,
  type DnsOutcome,
  type DnsQuery,
  DROPPED,
} from '../../../contract/dns.ts'
import { RCODE } from '../../../wire/dns/codes.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import { actionOf, type Rule } from './rule.ts'

export class AclHandler implements DnsHandler {
  readonly #rules: readonly Rule[]
  readonly #blocked: DnsCounter
  readonly #filtered: DnsCounter
  readonly #dropped: DnsCounter
  readonly #allowed: DnsCounter

  constructor(rules: readonly Rule[], { metrics }: DnsController) {
    this.#rules = rules
    const counter = (what: string) =>
      metrics.counter(`coredns_acl_${what}_requests_total`, `Counter of DNS requests being ${what}.`, [
        'server',
        'zone',
        'view',
      ])
    this.#blocked = counter('blocked')
    this.#filtered = counter('filtered')
    this.#dropped = counter('dropped')
    this.#allowed = metrics.counter(
      'coredns_acl_allowed_requests_total',
      'Counter of DNS requests being allowed.',
      ['server', 'view'],
    )
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const rules = this.#rules
    for (let index = 0; index < rules.length; index++) {
      const { zones, policies } = rules[index]!
      const zone = zoneAround(zones, query.qname)
      if (zone === undefined) continue
      const action = actionOf(policies, query.address(), query.qtype)
      if (action === undefined) continue
      if (action === 'allow') break
      const labels = [query.server, zone.toString(), query.view]
      if (action === 'drop') {
        this.#dropped.add(1, ...labels)
        return DROPPED
      }
      if (action === 'block') {
        this.#blocked.add(1, ...labels)
        query.explain('blocked', '')
        return query.reply(RCODE.REFUSED)
      }
      this.#filtered.add(1, ...labels)
      query.explain('filtered', '')
      return query.reply()
    }
    this.#allowed.add(1, query.server, query.view)
    return next(query)
  }
}

/** The longest of the zones that the name lies in. */
function zoneAround(zones: readonly DnsName[], name: DnsName): DnsName | undefined {
  let best: DnsName | undefined
  for (let index = 0; index < zones.length; index++) {
    const zone = zones[index]!
    if (name.isWithin(zone) && (best === undefined || zone.key.length > best.key.length)) best = zone
  }
  return best
}
