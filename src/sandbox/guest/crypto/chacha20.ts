/** The ChaCha20 block function (RFC 8439 §2.3): 64 bytes of keystream from key, counter and nonce. */

/** "expand 32-byte k", as little-endian words. */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const

const state = new Uint32Array(16)

function quarterRound(a: number, b: number, c: number, d: number): void {
  let x = state[a]!
  let y = state[b]!
  let z = state[c]!
  let w = state[d]!
  x = (x + y) | 0
  w ^= x
  w = (w << 16) | (w >>> 16)
  z = (z + w) | 0
  y ^= z
  y = (y << 12) | (y >>> 20)
  x = (x + y) | 0
  w ^= x
  w = (w << 8) | (w >>> 24)
  z = (z + w) | 0
  y ^= z
  y = (y << 7) | (y >>> 25)
  state[a] = x
  state[b] = y
  state[c] = z
  state[d] = w
}

/** Writes block number `counter` at `at` of `out`. `key` is 8 words, `nonce` 3. */
export function chacha20Block(
  key: Uint32Array,
  counter: number,
  nonce: Uint32Array,
  out: Uint8Array,
  at: number,
): void {
  for (let i = 0; i < 16; i++) state[i] = initialWord(i, key, counter, nonce)
  for (let round = 0; round < 10; round++) {
    quarterRound(0, 4, 8, 12)
    quarterRound(1, 5, 9, 13)
    quarterRound(2, 6, 10, 14)
    quarterRound(3, 7, 11, 15)
    quarterRound(0, 5, 10, 15)
    quarterRound(1, 6, 11, 12)
    quarterRound(2, 7, 8, 13)
    quarterRound(3, 4, 9, 14)
  }
  for (let i = 0; i < 16; i++) {
    const word = (state[i]! + initialWord(i, key, counter, nonce)) >>> 0
    out[at + 4 * i] = word
    out[at + 4 * i + 1] = word >>> 8
    out[at + 4 * i + 2] = word >>> 16
    out[at + 4 * i + 3] = word >>> 24
  }
}

function initialWord(i: number, key: Uint32Array, counter: number, nonce: Uint32Array): number {
  if (i < 4) return CONSTANTS[i]!
  if (i < 12) return key[i - 4]!
  return i === 12 ? counter : nonce[i - 13]!
}
