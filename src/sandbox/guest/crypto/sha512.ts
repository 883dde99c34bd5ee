/**
 * SHA-512 and SHA-384 (FIPS 180-4 §6.4, §6.5). Words of 64 bits are two halves in 32-bit arrays, upper one first: BigInt
 * would be a hundred times slower.
 */
import { sha384Initial, sha512Constants, sha512Initial } from './constants.ts'
import { floor } from '../primordials.ts'
import type { HashCore } from './hash.ts'

const schedule = new Uint32Array(160)
/** The working variables a to h. */
const work = new Uint32Array(16)

/** Adds what `high` and `low` (sums of 32-bit halves, so below 2^53) are into the word at `i`. */
function store(words: Uint32Array, i: number, high: number, low: number): void {
  words[i] = high + floor(low / 2 ** 32)
  words[i + 1] = low
}

function compress(state: Uint32Array, bytes: Uint8Array, at: number): void {
  const k = sha512Constants()
  const w = schedule
  for (let t = 0; t < 32; t++) {
    const i = at + 4 * t
    w[t] = (bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!
  }
  for (let t = 32; t < 160; t += 2) {
    const xh = w[t - 30]!
    const xl = w[t - 29]!
    const yh = w[t - 4]!
    const yl = w[t - 3]!
    const s0h = (((xh >>> 1) | (xl << 31)) ^ ((xh >>> 8) | (xl << 24)) ^ (xh >>> 7)) >>> 0
    const s0l = (((xl >>> 1) | (xh << 31)) ^ ((xl >>> 8) | (xh << 24)) ^ ((xl >>> 7) | (xh << 25))) >>> 0
    const s1h = (((yh >>> 19) | (yl << 13)) ^ ((yl >>> 29) | (yh << 3)) ^ (yh >>> 6)) >>> 0
    const s1l = (((yl >>> 19) | (yh << 13)) ^ ((yh >>> 29) | (yl << 3)) ^ ((yl >>> 6) | (yh << 26))) >>> 0
    store(w, t, w[t - 32]! + s0h + w[t - 14]! + s1h, w[t - 31]! + s0l + w[t - 13]! + s1l)
  }
  for (let i = 0; i < 16; i++) work[i] = state[i]!
  for (let t = 0; t < 160; t += 2) round(k, t)
  for (let i = 0; i < 16; i += 2) store(state, i, state[i]! + work[i]!, state[i + 1]! + work[i + 1]!)
}

function round(k: Uint32Array, t: number): void {
  const v = work
  const eh = v[8]!
  const el = v[9]!
  const s1h = (((eh >>> 14) | (el << 18)) ^ ((eh >>> 18) | (el << 14)) ^ ((el >>> 9) | (eh << 23))) >>> 0
  const s1l = (((el >>> 14) | (eh << 18)) ^ ((el >>> 18) | (eh << 14)) ^ ((eh >>> 9) | (el << 23))) >>> 0
  const chooseH = ((eh & v[10]!) ^ (~eh & v[12]!)) >>> 0
  const chooseL = ((el & v[11]!) ^ (~el & v[13]!)) >>> 0
  const t1low = v[15]! + s1l + chooseL + k[t + 1]! + schedule[t + 1]!
  const t1h = v[14]! + s1h + chooseH + k[t]! + schedule[t]! + floor(t1low / 2 ** 32)
  const t1l = t1low >>> 0
  const ah = v[0]!
  const al = v[1]!
  const s0h = (((ah >>> 28) | (al << 4)) ^ ((al >>> 2) | (ah << 30)) ^ ((al >>> 7) | (ah << 25))) >>> 0
  const s0l = (((al >>> 28) | (ah << 4)) ^ ((ah >>> 2) | (al << 30)) ^ ((ah >>> 7) | (al << 25))) >>> 0
  const majorityH = ((ah & v[2]!) ^ (ah & v[4]!) ^ (v[2]! & v[4]!)) >>> 0
  const majorityL = ((al & v[3]!) ^ (al & v[5]!) ^ (v[3]! & v[5]!)) >>> 0
  for (let i = 15; i > 1; i--) v[i] = v[i - 2]!
  // e was shifted from d; a is new.
  store(v, 8, v[8]! + t1h, v[9]! + t1l)
  store(v, 0, t1h + s0h + majorityH, t1l + s0l + majorityL)
}

export const SHA512: HashCore = {
  name: 'SHA-512',
  blockBytes: 128,
  outputBytes: 64,
  initial: sha512Initial,
  compress,
}

export const SHA384: HashCore = { ...SHA512, name: 'SHA-384', outputBytes: 48, initial: sha384Initial }
