/**
 * The keys that left not long ago, first in, first out, and what they weighed: a policy that sees one of them again knows
 * that it parted with it too soon.
 *
 * Keys are remembered as hashes of 32 bits in arrays of numbers: 16 to 37 bytes a ghost, however long its key. Two keys
 * with the same hash are one ghost, which makes one wrong guess in four thousand million.
 *
 *     ring    hash and weight by the number of the ghost, modulo the ring's size; one weight marks those that were taken
 *     places  hash → number of the ghost + 1 (0: empty), open addressing with linear probing, at most half full
 */

/** More ghosts than this are never kept, whatever the capacity says: 64 MiB. */
const GHOSTS_MAX = 2 ** 22

const FIRST_SIZE = 64

/** Weights are kept in 32 bits, until one comes that does not fit. */
const WEIGHT_MAX = 2 ** 32 - 2
const TAKEN = 2 ** 32 - 1
const TAKEN_WIDE = -1

/** As much of the ring may be in use, eighths, before it grows: below it, that it is full is due to those that were taken. */
const EIGHTHS_FULL = 7

export class GhostQueue {
  /** What all ghosts weigh together. */
  weight = 0
  #size = 0
  #hashes = new Int32Array(FIRST_SIZE)
  #weights: Uint32Array | Float64Array = new Uint32Array(FIRST_SIZE)
  #taken = TAKEN
  #places = new Int32Array(FIRST_SIZE * 2)
  /** Numbers of the oldest ghost and of the next one; they only grow, and start again when the ring is laid out anew. */
  #oldest = 0
  #next = 0

  get size(): number {
    return this.#size
  }

  /** Remembers a key; the oldest is forgotten where there are too many. */
  add(hash: number, weight: number): void {
    this.take(hash)
    if (this.#size >= GHOSTS_MAX) this.forgetOldest()
    if (this.#next - this.#oldest === this.#hashes.length || this.#next === 0x7ffffffe) this.#layOut()
    if (this.#taken === TAKEN && !(weight <= WEIGHT_MAX && Number.isInteger(weight))) this.#widen()
    const at = this.#next & (this.#hashes.length - 1)
    this.#hashes[at] = hash
    this.#weights[at] = weight
    this.weight += weight
    this.#size++
    this.#next++
    this.#enter(hash, this.#next)
  }

  has(hash: number): boolean {
    return this.#places[this.#find(hash)] !== 0
  }

  /** Forgets a key; true where it was remembered. */
  take(hash: number): boolean {
    const place = this.#find(hash)
    const found = this.#places[place] as number
    if (found === 0) return false
    this.#leave(place)
    this.#blank(found - 1)
    return true
  }

  forgetOldest(): void {
    while (this.#oldest < this.#next) {
      const at = this.#oldest & (this.#hashes.length - 1)
      if (this.#weights[at] !== this.#taken) {
        this.#leave(this.#find(this.#hashes[at] as number))
        this.#blank(this.#oldest)
        this.#oldest++
        return
      }
      this.#oldest++
    }
  }

  /** Forgets the oldest until the rest weighs no more than this. */
  shrinkTo(weightMax: number): void {
    while (this.weight > weightMax && this.#size > 0) this.forgetOldest()
  }

  #blank(number: number): void {
    const at = number & (this.#hashes.length - 1)
    this.weight -= this.#weights[at] as number
    this.#weights[at] = this.#taken
    this.#size--
  }

  /** Where the hash stands among the places, or the empty place where it would. */
  #find(hash: number): number {
    const mask = this.#places.length - 1
    const ring = this.#hashes.length - 1
    let place = hash & mask
    for (;;) {
      const found = this.#places[place] as number
      if (found === 0 || this.#hashes[(found - 1) & ring] === hash) return place
      place = (place + 1) & mask
    }
  }

  #enter(hash: number, found: number): void {
    const mask = this.#places.length - 1
    let place = hash & mask
    while (this.#places[place] !== 0) place = (place + 1) & mask
    this.#places[place] = found
  }

  /** Empties a place and moves up what was pushed past it, so that nothing has to be marked as deleted. */
  #leave(place: number): void {
    const mask = this.#places.length - 1
    const ring = this.#hashes.length - 1
    let hole = place
    for (let next = (hole + 1) & mask; ; next = (next + 1) & mask) {
      const found = this.#places[next] as number
      if (found === 0) break
      const home = (this.#hashes[(found - 1) & ring] as number) & mask
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        this.#places[hole] = found
        hole = next
      }
    }
    this.#places[hole] = 0
  }

  #widen(): void {
    this.#weights = Float64Array.from(this.#weights, (weight) => (weight === TAKEN ? TAKEN_WIDE : weight))
    this.#taken = TAKEN_WIDE
  }

  /** A ring without holes, twice as large where most of it was in use. */
  #layOut(): void {
    const { length } = this.#hashes
    const hashes = this.#hashes
    const weights = this.#weights
    const size = this.#size * 8 > length * EIGHTHS_FULL ? length * 2 : length
    this.#hashes = new Int32Array(size)
    this.#weights = this.#taken === TAKEN ? new Uint32Array(size) : new Float64Array(size)
    this.#places = new Int32Array(size * 2)
    let next = 0
    for (let number = this.#oldest; number < this.#next; number++) {
      const at = number & (length - 1)
      if (weights[at] === this.#taken) continue
      this.#hashes[next] = hashes[at] as number
      this.#weights[next] = weights[at] as number
      next++
      this.#enter(hashes[at] as number, next)
    }
    this.#oldest = 0
    this.#next = next
  }
}
