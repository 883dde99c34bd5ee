/**
 * A hash with a secret key: whoever chooses keys (an address, a header) cannot find two that meet in a table or a sketch without having seen the secret.
 *
 * HalfSipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, in words of 32 bits, as the Linux kernel's tables use it), with
 * two deviations that keep what matters here: the length comes first instead of last, and the 64 bits are two sums of one final state.
 */
import type { IpAddress } from '../base/ip-address.ts'

const ROUNDS_AT_END = 3

export class KeyedHash {
  /** Of the last call: 64 bits, as two signed words. */
  high = 0
  low = 0
  readonly #key0: number
  readonly #key1: number

  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0
    this.#key1 = key1 | 0
  }

  /** Of a text and a number that tells apart what the text is for. */
  ofText(text: string, kind: number): void {
    const { length } = text
    const blocks = (length + 1) >> 1
    let v0 = this.#key0
    let v1 = this.#key1 ^ 0xee
    let v2 = 0x6c796765 ^ v0
    let v3 = 0x74656462 ^ this.#key1
    for (let i = -2; i < blocks + ROUNDS_AT_END; i++) {
      let block = 0
      if (i >= 0) {
        if (i < blocks) {
          const at = i << 1
          block = text.charCodeAt(at) | (at + 1 < length ? text.charCodeAt(at + 1) << 16 : 0)
        } else if (i === blocks) v2 ^= 0xee
      } else block = i === -2 ? kind : length
      v3 ^= block
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= block
    }
    this.high = v1 ^ v3
    this.low = v0 ^ v2
  }

  /** Of the first `bits` of four words, as they stand above those of an address (`prefix-levels.ts`), and a number that tells apart what they are for. */
  ofPrefix(words: IpAddress['words'], from: number, bits: number, kind: number): void {
    const whole = from + (bits >> 5)
    const rest = bits & 31
    const end = rest === 0 ? whole : whole + 1
    let v0 = this.#key0
    let v1 = this.#key1 ^ 0xee
    let v2 = 0x6c796765 ^ v0
    let v3 = 0x74656462 ^ this.#key1
    for (let i = from - 1; i < end + ROUNDS_AT_END; i++) {
      let block = 0
      if (i < from) block = kind
      else if (i < whole) block = words[i]! | 0
      else if (i < end) block = words[i]! & (-1 << (32 - rest))
      if (i === end) v2 ^= 0xee
      v3 ^= block
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
      v0 ^= block
    }
    this.high = v1 ^ v3
    this.low = v0 ^ v2
  }
}
