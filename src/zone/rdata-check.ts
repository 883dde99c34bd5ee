/**
 * Whether data is as its type has it, as far as answers rest on it. Files are read by a parser that knows all types; whatever a primary sends is only bytes, and is served
 * to others for as long as the zone stays.
 */
import { TYPE, typeName } from '../wire/dns/codes.ts'
import { LABEL_BYTES_MAX, NAME_BYTES_MAX } from '../wire/dns/name.ts'

/** By type, the fewest bytes that its data may have. */
const LEAST: ReadonlyMap<number, number> = new Map([
  [TYPE.SOA, 22],
  [TYPE.TXT, 1],
  [TYPE.DS, 5],
  [TYPE.DNSKEY, 5],
  [TYPE.RRSIG, 19],
  [TYPE.NSEC, 2],
  [TYPE.NSEC3, 6],
  [TYPE.NSEC3PARAM, 5],
])
/** Types whose data is a name behind so many bytes, and nothing more. */
const NAME_AT: ReadonlyMap<number, number> = new Map([
  [TYPE.NS, 0],
  [TYPE.CNAME, 0],
  [TYPE.DNAME, 0],
  [TYPE.PTR, 0],
  [TYPE.MX, 2],
  [TYPE.SRV, 6],
])

/** What is wrong, or undefined. */
export function rdataFault(type: number, rdata: Buffer): string | undefined {
  const { length } = rdata
  if (type === TYPE.A || type === TYPE.AAAA) {
    const bytes = type === TYPE.A ? 4 : 16
    return length === bytes ? undefined : `data of ${typeName(type)} has ${length} bytes: expected ${bytes}`
  }
  const nameAt = NAME_AT.get(type)
  if (nameAt !== undefined)
    return isName(rdata, nameAt) ? undefined : `data of ${typeName(type)} does not end with a name`
  const least = LEAST.get(type)
  if (least !== undefined && length < least)
    return `data of ${typeName(type)} has ${length} bytes: expected ${least} or more`
  return undefined
}

/** Whether a name begins at `from` and ends where the data does. */
function isName(rdata: Buffer, from: number): boolean {
  const { length } = rdata
  if (length - from > NAME_BYTES_MAX) return false
  let at = from
  while (at < length) {
    const label = rdata[at]!
    if (label > LABEL_BYTES_MAX) return false
    at += 1 + label
    if (label === 0) return at === length
  }
  return false
}
