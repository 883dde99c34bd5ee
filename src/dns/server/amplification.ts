/**
 * How much an address is sent that may not have asked: answers over UDP are larger than questions, and whoever writes another one's address on a
 * question has him flooded (reflection). Bytes beyond what was asked are counted by network; over the limit, an answer says that it is to be had over
 * TCP, which no forged address can do.
 */
import { AddressLimiter } from '../../limit/index.ts'
import { CidrSet } from '../../base/cidr.ts'
import type { DnsAmplification } from '../../contract/dns.ts'
import type { ServerQuery } from '../query.ts'

/** Four megabits a second: a thousand answers of half a kilobyte. This machine is free: nobody forges its addresses. */
export const USUAL_AMPLIFICATION: DnsAmplification = {
  bytesPerSecond: 512 * 1024,
  prefixes: { v4: 24, v6: 56 },
  exempt: CidrSet.of(['127.0.0.0/8', '::1']),
}

/** Answers up to so many times their question are no weapon, and cost nothing to let through. */
const HARMLESS_FACTOR = 2
/** Bytes that are counted as one: the counters of a sketch are small. */
const UNIT_BYTES = 64

export class Amplification {
  readonly #exempt: CidrSet
  readonly #limiter: AddressLimiter | undefined

  constructor({ bytesPerSecond, prefixes, exempt }: DnsAmplification = USUAL_AMPLIFICATION) {
    this.#exempt = exempt
    if (bytesPerSecond === Infinity) return
    this.#limiter = new AddressLimiter({
      limit: Math.max(1, Math.ceil(bytesPerSecond / UNIT_BYTES)),
      window: '1s',
      prefixes: { v4: [prefixes.v4], v6: [prefixes.v6] },
    })
  }

  allows(query: ServerQuery, answerBytes: number): boolean {
    const beyond = answerBytes - HARMLESS_FACTOR * query.bytes.length
    if (beyond <= 0 || this.#limiter === undefined) return true
    const address = query.address()
    if (this.#exempt.has(address)) return true
    return this.#limiter.take(address, Math.ceil(beyond / UNIT_BYTES)).allowed
  }
}
