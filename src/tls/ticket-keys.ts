/**
 * The keys that seal TLS session tickets: one for all workers, so that a client may resume on any of them, and a new one
 * every few hours, so that a stolen one opens little. The one before still opens for as long.
 */
import { randomBytes } from 'node:crypto'

/** What OpenSSL takes: a name of 16 bytes, 16 for the HMAC, 16 for AES. */
export const TICKET_KEY_BYTES = 48
/** Old keys that still open tickets. */
const KEPT = 1

export class TicketKeys {
  /** The newest first. */
  keys: readonly Uint8Array[]
  private everyMs: number
  private sinceMs: number

  /** `inherited` are the keys of a program before, the newest first. */
  constructor(everyMs: number, nowMs: number, inherited: readonly Uint8Array[] = []) {
    this.keys = inherited.length > 0 ? inherited : [randomBytes(TICKET_KEY_BYTES)]
    this.everyMs = everyMs
    this.sinceMs = nowMs
  }

  /** The key that is in use now ends after that time of use, too. */
  useEvery(everyMs: number): void {
    this.everyMs = everyMs
  }

  /** Makes a new key where it is time. True where it did. */
  rotate(nowMs: number): boolean {
    if (nowMs < this.sinceMs + this.everyMs) return false
    this.sinceMs = nowMs
    this.keys = [randomBytes(TICKET_KEY_BYTES), ...this.keys.slice(0, KEPT)]
    return true
  }
}
