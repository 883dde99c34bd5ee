/**
 * Keys of a trace, numbered in the order in which they appear first.
 *
 * A key is known by 64 bits of hash and not by its text: twelve bytes a key instead of a string and a place in a map, so
 * a log of ten million addresses fits. Two of a million keys fall together once in thirty million traces.
 */
export class KeyNumbers {
  #slots = new Int32Array(1024)
  #low = new Uint32Array(512)
  #high = new Uint32Array(512)
  #count = 0

  get count(): number {
    return this.#count
  }

  /** The half of the hash that a sample is taken by. */
  highOf(number: number): number {
    return this.#high[number]!
  }

  /** The number of a key; of one that is new, the next. */
  numberOf({ low, high }: KeyHash): number {
    const mask = this.#slots.length - 1
    let slot = low & mask
    for (let held = this.#slots[slot]!; held !== 0; held = this.#slots[slot]!) {
      if (this.#low[held - 1] === low && this.#high[held - 1] === high) return held - 1
      slot = (slot + 1) & mask
    }
    return this.#add(slot, low, high)
  }

  #add(slot: number, low: number, high: number): number {
    const number = this.#count
    if (number === this.#low.length) {
      this.#low = grown(this.#low)
      this.#high = grown(this.#high)
    }
    this.#low[number] = low
    this.#high[number] = high
    this.#count = number + 1
    this.#slots[slot] = number + 1
    if (this.#count * 2 > this.#slots.length) this.#spread(this.#slots.length * 2)
    return number
  }

  /** Keeps some of the keys, which are numbered anew in the same order; gives the new number of each old one, -1 for those that go. */
  keep(isKept: (number: number) => boolean): Int32Array {
    const renumbered = new Int32Array(this.#count).fill(-1)
    let next = 0
    for (let number = 0; number < this.#count; number += 1) {
      if (!isKept(number)) continue
      this.#low[next] = this.#low[number]!
      this.#high[next] = this.#high[number]!
      renumbered[number] = next
      next += 1
    }
    this.#count = next
    this.#spread(this.#slots.length)
    return renumbered
  }

  #spread(length: number): void {
    const slots = new Int32Array(length)
    for (let number = 0; number < this.#count; number += 1) {
      let slot = this.#low[number]! & (length - 1)
      while (slots[slot] !== 0) slot = (slot + 1) & (length - 1)
      slots[slot] = number + 1
    }
    this.#slots = slots
  }
}

export interface KeyHash {
  readonly low: number
  readonly high: number
}

/** Two halves of 32 bits that know nothing of each other, each a chain of multiplications (cyrb53), then mixed crosswise. */
export function hashOf(key: string): KeyHash {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < key.length; i += 1) {
    const code = key.charCodeAt(i)
    a = Math.imul(a ^ code, 0x9e3779b1)
    b = Math.imul(b ^ code, 0x5f356495)
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
  return { low: (a ^ (a >>> 15)) >>> 0, high: (b ^ (b >>> 15)) >>> 0 }
}

/** The same numbers with room for twice as many. */
export function grown<A extends Uint32Array | Float64Array>(array: A): A {
  const longer = new (array.constructor as new (length: number) => A)(array.length * 2)
  longer.set(array)
  return longer
}
