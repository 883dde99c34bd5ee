/** Addresses of IPv4 inside of those of IPv6 (RFC 6052 §2.2). */
import { parseCidr } from '../../../base/cidr.ts'

/** The lengths that a prefix may have: whole bytes, and none that would put bits 64 to 71 anywhere but in their place. */
const LENGTHS: readonly number[] = [32, 40, 48, 56, 64, 96]

export interface Nat64Prefix {
  /** The 16 bytes of its first address. */
  readonly bytes: Buffer
  readonly length: number
}

/** `64:ff9b::/96`; a sentence where the text is no prefix for this. */
export function readNat64Prefix(text: string): Nat64Prefix | string {
  const cidr = parseCidr(text)
  const [, digits] = text.split('/')
  if (!cidr || digits === undefined) return `invalid CIDR address: ${text}: expected one such as 64:ff9b::/96`
  if (cidr.family === 4) return `invalid netmask ${digits} IPv6 address: "${text}": expected a prefix of IPv6`
  const length = Number(digits)
  if (!LENGTHS.includes(length))
    return `invalid prefix length "${text}": expected one of ${LENGTHS.join(', ')}`
  const bytes = Buffer.alloc(16)
  for (const [index, word] of cidr.first.entries()) bytes.writeUInt32BE(word, index * 4)
  return { bytes, length }
}

/** The address of IPv6 that stands for one of IPv4. Bits 64 to 71 stay 0. */
export function embedded({ bytes, length }: Nat64Prefix, address: Buffer): Buffer {
  const whole = Buffer.alloc(16)
  let at = length / 8
  bytes.copy(whole, 0, 0, at)
  for (const byte of address) {
    if (at === 8) at += 1
    whole[at++] = byte
  }
  return whole
}

/** `::ffff:192.0.2.1`, which reaches nobody over IPv6 (RFC 6147 §5.1.4). */
export const isMapped = (address: Buffer): boolean =>
  address.length === 16 &&
  address.readUInt32BE(8) === 0xffff &&
  address.subarray(0, 8).every((byte) => byte === 0)
