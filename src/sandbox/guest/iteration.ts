/**
 * Iterators for the web's collections (`Headers`, `URLSearchParams`, cookies), over a list that is walked lazily.
 *
 * Their own small class instead of generators: a generator's prototype chain is the unit's to change, and these
 * are also cheaper.
 */
import { checkMaker, FROM_GUEST } from './illegal-constructor.ts'
import { getPrototypeOf, iteratorSymbol } from './primordials.ts'

/** A list of pairs: what collections hand to iterators and `forEach`. */
export interface PairNode {
  readonly name: string
  readonly value: unknown
  readonly next: PairNode | null
}

type PairKind = 'names' | 'values' | 'entries'

/** What the language's own iterators inherit from: `[Symbol.iterator]`, `map`, `filter`… */
const IteratorPrototype = getPrototypeOf(getPrototypeOf([][iteratorSymbol]())!)

/** Made by setting a prototype instead of `extends Iterator`: that class does not stand in the types of ES2024. */
class PairIterator {
  #at: PairNode | null
  readonly #kind: PairKind

  constructor(maker: unknown, first: PairNode | null, kind: PairKind) {
    checkMaker(maker)
    this.#at = first
    this.#kind = kind
  }

  next(): { done: boolean; value: unknown } {
    const node = this.#at
    if (node === null) return { done: true, value: undefined }
    this.#at = node.next
    const { name, value } = node
    return {
      done: false,
      value: this.#kind === 'names' ? name : this.#kind === 'values' ? value : [name, value],
    }
  }
}

Object.setPrototypeOf(PairIterator.prototype, IteratorPrototype)

const iterator = (first: PairNode | null, kind: PairKind): never =>
  new PairIterator(FROM_GUEST, first, kind) as never

export const iterateNames = (first: PairNode | null): IteratorObject<string> => iterator(first, 'names')
export const iterateValues = (first: PairNode | null): IteratorObject<never> => iterator(first, 'values')
export const iterateEntries = (first: PairNode | null): IteratorObject<never> => iterator(first, 'entries')
