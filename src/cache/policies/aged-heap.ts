/**
 * Entries by worth, the least worthy first, where worth is inflation and uses times a price: `L + uses × price`. When an
 * entry leaves, its worth becomes the new inflation `L`: what was wanted a lot long ago is overtaken in time by what is
 * wanted now. (Cao and Irani's GreedyDual, 1997; Cherkasova's GDSF and LFU with dynamic ageing, 1998.)
 *
 * A binary heap, but a hit does not touch its order: it only notes the new worth, which is never less than the old one.
 * When an entry comes to the top that is worth more than its place says, it sinks; so the one that leaves is the least
 * worthy, and a hit is O(1). Of several that are worth the same the one leaves whose last use is longest ago.
 */
import type { PolicyEntry } from '../../contract/replacement-policy.ts'

const FIRST_SIZE = 64

export class AgedHeap<E extends PolicyEntry<E>> {
  /** By place in the heap, which is the mark of the entry. */
  readonly #entries: E[] = []
  /** The worth that the place stands for, and the true one. */
  #placed = new Float64Array(FIRST_SIZE)
  #worth = new Float64Array(FIRST_SIZE)
  #uses = new Uint32Array(FIRST_SIZE)
  /** When it was used last, counted in uses. Begins again after 2^32 of them, which once confuses those that are worth the same. */
  #turns = new Uint32Array(FIRST_SIZE)
  #turn = 0
  #inflation = 0

  add(entry: E, price: number): void {
    const place = this.#entries.length
    if (place === this.#uses.length) this.#grow()
    this.#entries.push(entry)
    entry.mark = place
    this.#uses[place] = 1
    this.#turns[place] = this.#turn++
    this.#worth[place] = this.#inflation + price
    this.#placed[place] = this.#worth[place]
    this.#rise(place)
  }

  use(entry: E, price: number): void {
    const place = entry.mark
    const uses = (this.#uses[place] as number) + 1
    this.#uses[place] = uses
    this.#turns[place] = this.#turn++
    this.#worth[place] = this.#inflation + uses * price
  }

  /** The price of an entry has changed. */
  reprice(entry: E, price: number): void {
    const place = entry.mark
    this.#worth[place] = this.#inflation + (this.#uses[place] as number) * price
    this.#placed[place] = this.#worth[place]
    this.#rise(place)
    this.#sink(entry.mark)
  }

  remove(entry: E, isEvicted: boolean): void {
    const place = entry.mark
    if (isEvicted) this.#inflation = Math.max(this.#inflation, this.#worth[place] as number)
    const last = this.#entries.length - 1
    if (place !== last) this.#swap(place, last)
    this.#entries.pop()
    if (place === last) return
    const moved = this.#entries[place] as E
    this.#rise(place)
    this.#sink(moved.mark)
  }

  least(): E | undefined {
    for (;;) {
      const top = this.#entries[0]
      if (top === undefined || this.#placed[0] === this.#worth[0]) return top
      this.#placed[0] = this.#worth[0] as number
      this.#sink(0)
    }
  }

  #isBefore(a: number, b: number): boolean {
    const difference = (this.#placed[a] as number) - (this.#placed[b] as number)
    return difference === 0 ? (this.#turns[a] as number) < (this.#turns[b] as number) : difference < 0
  }

  #rise(from: number): void {
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.#isBefore(place, parent)) return
      this.#swap(place, parent)
      place = parent
    }
  }

  #sink(from: number): void {
    const { length } = this.#entries
    let place = from
    for (;;) {
      const left = 2 * place + 1
      if (left >= length) return
      const right = left + 1
      const child = right < length && this.#isBefore(right, left) ? right : left
      if (!this.#isBefore(child, place)) return
      this.#swap(place, child)
      place = child
    }
  }

  #swap(a: number, b: number): void {
    const entries = this.#entries
    const one = entries[a] as E
    const other = entries[b] as E
    entries[a] = other
    entries[b] = one
    other.mark = a
    one.mark = b
    for (const numbers of [this.#placed, this.#worth, this.#uses, this.#turns]) {
      const number = numbers[a] as number
      numbers[a] = numbers[b] as number
      numbers[b] = number
    }
  }

  #grow(): void {
    const size = this.#uses.length * 2
    const placed = new Float64Array(size)
    placed.set(this.#placed)
    this.#placed = placed
    const worth = new Float64Array(size)
    worth.set(this.#worth)
    this.#worth = worth
    const uses = new Uint32Array(size)
    uses.set(this.#uses)
    this.#uses = uses
    const turns = new Uint32Array(size)
    turns.set(this.#turns)
    this.#turns = turns
  }
}
