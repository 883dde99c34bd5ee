/**
 * The prefixes that are banned, laid out to be asked for each connection: a hash table for each length that is in use.
 *
 * Nearly all bans have one of two or three lengths, so a question is as many probes, whatever the number of bans is; and one more or one less costs
 * no more than that, which sorted ranges would not give. Given up: with all lengths in use at once a question is 33 probes, or 129. Where a prefix is
 * kept follows from a number of chance, so that nobody can choose addresses that lie in one place.
 */
import { randomBytes } from 'node:crypto'
import type { IpAddress } from '../base/ip-address.ts'
import type { IpPrefix } from '../base/ip-prefix.ts'

export class BannedPrefixes {
  readonly #seed = randomBytes(4).readInt32LE()
  /** Those in use, by family. */
  #v4: LengthTable[] = []
  #v6: LengthTable[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** False where it was there. */
  add(prefix: IpPrefix): boolean {
    let table = this.#tables(prefix.family).find(({ length }) => length === prefix.length)
    if (table === undefined) {
      table = new LengthTable(prefix.family, prefix.length, this.#seed)
      // The longest first: most are of one address.
      this.#use(
        prefix.family,
        [...this.#tables(prefix.family), table].toSorted((a, b) => b.length - a.length),
      )
    }
    const isNew = table.add(prefix.words)
    if (isNew) this.#size += 1
    return isNew
  }

  /** False where it was not there. */
  delete(prefix: IpPrefix): boolean {
    const tables = this.#tables(prefix.family)
    const table = tables.find(({ length }) => length === prefix.length)
    if (table === undefined || !table.delete(prefix.words)) return false
    this.#size -= 1
    if (table.size === 0)
      this.#use(
        prefix.family,
        tables.filter((other) => other !== table),
      )
    return true
  }

  /** Whether one of them covers the address. */
  has(ip: IpAddress): boolean {
    const tables = ip.family === 4 ? this.#v4 : this.#v6
    for (let index = 0; index < tables.length; index++) if (tables[index]!.covers(ip.words)) return true
    return false
  }

  #tables(family: 4 | 6): LengthTable[] {
    return family === 4 ? this.#v4 : this.#v6
  }

  #use(family: 4 | 6, tables: LengthTable[]): void {
    if (family === 4) this.#v4 = tables
    else this.#v6 = tables
  }
}

const FIRST_PLACES = 16

/** The prefixes of one length: open addressing, never more than half full. */
class LengthTable {
  readonly length: number
  size = 0
  readonly #seed: number
  /** What of each word of an address counts. */
  readonly #masks: readonly [number, number, number, number]
  /** Words that a prefix is kept in: one, or four. */
  readonly #width: 1 | 4
  #places = FIRST_PLACES
  #keys: Int32Array
  #isTaken: Uint8Array

  constructor(family: 4 | 6, length: number, seed: number) {
    this.length = length
    this.#seed = seed
    this.#width = family === 4 ? 1 : 4
    const from = family === 4 ? 96 : 0
    const mask = (index: number) => {
      const bits = from + length - index * 32
      if (bits <= 0) return 0
      return bits >= 32 ? -1 : ~(-1 >>> bits)
    }
    this.#masks = [mask(0), mask(1), mask(2), mask(3)]
    this.#keys = new Int32Array(FIRST_PLACES * this.#width)
    this.#isTaken = new Uint8Array(FIRST_PLACES)
  }

  covers(words: IpAddress['words']): boolean {
    const [first, second, third, fourth] = this.#masks
    return this.#width === 1
      ? this.#find4(words[3] & fourth) >= 0
      : this.#find6(words[0] & first, words[1] & second, words[2] & third, words[3] & fourth) >= 0
  }

  add(words: IpAddress['words']): boolean {
    if ((this.size + 1) * 2 > this.#places) this.#grow()
    const place = this.#place(words)
    if (place >= 0) return false
    this.#put(~place, words)
    this.size += 1
    return true
  }

  delete(words: IpAddress['words']): boolean {
    let hole = this.#place(words)
    if (hole < 0) return false
    this.size -= 1
    const last = this.#places - 1
    // What was pushed on by the one that goes moves back, so that no search ends too early.
    for (let at = (hole + 1) & last; this.#isTaken[at] === 1; at = (at + 1) & last) {
      const home = this.#home(at)
      if (((at - home) & last) < ((at - hole) & last)) continue
      for (let word = 0; word < this.#width; word++)
        this.#keys[hole * this.#width + word] = this.#keys[at * this.#width + word]!
      hole = at
    }
    this.#isTaken[hole] = 0
    return true
  }

  /** Where it is, or the complement of where it would be. */
  #place(words: IpAddress['words']): number {
    const [first, second, third, fourth] = words
    return this.#width === 1
      ? this.#find4(fourth | 0)
      : this.#find6(first | 0, second | 0, third | 0, fourth | 0)
  }

  #find4(key: number): number {
    const last = this.#places - 1
    const keys = this.#keys
    const isTaken = this.#isTaken
    for (let at = mixed(key, this.#seed) & last; ; at = (at + 1) & last) {
      if (isTaken[at] === 0) return ~at
      if (keys[at] === key) return at
    }
  }

  #find6(first: number, second: number, third: number, fourth: number): number {
    const last = this.#places - 1
    const keys = this.#keys
    const isTaken = this.#isTaken
    for (let at = hashed6(first, second, third, fourth, this.#seed) & last; ; at = (at + 1) & last) {
      if (isTaken[at] === 0) return ~at
      const key = at * 4
      if (
        keys[key] === first &&
        keys[key + 1] === second &&
        keys[key + 2] === third &&
        keys[key + 3] === fourth
      )
        return at
    }
  }

  #home(at: number): number {
    const key = at * this.#width
    const keys = this.#keys
    const hash =
      this.#width === 1
        ? mixed(keys[key]!, this.#seed)
        : hashed6(keys[key]!, keys[key + 1]!, keys[key + 2]!, keys[key + 3]!, this.#seed)
    return hash & (this.#places - 1)
  }

  #put(place: number, words: IpAddress['words']): void {
    this.#isTaken[place] = 1
    if (this.#width === 1) this.#keys[place] = words[3]
    else this.#keys.set(words, place * 4)
  }

  #grow(): void {
    const [keys, isTaken, places] = [this.#keys, this.#isTaken, this.#places]
    this.#places = places * 2
    this.#keys = new Int32Array(this.#places * this.#width)
    this.#isTaken = new Uint8Array(this.#places)
    for (let at = 0; at < places; at++) {
      if (isTaken[at] === 0) continue
      const key = at * this.#width
      const words: IpAddress['words'] =
        this.#width === 1
          ? [0, 0, 0, keys[at]!]
          : [keys[key]!, keys[key + 1]!, keys[key + 2]!, keys[key + 3]!]
      this.#put(~this.#place(words), words)
    }
  }
}

/** Bits of a word so mixed that all of them count in the lowest (the finaliser of MurmurHash3). */
function mixed(word: number, seed: number): number {
  let hash = word ^ seed
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

const hashed6 = (first: number, second: number, third: number, fourth: number, seed: number): number =>
  mixed(fourth, mixed(third, mixed(second, mixed(first, seed))))
