/**
 * The data of the commonest types right from the bytes of a file, without strings in between. What is written in any unusual way is left to the table
 * of fields, which also finds the words for what is wrong.
 */
import { TYPE } from '../codes.ts'
import { LABEL_BYTES_MAX, NAME_BYTES_MAX } from '../name.ts'
import { type EntryReader, WORD_ESCAPED } from './entry-reader.ts'

const DOT = 0x2e
const COLON = 0x3a

/** Views by length up to this one are kept: a view costs more than the bytes in it. */
const VIEWS_KEPT = 1024

export class PlainRdata {
  readonly #memory = Buffer.allocUnsafeSlow(65_535)
  readonly #views: Buffer[] = []
  /** Wire form of what relative names go on with. */
  origin = Buffer.of(0)

  /** From word `first` on. The bytes are those of the next call after it. Undefined where it is not plain. */
  parse(type: number, entry: EntryReader, first: number): Buffer | undefined {
    const words = entry.count - first
    switch (type) {
      case TYPE.A:
        return words === 1 ? this.#ipv4(entry.bytes, entry.starts[first]!, entry.ends[first]!) : undefined
      case TYPE.AAAA:
        return words === 1 ? this.#ipv6(entry.bytes, entry.starts[first]!, entry.ends[first]!) : undefined
      case TYPE.NS:
      case TYPE.CNAME:
      case TYPE.PTR:
      case TYPE.DNAME:
        return words === 1 ? this.#target(entry, first, 0) : undefined
      case TYPE.MX:
        return words === 2 ? this.#target(entry, first, 1) : undefined
      case TYPE.SRV:
        return words === 4 ? this.#target(entry, first, 3) : undefined
      case TYPE.TXT:
        return this.#strings(entry, first)
      default:
        return undefined
    }
  }

  #view(length: number): Buffer {
    if (length >= VIEWS_KEPT) return this.#memory.subarray(0, length)
    return (this.#views[length] ??= this.#memory.subarray(0, length))
  }

  #ipv4(bytes: Buffer, from: number, to: number): Buffer | undefined {
    let parts = 0
    let value = -1
    for (let at = from; at <= to; at++) {
      const byte = at === to ? DOT : bytes[at]!
      if (byte === DOT) {
        if (value < 0 || parts === 4) return undefined
        this.#memory[parts++] = value
        value = -1
        continue
      }
      const digit = byte - 0x30
      if (digit < 0 || digit > 9 || value === 0) return undefined
      value = value < 0 ? digit : value * 10 + digit
      if (value > 255) return undefined
    }
    return parts === 4 ? this.#view(4) : undefined
  }

  #ipv6(bytes: Buffer, from: number, to: number): Buffer | undefined {
    const memory = this.#memory
    let length = 0
    /** Where `::` stands. */
    let gapAt = -1
    let at = from
    if (to - from >= 2 && bytes[at] === COLON && bytes[at + 1] === COLON) {
      gapAt = 0
      at += 2
    }
    while (at < to) {
      if (length === 16) return undefined
      let value = 0
      const start = at
      for (; at < to; at++) {
        const digit = hexDigit(bytes[at]!)
        if (digit < 0) break
        value = (value << 4) | digit
      }
      if (at === start || at - start > 4) return undefined
      memory[length] = value >> 8
      memory[length + 1] = value
      length += 2
      if (at === to) break
      // An IPv4 address in the end is left to others.
      if (bytes[at++] !== COLON || at === to) return undefined
      if (bytes[at] !== COLON) continue
      if (gapAt >= 0) return undefined
      gapAt = length
      at += 1
    }
    if (gapAt < 0) return length === 16 ? this.#view(16) : undefined
    if (length > 14) return undefined
    memory.copyWithin(16 - (length - gapAt), gapAt, length)
    memory.fill(0, gapAt, 16 - (length - gapAt))
    return this.#view(16)
  }

  /** So many numbers of 16 bits, and a name. */
  #target(entry: EntryReader, first: number, numbers: number): Buffer | undefined {
    const { bytes, starts, ends, flags } = entry
    const memory = this.#memory
    let length = 0
    for (let word = first; word < first + numbers; word++) {
      let value = 0
      const to = ends[word]!
      if (to === starts[word] || to - starts[word]! > 5) return undefined
      for (let at = starts[word]!; at < to; at++) {
        const digit = bytes[at]! - 0x30
        if (digit < 0 || digit > 9) return undefined
        value = value * 10 + digit
      }
      if (value > 0xffff) return undefined
      memory[length] = value >> 8
      memory[length + 1] = value
      length += 2
    }
    const word = first + numbers
    if ((flags[word]! & WORD_ESCAPED) !== 0) return undefined
    const end = writePlainName(bytes, starts[word]!, ends[word]!, this.origin, memory, length)
    return end < 0 ? undefined : this.#view(end)
  }

  #strings(entry: EntryReader, first: number): Buffer | undefined {
    const { bytes, starts, ends, flags } = entry
    const memory = this.#memory
    if (first === entry.count) return undefined
    // `\# 0` is data too.
    let length = 0
    for (let word = first; word < entry.count; word++) {
      const from = starts[word]!
      const size = ends[word]! - from
      if ((flags[word]! & WORD_ESCAPED) !== 0 || size > 255 || length + 1 + size > 65_535) return undefined
      memory[length++] = size
      for (let at = 0; at < size; at++) memory[length++] = bytes[from + at]!
    }
    return this.#view(length)
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/**
 * Writes a name without escapes at `length` of `into`, its origin behind it where it does not end with a dot. Returns where it ends; -1 where it is
 * no name, or needs a closer look.
 */
export function writePlainName(
  bytes: Uint8Array,
  from: number,
  to: number,
  origin: Uint8Array,
  into: Uint8Array,
  length: number,
): number {
  if (to - from > NAME_BYTES_MAX || to === from) return -1
  const start = length
  if (to - from === 1 && (bytes[from] === DOT || bytes[from] === 0x40)) {
    if (bytes[from] === DOT) {
      into[length] = 0
      return length + 1
    }
  } else {
    let labelAt = length++
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!
      if (byte !== DOT) {
        into[length++] = byte
        continue
      }
      const size = length - labelAt - 1
      if (size === 0 || size > LABEL_BYTES_MAX) return -1
      into[labelAt] = size
      labelAt = length++
    }
    const size = length - labelAt - 1
    if (size === 0) {
      // It ends with a dot.
      into[labelAt] = 0
      return length - start > NAME_BYTES_MAX ? -1 : length
    }
    if (size > LABEL_BYTES_MAX) return -1
    into[labelAt] = size
  }
  for (let at = 0; at < origin.length; at++) into[length++] = origin[at]!
  return length - start > NAME_BYTES_MAX ? -1 : length
}
