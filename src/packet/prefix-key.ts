/** Prefixes as the keys of an LPM trie: the length in bits, in the byte order of the machine, then the address as it stands in a packet. */
import { parseIp } from '../base/ip-address.ts'

export interface PrefixKey {
  readonly family: 4 | 6
  readonly key: Buffer
}

/** Of an address or a prefix, such as `192.0.2.0/24`. Undefined where the text is neither. Bits below the prefix do not count. */
export function prefixKey(text: string): PrefixKey | undefined {
  const slash = text.indexOf('/')
  const ip = parseIp(slash === -1 ? text : text.slice(0, slash))
  if (ip === undefined) return undefined
  const words = ip.family === 4 ? ip.words.slice(3) : ip.words
  const bitsMax = words.length * 32
  const digits = slash === -1 ? String(bitsMax) : text.slice(slash + 1)
  if (!/^(?:0|[1-9]\d{0,2})$/.test(digits)) return undefined
  // `::ffff:192.0.2.0/120` is that IPv4 prefix.
  const bits = Number(digits) - (slash !== -1 && ip.family === 4 && text.includes(':') ? 96 : 0)
  if (bits < 0 || bits > bitsMax) return undefined
  const key = Buffer.alloc(4 + words.length * 4)
  key.writeUInt32LE(bits)
  words.forEach((word, index) => {
    const kept = Math.max(0, Math.min(32, bits - index * 32))
    key.writeUInt32BE(kept === 0 ? 0 : (word & (0xffffffff << (32 - kept))) >>> 0, 4 + index * 4)
  })
  return { family: ip.family, key }
}
