/**
 * Answers a question from a zone (RFC 1034 §4.3.2, with wildcards as RFC 4592 has them, DNAME as RFC 6672, and DNSSEC as RFC 4035 §3.1).
 *
 * Most questions are for a name that is there and has what is asked for: they are answered by one look into the table. Only what is not found, or lies below a
 * cut, is looked for label by label.
 */
import { RCODE, TYPE } from '../wire/dns/codes.ts'
import type { DnsMessage } from '../wire/dns/message.ts'
import { DnsName } from '../wire/dns/name.ts'
import { DnsRecord } from '../wire/dns/record.ts'
import { addAddresses, addServices } from './addresses.ts'
import { proveNoData, proveNoName, proveWildcard, proveWildcardNoData } from './denial.ts'
import type { RecordSet, Zone } from './zone.ts'
import { NODE } from './zone-data.ts'

export type LookupEnd =
  | 'answer'
  /** The name is there, and has nothing of the type. */
  | 'no-data'
  | 'no-name'
  /** The name belongs to a zone below. */
  | 'referral'
  /** A CNAME leads out of the zone: `leadsTo.name` is asked for elsewhere. */
  | 'elsewhere'

/** Where the last lookup led that ended with `elsewhere`. Valid until the next one. */
export const leadsTo: { name: DnsName } = { name: DnsName.ROOT }

/** So many CNAMEs in a row are followed. */
const LINKS_MAX = 16

/** Fills `reply`, which is empty, from a zone that the name lies in. */
export function lookUp(
  zone: Zone,
  name: DnsName,
  type: number,
  isSigned: boolean,
  reply: DnsMessage,
): LookupEnd {
  reply.isAuthoritative = true
  const end = step(zone, name, type, isSigned, reply)
  return end instanceof DnsName ? followLinks(zone, end, type, isSigned, reply) : end
}

/** One name: the end, or where a CNAME leads. */
function step(
  zone: Zone,
  name: DnsName,
  type: number,
  isSigned: boolean,
  reply: DnsMessage,
): LookupEnd | DnsName {
  const node = zone.find(name.key)
  if (node >= 0) {
    const flags = zone.flags(node)
    if ((flags & (NODE.OCCLUDED | NODE.HIDDEN)) === 0)
      return (flags & NODE.CUT) !== 0 && type !== TYPE.DS
        ? refer(zone, node, isSigned, reply)
        : atNode(zone, node, flags, name, type, isSigned, reply)
  }
  return besideNodes(zone, name, type, isSigned, reply)
}

function followLinks(
  zone: Zone,
  first: DnsName,
  type: number,
  isSigned: boolean,
  reply: DnsMessage,
): LookupEnd {
  let name = first
  for (let links = 1; links <= LINKS_MAX && !isFollowed(reply, name); links++) {
    if (!name.isWithin(zone.origin)) {
      leadsTo.name = name
      return 'elsewhere'
    }
    const end = step(zone, name, type, isSigned, reply)
    if (!(end instanceof DnsName)) return end
    name = end
  }
  // It goes in a circle, or on for ever: what was found so far is all that there is to say.
  return 'answer'
}

/** Whether the answer has what the name leads to already. */
function isFollowed({ answer }: DnsMessage, { key }: DnsName): boolean {
  for (const { type, name } of answer) if (type === TYPE.CNAME && name.key === key) return true
  return false
}

function atNode(
  zone: Zone,
  node: number,
  flags: number,
  name: DnsName,
  type: number,
  isSigned: boolean,
  reply: DnsMessage,
): LookupEnd | DnsName {
  const set = setFor(zone, node, type)
  if (set.length > 0) {
    const { answer } = reply
    for (let index = 0; index < set.length; index++) answer.push(set[index]!)
    if (isSigned) answer.push(...zone.signatures(node, set[0]!.type))
    if (type < TARGETS.length && TARGETS[type] !== undefined) TARGETS[type](zone, set, isSigned, reply)
    return 'answer'
  }
  if ((flags & NODE.CNAME) !== 0 && !IS_BESIDE_CNAME.has(type)) {
    const [link] = zone.set(node, TYPE.CNAME)
    reply.answer.push(link!)
    if (isSigned) reply.answer.push(...zone.signatures(node, TYPE.CNAME))
    return targetOf(link!)
  }
  reply.authority.push(...zone.negativeSoa(isSigned))
  if (isSigned) proveNoData(zone, node, name, reply.authority)
  return 'no-data'
}

