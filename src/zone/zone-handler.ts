/** Answers from a table of zones: what the plugins `file`, `auto` and `secondary` have in common. */
import type {
  DnsController,
  DnsHandler,
  DnsNext,
  DnsOutcome,
  DnsQuery,
  DnsZoneSource,
} from '../contract/dns.ts'
import { CLASS, OPCODE, RCODE, TYPE } from '../wire/dns/codes.ts'
import { DnsMessage } from '../wire/dns/message.ts'
import { DnsName } from '../wire/dns/name.ts'
import type { DnsRecord } from '../wire/dns/record.ts'
import { leadsTo, lookUp } from './lookup.ts'
import { isNewer } from './serial.ts'
import type { Zone } from './zone.ts'

/** A zone that has a place in a table, whether or not it is there just now. */
export interface ServedZone {
  readonly origin: DnsName
  /** Undefined: it is not there, or no more, and questions for it fail. */
  readonly zone: Zone | undefined
  /** Why it is not there. */
  readonly absence?: string
  /** Somebody says that it changed. Undefined: that is nothing to this zone. */
  notified?(query: DnsQuery): DnsOutcome
}

export interface ZoneHandlerOptions {
  readonly lookup: DnsController['lookup']
  /** Only questions within these are looked at; undefined: whatever the table has. */
  readonly within?: readonly DnsName[]
  /** Questions within these go on to the next plugin where no such name is. */
  readonly fallthrough?: readonly DnsName[]
}

export class ZoneHandler implements DnsHandler, DnsZoneSource {
  readonly #options: ZoneHandlerOptions
  readonly #zones = new Map<string, ServedZone>()
  /** The only one, as most blocks have it: then there is nothing to look for. */
  #single: ServedZone | undefined

  constructor(options: ZoneHandlerOptions) {
    this.#options = options
  }

  put(zone: ServedZone): void {
    this.#zones.set(zone.origin.key, zone)
    this.#single = this.#zones.size === 1 ? zone : undefined
  }

  remove(origin: DnsName): void {
    this.#zones.delete(origin.key)
    this.#single = this.#zones.size === 1 ? [...this.#zones.values()][0] : undefined
  }

  get(origin: DnsName): ServedZone | undefined {
    return this.#zones.get(origin.key)
  }

  zones(): readonly DnsName[] {
    return [...this.#zones.values()].map(({ origin }) => origin)
  }

  records(origin: DnsName, sinceSerial?: number): Iterable<DnsRecord> | undefined {
    const zone = this.#zones.get(origin.key)?.zone
    if (!zone) return undefined
    return sinceSerial !== undefined && !isNewer(zone.serial, sinceSerial) ? [zone.soa] : zone.all()
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const { qname, qtype } = query
    const served = this.#zoneFor(qname, qtype)
    if (served === undefined || query.qclass !== CLASS.IN) return next(query)
    if (query.opcode === OPCODE.NOTIFY) return served.notified?.(query) ?? RCODE.REFUSED
    if (qtype === TYPE.AXFR || qtype === TYPE.IXFR) {
      query.explain('prohibited', 'transfers are not allowed')
      return RCODE.REFUSED
    }
    const { zone } = served
    if (zone === undefined) {
      query.explain('not ready', served.absence ?? 'the zone is not there')
      return RCODE.SERVFAIL
    }
    const reply = query.reply()
    const end = lookUp(zone, qname, qtype, query.do(), reply)
    if (end === 'elsewhere') return this.#follow(query, reply, leadsTo.name)
    if (end === 'no-name' && this.#fallsThrough(qname)) return next(query)
    return reply
  }

  /** The longest zone that the name lies in; of a zone's own DS, the one above it. */
  #zoneFor(name: DnsName, type: number): ServedZone | undefined {
    const { within } = this.#options
    if (within !== undefined && !within.some((zone) => name.isWithin(zone))) return undefined
    const single = this.#single
    if (single !== undefined) return name.isWithin(single.origin) ? single : undefined
    const { key } = name
    let own: ServedZone | undefined
    for (let at = 0; at < key.length; at += 1 + key.charCodeAt(at)) {
      const zone = this.#zones.get(at === 0 ? key : key.slice(at))
      if (zone === undefined) continue
      if (at > 0 || type !== TYPE.DS) return zone
      own = zone
    }
    return own
  }

  #fallsThrough(name: DnsName): boolean {
    return this.#options.fallthrough?.some((zone) => name.isWithin(zone)) ?? false
  }

  /** What a CNAME out of the zone leads to is asked of the whole server block. */
  async #follow(query: DnsQuery, reply: DnsMessage, target: DnsName): Promise<DnsOutcome> {
    const found = await this.#options.lookup(query, target, query.qtype)
    if (!(found instanceof DnsMessage)) return reply
    reply.answer.push(...found.answer)
    // RFC 6604 §3: the code is that of the last name.
    if (found.rcode === RCODE.NXDOMAIN || found.rcode === RCODE.SERVFAIL) reply.rcode = found.rcode
    if (found.answer.length === 0 || found.rcode === RCODE.NXDOMAIN) reply.authority.push(...found.authority)
    return reply
  }
}
