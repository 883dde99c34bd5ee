/**
 * Cookies of the DNS (RFC 7873), in the form that servers of many makers share (RFC 9018): who sends back the one that he was given has the address
 * that he says he has.
 */
import { randomBytes } from 'node:crypto'
import { sipHash24 } from './sip-hash.ts'

export const CLIENT_COOKIE_BYTES = 8
const SERVER_COOKIE_BYTES = 16
const VERSION = 1
/** Seconds for which one counts, and after which the client is given a newer one (RFC 9018 §4.3). */
const LIFETIME_S = 3600
const RENEWED_AFTER_S = 1800
const AHEAD_MAX_S = 300

/** `client`: it has not proved anything yet. `proven`: it has its address. `malformed`: no length that a cookie has. */
export type CookieReading = 'client' | 'proven' | 'malformed'

/** The client's part alone, or with a server's of 8 to 32 bytes (RFC 7873 §4). */
export const isCookieLength = (bytes: number): boolean =>
  bytes === CLIENT_COOKIE_BYTES || (bytes >= 16 && bytes <= 40)

export class ServerCookies {
  readonly #secret: Buffer
  readonly #nowS: () => number

  /** `secret` has 16 bytes, and is the same in all processes that answer at an address. */
  constructor(secret: Buffer = randomBytes(16), nowS: () => number = () => Math.floor(Date.now() / 1000)) {
    this.#secret = secret
    this.#nowS = nowS
  }

  read(cookie: Buffer, address: Buffer): CookieReading {
    const { length } = cookie
    if (length === CLIENT_COOKIE_BYTES) return 'client'
    if (!isCookieLength(length)) return 'malformed'
    return length === CLIENT_COOKIE_BYTES + SERVER_COOKIE_BYTES && this.#isOurs(cookie, address)
      ? 'proven'
      : 'client'
  }

  /** The cookie of an answer: the client's, and one for its address; the one that it has while that is young. */
  answer(cookie: Buffer, address: Buffer): Buffer {
    if (cookie.length === CLIENT_COOKIE_BYTES + SERVER_COOKIE_BYTES && this.#isOurs(cookie, address)) {
      if (this.#ageS(cookie) < RENEWED_AFTER_S) return Buffer.from(cookie)
    }
    const made = Buffer.alloc(CLIENT_COOKIE_BYTES + SERVER_COOKIE_BYTES)
    cookie.copy(made, 0, 0, CLIENT_COOKIE_BYTES)
    made[8] = VERSION
    made.writeUInt32BE(this.#nowS() >>> 0, 12)
    this.#hash(made, address).copy(made, 16)
    return made
  }

  #isOurs(cookie: Buffer, address: Buffer): boolean {
    const age = this.#ageS(cookie)
    if (cookie[8] !== VERSION || age > LIFETIME_S || age < -AHEAD_MAX_S) return false
    return this.#hash(cookie, address).equals(cookie.subarray(16))
  }

  /** Serial arithmetic: the clock of four bytes turns over (RFC 9018 §4.3). */
  #ageS(cookie: Buffer): number {
    return (this.#nowS() - cookie.readUInt32BE(12)) | 0
  }

  #hash(cookie: Buffer, address: Buffer): Buffer {
    return sipHash24(this.#secret, Buffer.concat([cookie.subarray(0, 16), address]))
  }
}
