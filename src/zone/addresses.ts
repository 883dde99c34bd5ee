/** Addresses of the names that records lead to, as far as the zone has them: they spare whoever asked the next question. */
import { TYPE } from '../wire/dns/codes.ts'
import { targetOf } from '../wire/dns/common-rdata.ts'
import { DnsMalformed } from '../wire/dns/malformed.ts'
import type { DnsMessage } from '../wire/dns/message.ts'
import { DnsName } from '../wire/dns/name.ts'
import type { DnsRecord } from '../wire/dns/record.ts'
import type { RecordSet, Zone } from './zone.ts'
import { NODE } from './zone-data.ts'

/** So many names are looked for: the rest has to be asked for. */
const TARGETS_MAX = 32

/** Of NS, MX and SRV records, into the additional section: those below cuts too, which is where glue lies. */
export function addAddresses(zone: Zone, set: RecordSet, isSigned: boolean, reply: DnsMessage): void {
  const count = Math.min(set.length, TARGETS_MAX)
  for (let index = 0; index < count; index++) {
    const { type, rdata } = set[index]!
    const target = new DnsName(rdata.toString('latin1', type === TYPE.SRV ? 6 : type === TYPE.MX ? 2 : 0))
    if (!target.isWithin(zone.origin)) continue
    const node = zone.find(target.key)
    if (node < 0 || (zone.flags(node) & NODE.VISIBLE) === 0) continue
    add(zone, node, TYPE.A, isSigned, reply)
    add(zone, node, TYPE.AAAA, isSigned, reply)
  }
}

/** An alias may lead to the next one (RFC 9460 §2.4.2): so many are followed. */
const ALIASES_MAX = 8

/**
 * Of SVCB and HTTPS records (RFC 9460 §4.1): the addresses of their targets, which is the owner itself where the target is the root, and of an alias the records of the same type that it leads to.
 */
export function addServices(zone: Zone, set: RecordSet, isSigned: boolean, reply: DnsMessage): void {
  let aliases = 0
  const waiting = [...set]
  for (let index = 0; index < waiting.length && index < TARGETS_MAX; index++) {
    const record = waiting[index]!
    const target = serviceTarget(record)
    if (!target?.isWithin(zone.origin)) continue
    const node = zone.find(target.key)
    if (node < 0 || (zone.flags(node) & NODE.VISIBLE) === 0) continue
    if (isAlias(record) && aliases < ALIASES_MAX) {
      aliases += 1
      const next = zone.set(node, record.type)
      if (!reply.answer.includes(next[0]!) && add(zone, node, record.type, isSigned, reply))
        waiting.push(...next)
    }
    add(zone, node, TYPE.A, isSigned, reply)
    add(zone, node, TYPE.AAAA, isSigned, reply)
  }
}

const isAlias = ({ rdata }: DnsRecord): boolean => rdata[0] === 0 && rdata[1] === 0

/** Undefined: there is none, as the root is of an alias (RFC 9460 §2.5.1), or the data is no such record. */
function serviceTarget(record: DnsRecord): DnsName | undefined {
  try {
    const target = targetOf(record)!
    if (target.wire.length > 1) return target
    return isAlias(record) ? undefined : record.name
  } catch (error) {
    if (error instanceof DnsMalformed) return undefined
    throw error
  }
}

/** Whether there was anything to add. */
function add(zone: Zone, node: number, type: number, isSigned: boolean, reply: DnsMessage): boolean {
  const set = zone.set(node, type)
  if (set.length === 0 || reply.additional.includes(set[0]!)) return false
  reply.additional.push(...set)
  if (isSigned) reply.additional.push(...zone.signatures(node, type))
  return true
}
