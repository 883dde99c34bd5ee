/**
 * Iterators for the web's collections (`Headers`, `URLSearchParams`, cookies), over a list that is walked lazily.
 *
 * Their own small class instead of generators: a generator's prototype chain is the unit's to change, and these
 * are also cheaper.
 */
import { getPrototypeOf, iteratorSymbol } from './primordials.ts'

/** A list of pairs: what collections hand to iterators and `forEach`. */
export interface PairNode {
  readonly name: string
  readonly value: string
  readonly next: PairNode | null
}

export type PairKind = 'names' | 'values' | 'entries'

export class PairIterator<T> {
  #at: PairNode | null
  readonly #kind: PairKind

  constructor(first: PairNode | null, kind: PairKind) {
    this.#at = first
    this.#kind = kind
  }

  next(): IteratorResult<T, undefined> {
    const node = this.#at
    if (node === null) return { done: true, value: undefined }
    this.#at = node.next
    const value =
      this.#kind === 'names' ? node.name : this.#kind === 'values' ? node.value : [node.name, node.value]
    return { done: false, value: value as T }
  }
}

export interface PairIterator<T> extends IteratorObject<T, undefined> {}

// What the language's own iterators inherit from: `[Symbol.iterator]`, `map`, `filter`…
Object.setPrototypeOf(PairIterator.prototype, getPrototypeOf(getPrototypeOf([][iteratorSymbol]())!))
