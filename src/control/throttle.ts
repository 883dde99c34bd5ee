/**
 * Slows down who guesses tokens, by address: after some wrong ones each further one has to wait, and while it waits nothing from that address
 * is even looked at, so an answer tells nothing.
 *
 * Nobody else is locked out: other addresses have budgets of their own, and a token that was right from this address before goes on, or a
 * broken script would take the operator beside it off the air. Of IPv6 a /64 counts as one address: that is what one customer is given.
 */
import { PaceBudget, type Pace } from '../base/pace-budget.ts'
import { digest } from './tokens.ts'

/** Wrong tokens that an address may send. */
const ATTEMPTS: Pace = { most: 10, everyMs: 6_000 }
/** Addresses that are remembered; those quiet for longest are forgotten first. */
const ADDRESSES_MAX = 10_000
const KNOWN_MAX = 10_000

/** Wrong tokens that are written down, of all addresses together: a few MB a day at most. */
const NOTES: Pace = { most: 100, everyMs: 10_000 }

export class Throttle {
  readonly #now: () => number
  readonly #budgets = new Map<string, PaceBudget>()
  readonly #known = new Set<string>()
  readonly #notes: PaceBudget
  #notesLeftOut = 0

  /** `now` in milliseconds, monotonic. */
  constructor(now: () => number) {
    this.#now = now
    this.#notes = new PaceBudget(now(), NOTES)
  }

  /** Milliseconds that a token from this address has to wait before it is looked at; 0: none. */
  waitMs(address: string, token: string): number {
    const budget = this.#budgets.get(prefixOf(address))
    if (budget === undefined || this.#known.has(pairOf(address, token))) return 0
    return budget.waitMs(this.#now(), ATTEMPTS)
  }

  wrong(address: string): void {
    const key = prefixOf(address)
    const budget = this.#budgets.get(key) ?? new PaceBudget(this.#now(), ATTEMPTS)
    budget.take(this.#now(), ATTEMPTS)
    this.#budgets.delete(key)
    this.#budgets.set(key, budget)
    if (this.#budgets.size > ADDRESSES_MAX) this.#budgets.delete(first(this.#budgets.keys())!)
  }

  /**
   * Whether a wrong token is to be written down: guesses from ten thousand addresses must not fill the disk. Undefined: no; else how many
   * were left out since the last that was.
   */
  takeNote(): number | undefined {
    if (!this.#notes.take(this.#now(), NOTES)) {
      this.#notesLeftOut += 1
      return undefined
    }
    const leftOut = this.#notesLeftOut
    this.#notesLeftOut = 0
    return leftOut
  }

  right(address: string, token: string): void {
    const pair = pairOf(address, token)
    if (this.#known.has(pair)) return
    this.#known.add(pair)
    if (this.#known.size > KNOWN_MAX) this.#known.delete(first(this.#known)!)
  }
}

const first = <T>(values: Iterable<T>): T | undefined => {
  for (const value of values) return value
  return undefined
}

const pairOf = (address: string, token: string): string => `${address} ${digest(token).toString('base64')}`

function prefixOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.replace(/%.*/, '').split('::')
  const left = head.split(':').filter((part) => part !== '')
  const right = tail === undefined ? [] : tail.split(':').filter((part) => part !== '')
  const groups = [
    ...left,
    ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0'),
    ...right,
  ]
  return `${groups.slice(0, 4).join(':')}::/64`
}
