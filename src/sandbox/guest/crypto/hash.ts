/** What the SHA family has in common: blocks, padding, big-endian words (FIPS 180-4 §5.1). And HMAC over them (RFC 2104). */
import { Bytes, floor, setBytes, subarray, viewLength } from '../primordials.ts'

export interface HashCore {
  readonly name: string
  readonly blockBytes: 64 | 128
  readonly outputBytes: number
  initial(): Uint32Array
  /** Takes the block at `at` into the state. */
  compress(state: Uint32Array, bytes: Uint8Array, at: number): void
}

/** The digest of several pieces after each other. */
export function digest(core: HashCore, ...pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const { blockBytes } = core
  let length = 0
  for (let i = 0; i < pieces.length; i++) length += viewLength(pieces[i]!)
  // One bit, zeros, and the length in bits in the last 8 (16) bytes.
  const lengthBytes = blockBytes / 8
  const padded = new Bytes(floor((length + lengthBytes + blockBytes) / blockBytes) * blockBytes)
  let at = 0
  for (let i = 0; i < pieces.length; i++) {
    setBytes(padded, pieces[i]!, at)
    at += viewLength(pieces[i]!)
  }
  padded[at] = 0x80
  const total = viewLength(padded)
  for (let i = 0, bits = length * 8; i < 8; i++, bits = floor(bits / 256)) padded[total - 1 - i] = bits % 256
  const state = core.initial()
  for (let block = 0; block < total; block += blockBytes) core.compress(state, padded, block)
  const out = new Bytes(core.outputBytes)
  for (let i = 0; i < core.outputBytes; i++) out[i] = state[i >> 2]! >>> (24 - 8 * (i & 3))
  return out
}

export function hmac(core: HashCore, key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const { blockBytes } = core
  const short = viewLength(key) > blockBytes ? digest(core, key) : key
  const inner = new Bytes(blockBytes)
  const outer = new Bytes(blockBytes)
  setBytes(inner, short)
  setBytes(outer, short)
  for (let i = 0; i < blockBytes; i++) {
    inner[i]! ^= 0x36
    outer[i]! ^= 0x5c
  }
  return digest(core, outer, digest(core, inner, data))
}

/** Takes the same time wherever the first difference is. */
export function isEqualInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  const length = viewLength(a)
  if (length !== viewLength(b)) return false
  let difference = 0
  for (let i = 0; i < length; i++) difference |= a[i]! ^ b[i]!
  return difference === 0
}

/** The first `length` bytes, in a buffer of their own. */
export const firstBytes = (bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> =>
  new Bytes(subarray(bytes, 0, length))
