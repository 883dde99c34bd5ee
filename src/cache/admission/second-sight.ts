/**
 * Second sight: what is wanted for the second time comes in, what is wanted once does not.
 *
 * Half of all keys are asked for once in many logs; they cost a write and push others out for nothing. The price is one
 * more miss for each of the others. It suits the tier where writes are dear.
 *
 * Two Bloom filters take turns: when the current one is full it becomes the old one, and the old one is forgotten. So a
 * key is remembered for at least `keys` others (or 2²⁶, whichever is less), and the memory is bounded: 20 bits a key.
 */
import type { Admission, AdmissionOptions } from '../../contract/admission.ts'
import { BloomFilter } from './bloom-filter.ts'

/** More are not remembered, however large the room is: two filters of 80 MiB. */
const KEYS_MAX = 2 ** 26

export class SecondSight implements Admission {
  readonly #keys: number
  #current: BloomFilter
  #old: BloomFilter

  constructor(options: Pick<AdmissionOptions, 'keys'>) {
    this.#keys = Math.min(Math.max(1, Math.ceil(options.keys)), KEYS_MAX)
    this.#current = new BloomFilter(this.#keys)
    this.#old = new BloomFilter(this.#keys)
  }

  admits(hash: number): boolean {
    const isKnown = this.#old.has(hash)
    // Those of the old generation that are wanted again are of the current one.
    if (!this.#current.add(hash)) return true
    if (this.#current.size >= this.#keys) this.#rotate()
    return isKnown
  }

  #rotate(): void {
    const old = this.#old
    old.clear()
    this.#old = this.#current
    this.#current = old
  }
}
