/**
 * `localhost`, its reverse names, and names such as `localhost.example.org` that resolvers of clients make of it: answered here, so that nobody asks
 * the root for them (RFC 6303, RFC 6761 §6.3).
 */
import type { DnsCounter, DnsHandler, DnsLog, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { addressRdata, nameRdata, soaRdata } from '../../../wire/dns/common-rdata.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import { DnsName } from '../../../wire/dns/name.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'

const TTL_S = 604_800
const LOCALHOST = DnsName.parse('localhost.')
const LOOPBACK = DnsName.parse('1.0.0.127.in-addr.arpa.')
const ZONES = ['localhost.', '0.in-addr.arpa.', '127.in-addr.arpa.', '255.in-addr.arpa.'].map((zone) =>
  DnsName.parse(zone),
)
/** The first label of `localhost.example.org`. */
const LOCALHOST_LABEL = '\x09localhost'

const A = addressRdata('127.0.0.1')!
const AAAA = addressRdata('::1')!
const NAME = nameRdata(LOCALHOST)
const SOA = soaRdata({
  primary: LOCALHOST,
  mailbox: DnsName.parse('root.localhost.'),
  serial: 1,
  refreshS: 0,
  retryS: 0,
  expireS: 0,
  minimumS: TTL_S,
})

export class LocalHandler implements DnsHandler {
  readonly #asked: DnsCounter
  readonly #log: DnsLog

  constructor(asked: DnsCounter, log: DnsLog) {
    this.#asked = asked
    this.#log = log
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const { qname } = query
    const zone = ZONES.find((one) => qname.isWithin(one))
    if (zone === undefined && !qname.key.startsWith(LOCALHOST_LABEL)) return next(query)
    const answer = query.reply()
    if (zone === undefined || (zone === ZONES[0] && !qname.equals(zone))) {
      this.#asked.add(1)
      this.#log.debug(
        `Intercepting localhost query for "${query.name()}" ${query.type()}, from ${query.ip()}`,
      )
      return addressOrNothing(answer, query, qname)
    }
    if (qname.equals(zone)) return atZone(answer, query, zone)
    if (!qname.equals(LOOPBACK)) answer.rcode = RCODE.NXDOMAIN
    else if (query.qtype === TYPE.PTR) answer.answer.push(record(qname, TYPE.PTR, NAME))
    if (answer.answer.length === 0) answer.authority.push(record(zone, TYPE.SOA, SOA))
    return answer
  }
}

function atZone(answer: DnsMessage, query: DnsQuery, zone: DnsName): DnsMessage {
  const { qname, qtype } = query
  if (qtype === TYPE.SOA) answer.answer.push(record(qname, TYPE.SOA, SOA))
  else if (qtype === TYPE.NS) answer.answer.push(record(qname, TYPE.NS, NAME))
  else if (zone === ZONES[0]) return addressOrNothing(answer, query, qname)
  else answer.authority.push(record(qname, TYPE.SOA, SOA))
  return answer
}

function addressOrNothing(answer: DnsMessage, { qtype }: DnsQuery, name: DnsName): DnsMessage {
  if (qtype === TYPE.A) answer.answer.push(record(name, TYPE.A, A))
  else if (qtype === TYPE.AAAA) answer.answer.push(record(name, TYPE.AAAA, AAAA))
  else answer.authority.push(record(name, TYPE.SOA, SOA))
  return answer
}

const record = (name: DnsName, type: number, rdata: Buffer) => new DnsRecord(name, type, TTL_S, rdata)
