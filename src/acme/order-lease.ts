/**
 * Who orders certificates, of several control planes that share a log: `acme-lease` in it, taken where it is free, renewed while it is used,
 * given back at the end, and lost by time where its holder is gone.
 *
 * Nobody compares clocks: a lease is over when whoever wants it has seen it stand unchanged, by its own clock, for as long as it is given. The
 * log decides between two who take it at once.
 */
import type { Clock } from '../base/clock.ts'
import type { Effect, StoreView } from '../contract/store.ts'

const KEY = 'acme-lease'
const LEASE_MS = 60_000
const RENEW_EVERY_MS = 20_000
/** The longest that a renewal may be on its way. */
const MARGIN_MS = 10_000

interface Lease {
  readonly holder: string
  /** Where the log stood: another number with each renewal. */
  readonly at: number
}

export interface OrderLeaseOptions {
  /** Of this node. */
  readonly store: StoreView
  /** Tells this node from others, also after a restart. */
  readonly holder: string
  readonly clock: Clock
  /** Appends what is planned, planned anew where something else came first. */
  readonly write: (plan: () => readonly Effect[]) => Promise<unknown>
  readonly warn: (line: string) => void
}

export class OrderLease {
  readonly #options: OrderLeaseOptions
  #seen: { readonly text: string; readonly sinceMs: number } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: OrderLeaseOptions) {
    this.#options = options
  }

  /** True: nobody else orders until `release`. `more` is done with it. To be asked again and again while somebody else has it. */
  async take(more: () => readonly Effect[] = () => []): Promise<boolean> {
    const { write, warn } = this.#options
    if (!this.#isFree()) return false
    await write(() => (this.#isFree() ? [this.#next(), ...more()] : []))
    if (!this.#isOurs()) return false
    clearInterval(this.#timer)
    this.#timer = setInterval(() => {
      const renewed = write(() => (this.#isOurs() ? [this.#next()] : []))
      renewed.catch((error: Error) => warn(`the lease on ACME orders is not renewed: ${error.message}`))
    }, RENEW_EVERY_MS)
    this.#timer.unref()
    return true
  }

  async release(): Promise<void> {
    clearInterval(this.#timer)
    await this.#options.write(() => (this.#isOurs() ? [{ operation: 'DELETE', key: KEY }] : []))
  }

  /** Nothing is written: another program of this node goes on with it. */
  stop(): void {
    clearInterval(this.#timer)
  }

  #isOurs(): boolean {
    const { store, holder } = this.#options
    const text = store.get(KEY)
    return text !== undefined && (JSON.parse(text) as Lease).holder === holder
  }

  #isFree(): boolean {
    const { store, clock } = this.#options
    const text = store.get(KEY)
    if (text === undefined || this.#isOurs()) return true
    const now = clock.monotonic()
    if (this.#seen?.text !== text) this.#seen = { text, sinceMs: now }
    return now - this.#seen.sinceMs > LEASE_MS + MARGIN_MS
  }

  #next(): Effect {
    const { holder, store } = this.#options
    const lease: Lease = { holder, at: store.position().id }
    return { operation: 'SET', key: KEY, value: JSON.stringify(lease) }
  }
}
