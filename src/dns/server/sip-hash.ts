/** SipHash-2-4 (Aumasson and Bernstein, 2012): a short keyed hash, as RFC 9018 asks for. */

const MASK = 0xffff_ffff_ffff_ffffn

const rotated = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & MASK

/** `key` has 16 bytes; so many as a 64-bit word has are returned, lowest first. */
export function sipHash24(key: Buffer, message: Buffer): Buffer {
  const [k0, k1] = [key.readBigUInt64LE(0), key.readBigUInt64LE(8)]
  let v0 = k0 ^ 0x736f_6d65_7073_6575n
  let v1 = k1 ^ 0x646f_7261_6e64_6f6dn
  let v2 = k0 ^ 0x6c79_6765_6e65_7261n
  let v3 = k1 ^ 0x7465_6462_7974_6573n
  const round = (): void => {
    v0 = (v0 + v1) & MASK
    v1 = rotated(v1, 13n) ^ v0
    v0 = rotated(v0, 32n)
    v2 = (v2 + v3) & MASK
    v3 = rotated(v3, 16n) ^ v2
    v0 = (v0 + v3) & MASK
    v3 = rotated(v3, 21n) ^ v0
    v2 = (v2 + v1) & MASK
    v1 = rotated(v1, 17n) ^ v2
    v2 = rotated(v2, 32n)
  }
  const whole = message.length - (message.length % 8)
  const last = Buffer.alloc(8)
  message.copy(last, 0, whole)
  last[7] = message.length
  for (let at = 0; at <= whole; at += 8) {
    const word = at === whole ? last.readBigUInt64LE(0) : message.readBigUInt64LE(at)
    v3 ^= word
    round()
    round()
    v0 ^= word
  }
  v2 ^= 0xffn
  for (let turn = 0; turn < 4; turn++) round()
  const hash = Buffer.alloc(8)
  hash.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3)
  return hash
}
