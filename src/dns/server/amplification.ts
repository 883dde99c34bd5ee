/**
 * How much an address is sent that may not have asked: answers over UDP are larger than questions, and whoever writes another one's address on a
 * question has him flooded (reflection). Bytes beyond what was asked are counted by network; over the limit, an answer says that it is to be had over
 * TCP, which no forged address can do.
 */
import { AddressLimiter } from '../../limit/index.ts'
import type { ServerQuery } from '../query.ts'

export interface AmplificationOptions {
  /** Bytes a second that a network may be sent beyond what it asked with. */
  readonly bytesPerSecond: number
  /** Bits of the address that are a network. */
  readonly prefixes: { readonly v4: number; readonly v6: number }
}

/** Four megabits a second: a thousand answers of half a kilobyte. */
export const USUAL_AMPLIFICATION: AmplificationOptions = {
  bytesPerSecond: 512 * 1024,
  prefixes: { v4: 24, v6: 56 },
}

/** Answers up to so many times their question are no weapon, and cost nothing to let through. */
const HARMLESS_FACTOR = 2
/** Bytes that are counted as one: the counters of a sketch are small. */
const UNIT_BYTES = 64

export class Amplification {
  readonly #limiter: AddressLimiter | undefined

  /** Undefined: no limit. */
  constructor(options: AmplificationOptions | undefined) {
    this.#limiter =
      options &&
      new AddressLimiter({
        limit: Math.max(1, Math.ceil(options.bytesPerSecond / UNIT_BYTES)),
        window: '1s',
        prefixes: { v4: [options.prefixes.v4], v6: [options.prefixes.v6] },
      })
  }

  allows(query: ServerQuery, answerBytes: number): boolean {
    const beyond = answerBytes - HARMLESS_FACTOR * query.bytes.length
    if (beyond <= 0 || this.#limiter === undefined) return true
    const address = query.address()
    if (isLoopback(address.family, address.words)) return true
    return this.#limiter.take(address, Math.ceil(beyond / UNIT_BYTES)).allowed
  }
}

/** Of this machine: nobody forges those. */
const isLoopback = (family: 4 | 6, words: readonly [number, number, number, number]): boolean =>
  family === 4
    ? words[3] >>> 24 === 127
    : words[0] === 0 && words[1] === 0 && words[2] === 0 && words[3] === 1
