/**
 * Addresses of one family cut into ranges, each with a number: what prefixes within prefixes mean, laid flat.
 *
 * The beginnings of the ranges lie sorted in one typed array, so a question is a binary search that allocates nothing. For IPv4 the first 16 bits of an address
 * lead to the few ranges that it can be in. Given up: changing one prefix makes the table anew.
 */
import type { IpAddress } from '../base/ip-address.ts'
import type { IpPrefix } from '../base/ip-prefix.ts'

export type Words = IpAddress['words']

/** What no prefix covers. */
export const NOWHERE = -1
/** With fewer ranges the first bits of an address save nothing. */
const INDEXED_FROM = 512

export class RangeTable {
  readonly family: 4 | 6
  readonly count: number
  /** By range. */
  readonly values: Int32Array
  /** Where each range begins: one word, or four. The first one begins at zero. */
  readonly starts: Uint32Array
  /** By the first 16 bits of an IPv4 address: the range that the first such address is in. */
  readonly #firsts: Uint32Array | undefined

  constructor(family: 4 | 6, starts: Uint32Array, values: Int32Array) {
    this.family = family
    this.starts = starts
    this.values = values
    this.count = values.length
    if (family === 4 && this.count >= INDEXED_FROM) this.#firsts = firstsOf(starts)
  }

  /** The range that an IPv4 address is in. */
  find4(word: number): number {
    const { starts } = this
    let low = 0
    let high = this.count - 1
    if (this.#firsts !== undefined) {
      const bits = word >>> 16
      low = this.#firsts[bits]!
      if (bits < 0xffff) high = this.#firsts[bits + 1]!
    }
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (starts[middle]! <= word) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The range that an IPv6 address is in. */
  find6(a: number, b: number, c: number, d: number): number {
    const { starts } = this
    let low = 0
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      const at = middle * 4
      const first = starts[at]!
      const isAtMost =
        first !== a
          ? first < a
          : starts[at + 1]! !== b
            ? starts[at + 1]! < b
            : starts[at + 2]! !== c
              ? starts[at + 2]! < c
              : starts[at + 3]! <= d
      if (isAtMost) low = middle
      else high = middle - 1
    }
    return low
  }

  find(words: Words): number {
    return this.family === 4 ? this.find4(words[3]) : this.find6(words[0], words[1], words[2], words[3])
  }

  /** What the prefixes say of an address; `NOWHERE` where none covers it. */
  valueOf(words: Words): number {
    return this.values[this.find(words)]!
  }

  /** How many bits of an address say that it is in that range: the length of the largest prefix around it that lies in the range whole. */
  lengthAround(range: number, words: Words): number {
    const width = this.family === 4 ? 1 : 4
    let length = 0
    if (range > 0) length = commonBits(words, this.starts, range * width, width, true) + 1
    if (range < this.count - 1)
      length = Math.max(length, commonBits(words, this.starts, (range + 1) * width, width, false) + 1)
    return length
  }
}

/** Bits that an address has in common with the beginning of a range, or with what stands before that. */
function commonBits(words: Words, starts: Uint32Array, at: number, width: number, isBefore: boolean): number {
  // What stands before: one less, which borrows from higher words as long as lower ones are zero.
  let borrowsFrom = width
  if (isBefore) {
    borrowsFrom = width - 1
    while (borrowsFrom > 0 && starts[at + borrowsFrom] === 0) borrowsFrom -= 1
  }
  for (let index = 0; index < width; index++) {
    let word = starts[at + index]!
    if (isBefore && index >= borrowsFrom) word = index === borrowsFrom ? (word - 1) >>> 0 : 0xffff_ffff
    const differing = (words[4 - width + index]! ^ word) >>> 0
    if (differing !== 0) return index * 32 + Math.clz32(differing)
  }
  return width * 32
}

function firstsOf(starts: Uint32Array): Uint32Array {
  const firsts = new Uint32Array(0x1_0000)
  let range = 0
  for (let bits = 0; bits < 0x1_0000; bits++) {
    const word = bits * 0x1_0000
    while (range + 1 < starts.length && starts[range + 1]! <= word) range += 1
    firsts[bits] = range
  }
  return firsts
}

/** Ranges one after the other, from zero on; those that go on with the number of the one before are one. */
export class RangeWriter {
  readonly #family: 4 | 6
  readonly #width: number
  #starts: Uint32Array
  #values: Int32Array
  #count = 1

  constructor(family: 4 | 6) {
    this.#family = family
    this.#width = family === 4 ? 1 : 4
    this.#starts = new Uint32Array(1024 * this.#width)
    this.#values = new Int32Array(1024)
    this.#values[0] = NOWHERE
  }

