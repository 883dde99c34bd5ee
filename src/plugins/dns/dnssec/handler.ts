/** Signs the sets of records of an answer, and says of names that are not there that nothing of what was asked for is: "black lies". */
import type { DnsHandler, DnsNext, DnsOutcome, DnsQuery } from '../../../contract/dns.ts'
import { RCODE, TYPE } from '../../../wire/dns/codes.ts'
import { nameRdata, targetOf } from '../../../wire/dns/common-rdata.ts'
import { type DnssecKey, signatureOf } from '../../../wire/dns/dnssec.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'
import type { DnsName } from '../../../wire/dns/name.ts'
import { typeBitmapOf } from '../../../wire/dns/rdata/rdata-fields.ts'
import { DnsRecord } from '../../../wire/dns/record.ts'
import { type AnswerChange, changed } from '../answer-change.ts'

const DAY_S = 86_400
/** Signed for eight days, from three hours ago: clocks are apart. Used again until two days are left. */
const VALID_S = 8 * DAY_S
const EARLIER_S = 3 * 3600
const LEFT_S = 2 * DAY_S
const KEY_TTL_S = 3600

/** What a name that is denied may have: all that is common, so that the denial says nothing but that what was asked for is not there. */
const ZONE_TYPES = [
  TYPE.A,
  TYPE.HINFO,
  TYPE.TXT,
  TYPE.AAAA,
  TYPE.LOC,
  TYPE.SRV,
  TYPE.CERT,
  TYPE.SSHFP,
  TYPE.RRSIG,
  TYPE.NSEC,
  TYPE.TLSA,
  TYPE.HIP,
  TYPE.OPENPGPKEY,
  TYPE.SPF,
]
const APEX_TYPES = [...ZONE_TYPES, TYPE.NS, TYPE.SOA, TYPE.MX, TYPE.DNSKEY]
const CUT_TYPES = [...ZONE_TYPES, TYPE.NS]

/** What the zone above a cut has of its own there. */
const AT_CUTS: ReadonlySet<number> = new Set([TYPE.DS, TYPE.NSEC])
const SIGNED_RCODES: ReadonlySet<number> = new Set([RCODE.NOERROR, RCODE.NXDOMAIN, RCODE.YXDOMAIN])

interface KeptSignatures {
  readonly records: readonly DnsRecord[]
  readonly expirationS: number
}

export class DnssecHandler implements DnsHandler, AnswerChange {
  readonly #zones: readonly DnsName[]
  readonly #keys: readonly DnssecKey[]
  readonly #capacity: number
  readonly #nowS: () => number
  /** Keys that sign keys are others than those that sign the rest. */
  readonly #isSplit: boolean
  readonly #kept = new Map<string, KeptSignatures>()

  constructor(zones: readonly DnsName[], keys: readonly DnssecKey[], capacity: number, nowS: () => number) {
    this.#zones = zones.toSorted((a, b) => b.labels - a.labels)
    this.#keys = keys
    this.#capacity = capacity
    this.#nowS = nowS
    this.#isSplit = keys.some((key) => key.isKeySigning) && keys.some((key) => !key.isKeySigning)
  }

  handle(query: DnsQuery, next: DnsNext): DnsOutcome | Promise<DnsOutcome> {
    const zone = this.#zoneOf(query.qname)
    if (!zone) return next(query)
    if (query.qtype === TYPE.DNSKEY && query.qname.equals(zone)) return this.#keysOf(query, zone)
    const outcome = next(query)
    return query.do() ? changed(this, outcome, query) : outcome
  }

  change(answer: DnsMessage, query: DnsQuery): DnsMessage {
    const zone = this.#zoneOf(query.qname)
    if (!zone || isSigned(answer) || !SIGNED_RCODES.has(answer.rcode)) return answer
    const signed = answer.copy()
    const cut = answer.authority.find(({ type, name }) => type === TYPE.NS && !name.equals(zone))
    const soa = answer.authority.find(({ type }) => type === TYPE.SOA)
    const denied = soa && deniedName(answer, query.qname)
    if (cut) {
      // RFC 4035 §3.1.4: a referral says whether what is below is signed, or it is taken for a forgery.
      if (!cut.name.isWithin(zone)) return answer
      const isSecure = answer.authority.some(({ type }) => type === TYPE.DS)
      const nsec = isSecure ? undefined : denial(cut.name, TYPE.DS, zone, cut.ttl)
      if (nsec) signed.authority.push(nsec)
    } else if (denied?.isWithin(zone)) {
      const nsec = denial(denied, query.qtype, zone, soa!.ttl)
      if (!nsec) return answer
      signed.authority.push(nsec)
      signed.rcode = RCODE.NOERROR
    }
    signed.answer = this.#signed(signed.answer, zone)
    signed.authority = this.#signed(signed.authority, zone, cut?.name)
    signed.additional = this.#signed(signed.additional, zone, cut?.name)
    return signed
  }

