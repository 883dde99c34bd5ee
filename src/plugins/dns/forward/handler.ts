/** All `forward` lines of a server block: the first one that means the name is asked, and those behind it where its answer says so. */
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { OPCODE, RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import type { Forwarder } from './forwarder.ts'
import type { ForwardOptions } from './options.ts'

export class ForwardHandler implements DnsHandler {
  readonly #forwarders: readonly Forwarder[]

  constructor(forwarders: readonly Forwarder[]) {
    this.#forwarders = forwarders
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    // Zones are not handed out in the name of others, and updates are for who has the zone.
    const { opcode, qtype } = query
    if (opcode !== OPCODE.QUERY || qtype === TYPE.AXFR || qtype === TYPE.IXFR) return next(query)
    return this.#from(0, query, next)
  }

  #from(first: number, query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    for (let index = first; index < this.#forwarders.length; index++)
      if (isMeant(this.#forwarders[index]!.options, query.qname)) return this.#ask(index, query, next)
    return next(query)
  }

  async #ask(index: number, query: DnsQuery, next: DnsNext): Promise<DnsOutcome> {
    const forwarder = this.#forwarders[index]!
    const answer = await forwarder.ask(query)
    const isLast = index === this.#forwarders.length - 1
    if (isLast || !(answer instanceof DnsMessage) || !asksNext(forwarder.options, answer)) return answer
    return this.#from(index + 1, query, next)
  }
}

function isMeant({ from, except }: ForwardOptions, name: DnsName): boolean {
  if (!name.isWithin(from)) return false
  return except.length === 0 || name.key === from.key || !except.some((zone) => name.isWithin(zone))
}

const asksNext = ({ nextOn, isNextOnNodata }: ForwardOptions, { rcode, answer }: DnsMessage): boolean =>
  nextOn.includes(rcode) || (isNextOnNodata && rcode === RCODE.NOERROR && answer.length === 0)
