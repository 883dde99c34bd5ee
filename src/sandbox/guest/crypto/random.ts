/**
 * The isolate's random bytes: ChaCha20 keyed with entropy that the host gave, with fast key erasure.
 *
 * Each refill makes 768 bytes; the first 32 are the next key at once, so whoever reads the memory later cannot tell what
 * was drawn before (D. J. Bernstein, "Fast-key-erasure random-number generators"). A host function cannot be called from
 * inside a step, hence a generator of our own.
 */
import { hexValue } from '../percent.ts'
import { charCodeAt } from '../primordials.ts'
import { chacha20Block } from './chacha20.ts'

const POOL_BYTES = 768
const KEY_BYTES = 32

const key = new Uint32Array(8)
const nonce = new Uint32Array(3)
const pool = new Uint8Array(POOL_BYTES)
let used = POOL_BYTES

/** `entropy` is 64 hex digits. */
export function seedRandom(entropy: string): void {
  if (entropy.length < 2 * KEY_BYTES) throw new Error('32 bytes of entropy are needed')
  for (let i = 0; i < KEY_BYTES; i++) {
    pool[i] = hexValue(charCodeAt(entropy, 2 * i)) * 16 + hexValue(charCodeAt(entropy, 2 * i + 1))
  }
  takeKey()
  used = POOL_BYTES
}

function takeKey(): void {
  for (let i = 0; i < 8; i++) {
    key[i] = pool[4 * i]! | (pool[4 * i + 1]! << 8) | (pool[4 * i + 2]! << 16) | (pool[4 * i + 3]! << 24)
  }
  for (let i = 0; i < KEY_BYTES; i++) pool[i] = 0
}

function refill(): void {
  for (let block = 0; block < POOL_BYTES / 64; block++) chacha20Block(key, block, nonce, pool, block * 64)
  takeKey()
  used = KEY_BYTES
}

/** Fills `bytes` from 0 to `length`. What was handed out is erased here. */
export function randomBytes(bytes: Uint8Array, length: number): void {
  for (let i = 0; i < length; i++) {
    if (used === POOL_BYTES) refill()
    bytes[i] = pool[used]!
    pool[used++] = 0
  }
}