  #zoneOf(name: DnsName): DnsName | undefined {
    return this.#zones.find((zone) => name.isWithin(zone))
  }

  #keysOf(query: DnsQuery, zone: DnsName): DnsMessage {
    const answer = query.reply()
    answer.isAuthoritative = true
    const keys = this.#keys.map(({ rdata }) => new DnsRecord(zone, TYPE.DNSKEY, KEY_TTL_S, rdata))
    answer.answer = query.do() && keys.length > 0 ? this.#signed(keys, zone) : keys
    return answer
  }

  /** The records with the signatures of each set behind them, but for what belongs to the zone below `cut` (RFC 4035 §2.2). */
  #signed(records: readonly DnsRecord[], zone: DnsName, cut?: DnsName): DnsRecord[] {
    const sets = new Map<string, DnsRecord[]>()
    for (const record of records) {
      const id = `${record.type} ${record.name.key}`
      const set = sets.get(id)
      if (set) set.push(record)
      else sets.set(id, [record])
    }
    const all: DnsRecord[] = []
    for (const set of sets.values()) {
      all.push(...set)
      const { name, type } = set[0]!
      const isBelow = cut !== undefined && name.isWithin(cut) && !AT_CUTS.has(type)
      if (name.isWithin(zone) && !isBelow) all.push(...this.#signaturesOf(set, zone))
    }
    return all
  }

  #signaturesOf(set: readonly DnsRecord[], zone: DnsName): readonly DnsRecord[] {
    const { name, type, ttl } = set[0]!
    const nowS = this.#nowS()
    const data = set.map(({ rdata }) => rdata.toString('latin1')).toSorted()
    const id = [zone.key, name.wire, type, ttl, ...data].join('\0\0')
    const kept = this.#kept.get(id)
    if (kept && kept.expirationS - nowS > LEFT_S) return kept.records
    const expirationS = nowS + VALID_S
    // One TTL for all of a set (RFC 2181 §5.2).
    const alike = set.map((record) => record.withTtl(ttl))
    const records = this.#keys
      .filter(({ isKeySigning }) => !this.#isSplit || isKeySigning === (type === TYPE.DNSKEY))
      .map((key) => signatureOf(alike, key, zone, nowS - EARLIER_S, expirationS))
    this.#kept.delete(id)
    while (this.#kept.size >= this.#capacity && this.#kept.size > 0)
      this.#kept.delete(this.#kept.keys().next().value!)
    if (this.#capacity > 0) this.#kept.set(id, { records, expirationS })
    return records
  }
}

/** What is not there: the name that was asked for, or where its aliases lead; undefined where the answer has what was asked for. */
function deniedName(answer: DnsMessage, qname: DnsName): DnsName | undefined {
  const last = answer.answer.at(-1)
  if (!last) return qname
  return last.type === TYPE.CNAME ? targetOf(last) : undefined
}

/** Undefined where no name is long enough to stand behind it. */
function denial(name: DnsName, asked: number, zone: DnsName, ttl: number): DnsRecord | undefined {
  const next = name.below('\0')
  const types = name.equals(zone) ? APEX_TYPES : asked === TYPE.DS ? CUT_TYPES : ZONE_TYPES
  const there = types.filter((type) => type !== asked || type === TYPE.NSEC)
  return next && new DnsRecord(name, TYPE.NSEC, ttl, Buffer.concat([nameRdata(next), typeBitmapOf(there)]))
}

/** By whoever has the zone: a denial and a referral have their signatures in the authority section alone. */
const isSigned = ({ answer, authority }: DnsMessage): boolean =>
  answer.some(isSignature) || authority.some(isSignature)

const isSignature = ({ type }: DnsRecord): boolean => type === TYPE.RRSIG
