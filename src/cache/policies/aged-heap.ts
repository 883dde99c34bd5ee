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
  /** What it is worth, and when it was used last, counted in uses: true, and as its place in the heap stands for. */
  #worth = new Float64Array(FIRST_SIZE)
  #placedWorth = new Float64Array(FIRST_SIZE)
  /** Begins again after 2^32 uses, which once confuses those that are worth the same. */
  #turns = new Uint32Array(FIRST_SIZE)
  #placedTurns = new Uint32Array(FIRST_SIZE)
  #uses = new Uint32Array(FIRST_SIZE)
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
    this.#settle(place)
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
    this.#settle(place)
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
      if (top === undefined || this.#placedTurns[0] === this.#turns[0]) return top
      this.#settle(0)
      this.#sink(0)
    }
  }

  /** The place now stands for what is true; whoever calls this puts it where it belongs. */
  #settle(place: number): void {
    this.#placedWorth[place] = this.#worth[place] as number
    this.#placedTurns[place] = this.#turns[place] as number
  }

  #isBefore(a: number, b: number): boolean {
    const difference = (this.#placedWorth[a] as number) - (this.#placedWorth[b] as number)
    return difference === 0
      ? (this.#placedTurns[a] as number) < (this.#placedTurns[b] as number)
      : difference < 0
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
    swap(this.#worth, a, b)
    swap(this.#placedWorth, a, b)
    swap(this.#turns, a, b)
    swap(this.#placedTurns, a, b)
    swap(this.#uses, a, b)
  }

  #grow(): void {
    // By a quarter: what is not used yet of five arrays is memory of every entry.
    const size = Math.ceil(this.#uses.length * 1.25)
    this.#worth = grown(this.#worth, new Float64Array(size))
    this.#placedWorth = grown(this.#placedWorth, new Float64Array(size))
    this.#turns = grown(this.#turns, new Uint32Array(size))
    this.#placedTurns = grown(this.#placedTurns, new Uint32Array(size))
    this.#uses = grown(this.#uses, new Uint32Array(size))
  }
}

type Numbers = Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer>

function swap(numbers: Numbers, a: number, b: number): void {
  const number = numbers[a] as number
  numbers[a] = numbers[b] as number
  numbers[b] = number
}

function grown<T extends Numbers>(from: T, into: T): T {
  into.set(from)
  return into
}
