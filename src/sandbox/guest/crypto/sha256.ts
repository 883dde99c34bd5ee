/** SHA-256 (FIPS 180-4 §6.2). */
import { sha512Constants, sha512Initial, upperHalves } from './constants.ts'
import type { HashCore } from './hash.ts'

const schedule = new Uint32Array(64)
let constants: Uint32Array | undefined
let initial: Uint32Array | undefined

const rotate = (x: number, by: number): number => (x >>> by) | (x << (32 - by))

export const SHA256: HashCore = {
  name: 'SHA-256',
  blockBytes: 64,
  outputBytes: 32,
  initial: () => new Uint32Array((initial ??= upperHalves(sha512Initial(), 8))),
  compress(state, bytes, at) {
    const k = (constants ??= upperHalves(sha512Constants(), 64))
    const w = schedule
    for (let t = 0; t < 16; t++) {
      const i = at + 4 * t
      w[t] = (bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!
    }
    for (let t = 16; t < 64; t++) {
      const x = w[t - 15]!
      const y = w[t - 2]!
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10)
      w[t] = (w[t - 16]! + s0 + w[t - 7]! + s1) | 0
    }
    let a = state[0]! | 0
    let b = state[1]! | 0
    let c = state[2]! | 0
    let d = state[3]! | 0
    let e = state[4]! | 0
    let f = state[5]! | 0
    let g = state[6]! | 0
    let h = state[7]! | 0
    for (let t = 0; t < 64; t++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + k[t]! + w[t]!) | 0
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    state[0] = state[0]! + a
    state[1] = state[1]! + b
    state[2] = state[2]! + c
    state[3] = state[3]! + d
    state[4] = state[4]! + e
    state[5] = state[5]! + f
    state[6] = state[6]! + g
    state[7] = state[7]! + h
  },
}