/** The name is not there, or is not ours to tell of: below a cut, below a DNAME, by a wildcard, or not at all. */
function besideNodes(
  zone: Zone,
  name: DnsName,
  type: number,
  isSigned: boolean,
  reply: DnsMessage,
): LookupEnd | DnsName {
  const { node: encloser } = zone.closest(name.key)
  let barrier = -1
  // The one nearest to the apex is the first on the way down.
  for (let node = encloser; node >= 0; node = zone.parent(node))
    if ((zone.flags(node) & (NODE.CUT | NODE.DNAME)) !== 0) barrier = node
  if (barrier >= 0)
    return (zone.flags(barrier) & NODE.CUT) !== 0
      ? refer(zone, barrier, isSigned, reply)
      : move(zone, barrier, name, type, isSigned, reply)
  const wildcard = zone.wildcardBelow(encloser)
  if (wildcard >= 0) return byWildcard(zone, wildcard, encloser, name, type, isSigned, reply)
  reply.rcode = RCODE.NXDOMAIN
  reply.authority.push(...zone.negativeSoa(isSigned))
  if (isSigned) proveNoName(zone, name, encloser, reply.authority)
  return 'no-name'
}

function byWildcard(
  zone: Zone,
  wildcard: number,
  encloser: number,
  name: DnsName,
  type: number,
  isSigned: boolean,
  reply: DnsMessage,
): LookupEnd | DnsName {
  let set = setFor(zone, wildcard, type)
  const isLink = set.length === 0 && (zone.flags(wildcard) & NODE.CNAME) !== 0 && !IS_BESIDE_CNAME.has(type)
  if (isLink) set = zone.set(wildcard, TYPE.CNAME)
  if (set.length === 0) {
    reply.authority.push(...zone.negativeSoa(isSigned))
    if (isSigned) proveWildcardNoData(zone, name, encloser, wildcard, reply.authority)
    return 'no-data'
  }
  for (const record of set) reply.answer.push(record.withName(name))
  if (isSigned) {
    for (const record of zone.signatures(wildcard, set[0]!.type)) reply.answer.push(record.withName(name))
    proveWildcard(zone, name, encloser, reply.authority)
  }
  if (isLink) return targetOf(set[0]!)
  if (type < TARGETS.length && TARGETS[type] !== undefined) TARGETS[type](zone, set, isSigned, reply)
  return 'answer'
}

function refer(zone: Zone, cut: number, isSigned: boolean, reply: DnsMessage): LookupEnd {
  const servers = zone.set(cut, TYPE.NS)
  // Behind a CNAME it stays: it speaks of the first name (RFC 1035 §4.1.1).
  if (reply.answer.length === 0) reply.isAuthoritative = false
  reply.authority.push(...servers)
  if (isSigned) {
    if ((zone.flags(cut) & NODE.DS) !== 0)
      reply.authority.push(...zone.set(cut, TYPE.DS), ...zone.signatures(cut, TYPE.DS))
    else proveNoData(zone, cut, zone.name(cut), reply.authority)
  }
  addAddresses(zone, servers, isSigned, reply)
  return 'referral'
}

/** RFC 6672 §3.2: the DNAME, and the CNAME that it means for this name. */
function move(
  zone: Zone,
  from: number,
  name: DnsName,
  type: number,
  isSigned: boolean,
  reply: DnsMessage,
): LookupEnd | DnsName {
  const [link] = zone.set(from, TYPE.DNAME)
  if (!reply.answer.includes(link!)) {
    reply.answer.push(link!)
    if (isSigned) reply.answer.push(...zone.signatures(from, TYPE.DNAME))
  }
  const target = name.moved(zone.name(from), targetOf(link!))
  if (!target) {
    reply.rcode = RCODE.YXDOMAIN
    return 'answer'
  }
  reply.answer.push(new DnsRecord(name, TYPE.CNAME, link!.ttl, Buffer.from(target.wire, 'latin1')))
  return type === TYPE.CNAME || type === TYPE.ANY ? 'answer' : target
}

/** Any of a name is one set of it (RFC 8482 §4.1). */
function setFor(zone: Zone, node: number, type: number): RecordSet {
  if (type !== TYPE.ANY) return zone.set(node, type)
  const first = zone.firstType(node)
  return first === undefined ? [] : zone.set(node, first)
}

const targetOf = ({ rdata }: DnsRecord): DnsName => new DnsName(rdata.toString('latin1'))

/** Types that are not looked for behind a CNAME: they belong to the name itself. */
const IS_BESIDE_CNAME: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.ANY, TYPE.RRSIG, TYPE.NSEC])

/** Types whose data has names that are asked for next. */
const TARGETS: readonly (typeof addAddresses | undefined)[] = (() => {
  const table: (typeof addAddresses | undefined)[] = Array.from({ length: TYPE.HTTPS + 1 })
  for (const type of [TYPE.NS, TYPE.MX, TYPE.SRV]) table[type] = addAddresses
  for (const type of [TYPE.SVCB, TYPE.HTTPS]) table[type] = addServices
  return table
})()
