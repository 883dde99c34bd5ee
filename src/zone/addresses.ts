/** Addresses of the names that records lead to, as far as the zone has them: they spare whoever asked the next question. */
import { TYPE } from '../wire/dns/codes.ts'
import type { DnsMessage } from '../wire/dns/message.ts'
import { DnsName } from '../wire/dns/name.ts'
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

function add(zone: Zone, node: number, type: number, isSigned: boolean, reply: DnsMessage): void {
  const set = zone.set(node, type)
  if (set.length === 0 || reply.additional.includes(set[0]!)) return
  reply.additional.push(...set)
  if (isSigned) reply.additional.push(...zone.signatures(node, type))
}