  /** From here on it is that number. Beginnings come in order; a second one at the same place takes the place of the first. */
  begin(words: Words, value: number): void {
    const width = this.#width
    if (this.#isLastStart(words)) {
      this.#count -= 1
      if (this.#count > 0 && this.#values[this.#count - 1] === value) return
    } else if (this.#values[this.#count - 1] === value) return
    if (this.#count === this.#values.length) this.#grow()
    for (let index = 0; index < width; index++)
      this.#starts[this.#count * width + index] = words[4 - width + index]!
    this.#values[this.#count] = value
    this.#count += 1
  }

  done(): RangeTable {
    return new RangeTable(
      this.#family,
      this.#starts.slice(0, this.#count * this.#width),
      this.#values.slice(0, this.#count),
    )
  }

  #isLastStart(words: Words): boolean {
    const width = this.#width
    for (let index = 0; index < width; index++)
      if (this.#starts[(this.#count - 1) * width + index] !== words[4 - width + index]) return false
    return true
  }

  #grow(): void {
    const starts = new Uint32Array(this.#starts.length * 2)
    starts.set(this.#starts)
    this.#starts = starts
    const values = new Int32Array(this.#values.length * 2)
    values.set(this.#values)
    this.#values = values
  }
}

export interface NumberedPrefix extends IpPrefix {
  readonly value: number
}

/** The longest prefix around an address says what it is; of equal ones the last. */
export function rangesOf(family: 4 | 6, prefixes: readonly NumberedPrefix[]): RangeTable {
  const own = prefixes.filter((prefix) => prefix.family === family).toSorted(byPlace)
  const writer = new RangeWriter(family)
  /** Those that the place is in, the longest last. */
  const around: { readonly end: Words | undefined; readonly value: number }[] = []
  const leave = (until: Words | undefined) => {
    for (let last = around.at(-1); last !== undefined; last = around.at(-1)) {
      // Behind the last address there is nothing to begin.
      if (until !== undefined && (last.end === undefined || compareWords(last.end, until) > 0)) return
      around.pop()
      if (last.end !== undefined) writer.begin(last.end, around.at(-1)?.value ?? NOWHERE)
    }
  }
  for (const { words, length, value } of own) {
    leave(words)
    writer.begin(words, value)
    around.push({ end: behind(family, words, length), value })
  }
  leave(undefined)
  return writer.done()
}

/** The first address behind a prefix; undefined where that is the last one. */
export function behind(family: 4 | 6, words: Words, length: number): Words | undefined {
  const bits = family === 4 ? length + 96 : length
  const next: [number, number, number, number] = [...words]
  if (bits === (family === 4 ? 96 : 0)) return undefined
  let index = (bits - 1) >> 5
  let carry = 2 ** (31 - ((bits - 1) & 31))
  const top = family === 4 ? 3 : 0
  for (; index >= top; index--) {
    const sum = next[index]! + carry
    next[index] = sum >>> 0
    if (sum < 2 ** 32) return next
    next[index] = sum - 2 ** 32
    carry = 1
  }
  return undefined
}

export function compareWords(one: Words, other: Words): number {
  for (let index = 0; index < 4; index++)
    if (one[index] !== other[index]) return one[index]! < other[index]! ? -1 : 1
  return 0
}

const byPlace = (one: NumberedPrefix, other: NumberedPrefix): number =>
  compareWords(one.words, other.words) || one.length - other.length

/**
 * One table out of several: wherever any of them goes on to another range, `combine` is asked what all of their numbers together are. A generator, so that
 * large ones can be made in turns: it yields now and then.
 */
export function* combining(
  family: 4 | 6,
  tables: readonly RangeTable[],
  combine: (values: Int32Array) => number,
): Generator<void, RangeTable> {
  const writer = new RangeWriter(family)
  const width = family === 4 ? 1 : 4
  const next = new Uint32Array(tables.length)
  const values = new Int32Array(tables.length).fill(NOWHERE)
  let place: Words | undefined = [0, 0, 0, 0]
  for (let steps = 0; place !== undefined; steps++) {
    for (let index = 0; index < tables.length; index++) {
      const table = tables[index]!
      const at = next[index]!
      if (at === table.count || compareStart(table, at, width, place) > 0) continue
      values[index] = table.values[at]!
      next[index] = at + 1
    }
    writer.begin(place, combine(values))
    let least = -1
    for (let index = 0; index < tables.length; index++) {
      if (next[index] === tables[index]!.count) continue
      if (least === -1) least = index
      else if (compareStart(tables[index]!, next[index]!, width, startOf(tables[least]!, next[least]!)) < 0)
        least = index
    }
    place = least === -1 ? undefined : startOf(tables[least]!, next[least]!)
    if ((steps & 0xfff) === 0xfff) yield
  }
  return writer.done()
}

function compareStart({ starts }: RangeTable, range: number, width: number, words: Words): number {
  for (let index = 0; index < width; index++) {
    const one = starts[range * width + index]!
    const other = words[4 - width + index]!
    if (one !== other) return one < other ? -1 : 1
  }
  return 0
}

function startOf({ family, starts }: RangeTable, range: number): Words {
  if (family === 4) return [0, 0, 0, starts[range]!]
  const at = range * 4
  return [starts[at]!, starts[at + 1]!, starts[at + 2]!, starts[at + 3]!]
}
