/** Hashes of names as NSEC3 orders them (RFC 5155 §5). */
import { createHash } from 'node:crypto'
import { TYPE } from '../wire/dns/codes.ts'
import type { Zone } from './zone.ts'

export interface Nsec3Settings {
  readonly iterations: number
  readonly salt: Buffer
}

/** Beyond it the work for a question is more than it is worth; validators take such a zone as unsigned (RFC 9276 §3.2). */
const ITERATIONS_MAX = 500
const SHA_1 = 1
const DIGITS = '0123456789abcdefghijklmnopqrstuv'

/** What the zone is hashed with; undefined where it has no NSEC3 or one that nobody would check. */
export function nsec3Settings(zone: Zone): Nsec3Settings | undefined {
  if (!zone.isNsec3Signed) return undefined
  for (const { rdata } of zone.set(0, TYPE.NSEC3PARAM)) {
    if (rdata.length < 5 || rdata.length < 5 + rdata[4]!) continue
    const iterations = rdata.readUInt16BE(2)
    // Flags other than zero: it is being taken away or put in place (§4.1.2).
    if (rdata[0] !== SHA_1 || rdata[1] !== 0 || iterations > ITERATIONS_MAX) continue
    return { iterations, salt: rdata.subarray(5, 5 + rdata[4]!) }
  }
  return undefined
}

/** The hash of a lower-cased name as a label, with its length in front. */
export function nsec3Hash(name: string, { iterations, salt }: Nsec3Settings): string {
  let hash: Buffer = Buffer.from(name, 'latin1')
  for (let round = 0; round <= iterations; round++)
    hash = createHash('sha1').update(hash).update(salt).digest()
  return ` ${base32Hex(hash)}`
}

/** RFC 4648 §7, without padding: 20 bytes are 32 digits, and a space is how a label of 32 bytes begins. */
function base32Hex(bytes: Buffer): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += DIGITS[(value >>> (bits - 5)) & 31]!
    value &= (1 << bits) - 1
  }
  return text
}
