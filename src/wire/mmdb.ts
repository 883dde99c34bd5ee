/**
 * Tables about networks as MaxMind lays them out (https://maxmind.github.io/MaxMind-DB/, version 2): a binary tree over the bits of
 * addresses, whose leaves point into a section of data.
 *
 * The values are read as they are asked for, out of the bytes of the file. A file that is not whole is told so where that is found: none of what
 * it says is followed further than its end, nor deeper than maps of maps may go.
 */
import type { IpAddress } from '../base/ip-address.ts'

export type MmdbValue = string | number | bigint | boolean | Uint8Array | MmdbMap | readonly MmdbValue[]
export type MmdbMap = ReadonlyMap<string, MmdbValue>

export class MmdbMalformed extends Error {}

/** In front of the metadata, which is the last thing in the file. */
const MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
const METADATA_MAX = 128 * 1024
/** Zero bytes between the tree and the data. */
const GAP = 16
const DEPTH_MAX = 16

const TYPES = { pointer: 1, text: 2, double: 3, bytes: 4, uint16: 5, uint32: 6, map: 7 } as const
const MORE_TYPES = { int32: 8, uint64: 9, uint128: 10, array: 11, boolean: 14, float: 15 } as const

type VisitNetwork = (family: 4 | 6, words: IpAddress['words'], length: number, at: number) => void

export class Mmdb {
  /** What the table says of itself: `database_type`, `build_epoch` and more. */
  readonly metadata: MmdbMap
  private readonly bytes: Buffer
  private readonly nodes: number
  private readonly recordBits: number
  private readonly dataAt: number
  private readonly isV6: boolean
  /** Where IPv4 addresses begin: in a tree for IPv6 behind 96 zero bits. */
  private readonly v4Root: number

  /** Throws `MmdbMalformed`. */
  constructor(bytes: Buffer) {
    this.bytes = bytes
    const marker = bytes.lastIndexOf(MARKER)
    if (marker < 0 || marker < bytes.length - METADATA_MAX) throw new MmdbMalformed('it has no metadata')
    const metadataAt = marker + MARKER.length
    const metadata = new Section(bytes, metadataAt).value(metadataAt)
    if (!(metadata instanceof Map)) throw new MmdbMalformed('its metadata is no map')
    this.metadata = metadata as MmdbMap
    const number = (key: string): number => {
      const value = metadata.get(key)
      if (typeof value === 'number') return value
      throw new MmdbMalformed(`its metadata has no ${key}`)
    }
    this.nodes = number('node_count')
    this.recordBits = number('record_size')
    this.isV6 = number('ip_version') === 6
    if (![24, 28, 32].includes(this.recordBits))
      throw new MmdbMalformed(`its records have ${this.recordBits} bits; expected 24, 28 or 32`)
    this.dataAt = (this.nodes * this.recordBits) / 4 + GAP
    if (this.dataAt > marker) throw new MmdbMalformed('its tree is longer than it is')
    let root = 0
    for (let depth = 0; this.isV6 && depth < 96 && root < this.nodes; depth++) root = this.record(root, 0)
    this.v4Root = root
  }

  /** What the table has for the smallest of its networks that the address is in. */
  find({ family, words }: IpAddress): MmdbValue | undefined {
    if (family === 6 && !this.isV6) return undefined
    let node = family === 4 ? this.v4Root : 0
    for (let bit = family === 4 ? 96 : 0; bit < 128 && node < this.nodes; bit++)
      node = this.record(node, (words[bit >> 5]! >>> (31 - (bit & 31))) & 1)
    if (node <= this.nodes) return undefined
    return new Section(this.bytes, this.dataAt).value(this.dataAt + node - this.nodes - GAP)
  }

  /**
   * Every network that the table has something for, once, in the order of addresses: those of IPv4, then those of IPv6. `at` tells where its data lie: many
   * networks share theirs. Aliases of IPv4 in IPv6 (`2002::/16` and others) are left out. It yields now and then, so that others get a turn while a large table is
   * walked. Throws `MmdbMalformed` where the tree is none.
   */
  *walking(visit: VisitNetwork): Generator<void, void> {
    yield* this.walkingFrom(4, this.v4Root, 96, visit)
    if (this.isV6) yield* this.walkingFrom(6, 0, 0, visit)
  }

  /** The same, at once. */
  walk(visit: VisitNetwork): void {
    const run = this.walking(visit)
    while (run.next().done !== true);
  }

  private *walkingFrom(
    family: 4 | 6,
    root: number,
    rootBit: number,
    visit: VisitNetwork,
  ): Generator<void, void> {
    const words: [number, number, number, number] = [0, 0, 0, 0]
    // Nodes that are still to be come to, each with its depth and the side of the one above that it lies on: two a level at most.
    const waiting = [root, rootBit, 0]
    for (let seen = 0; waiting.length > 0; seen++) {
      const side = waiting.pop()!
      const bit = waiting.pop()!
      const node = waiting.pop()!
      if (bit > rootBit) turn(words, bit - 1, side)
      if (node === this.nodes) continue
      if (node > this.nodes) {
        const at = this.dataAt + node - this.nodes - GAP
        visit(family, [...words], family === 4 ? bit - 96 : bit, at)
        continue
      }
      if (family === 6 && node === this.v4Root && bit > 0) continue
      if (bit === 128) throw new MmdbMalformed('its tree is deeper than addresses are long')
      // A node of a tree is come to once: a file in which that is otherwise would keep us for ever.
      if (seen > 4 * this.nodes + 4) throw new MmdbMalformed('its tree comes to a node twice')
      waiting.push(this.record(node, 1), bit + 1, 1, this.record(node, 0), bit + 1, 0)
      if ((seen & 0x1fff) === 0x1fff) yield
    }
  }

  /** What lies at a place that `walk` told. */
  valueAt(at: number): MmdbValue {
    return new Section(this.bytes, this.dataAt).value(at)
  }

  private record(node: number, side: number): number {
    const { bytes, recordBits } = this
    if (recordBits === 24) return bytes.readUIntBE(node * 6 + side * 3, 3)
    if (recordBits === 32) return bytes.readUInt32BE(node * 8 + side * 4)
    // 28: the byte in the middle has the highest bits of both.
    const at = node * 7
    const middle = bytes[at + 3]!
    const high = side === 0 ? middle >> 4 : middle & 15
    return high * 2 ** 24 + bytes.readUIntBE(at + side * 4, 3)
  }
}

/** Sets a bit of an address, and clears all behind it. */
function turn(words: [number, number, number, number], bit: number, side: number): void {
  const index = bit >> 5
  const place = 1 << (31 - (bit & 31))
  const before = ~((place - 1) | place)
  words[index] = ((words[index]! & before) | (side === 1 ? place : 0)) >>> 0
  for (let after = index + 1; after < 4; after++) words[after] = 0
}

/** What a value holds under these keys, one within the other; undefined where it does not. */
export function valueAt(value: MmdbValue | undefined, ...path: readonly string[]): MmdbValue | undefined {
  let inner = value
  for (const key of path) inner = inner instanceof Map ? (inner as MmdbMap).get(key) : undefined
  return inner
}

/** The same, where it is text. */
export function textAt(value: MmdbValue | undefined, ...path: readonly string[]): string | undefined {
  const inner = valueAt(value, ...path)
  return typeof inner === 'string' ? inner : undefined
}

/** Values, one after the other; pointers count from `base`. */
class Section {
  private readonly bytes: Buffer
  private readonly base: number
  private at = 0

  constructor(bytes: Buffer, base: number) {
    this.bytes = bytes
    this.base = base
  }

  value(at: number): MmdbValue {
    this.at = at
    return this.next(0)
  }

  private next(depth: number): MmdbValue {
    if (depth > DEPTH_MAX) throw new MmdbMalformed('its maps are too deep')
    const control = this.number(1)
    let type = control >> 5
    if (type === TYPES.pointer) return this.pointed(control, depth)
    if (type === 0) type = this.number(1) + 7
    const size = this.size(control & 31)
    switch (type) {
      case TYPES.text:
        return this.take(size).toString('utf8')
      case TYPES.bytes:
        return this.take(size)
      case TYPES.double:
        return this.take(8).readDoubleBE()
      case MORE_TYPES.float:
        return this.take(4).readFloatBE()
      case TYPES.uint16:
      case TYPES.uint32:
        return this.number(size)
      case MORE_TYPES.int32:
        return this.number(size) | 0
      case MORE_TYPES.uint64:
      case MORE_TYPES.uint128:
        return size === 0 ? 0n : BigInt(`0x${this.take(size).toString('hex')}`)
      case MORE_TYPES.boolean:
        return size !== 0
      case TYPES.map:
        return this.map(size, depth)
      case MORE_TYPES.array:
        return Array.from({ length: this.fits(size) }, () => this.next(depth + 1))
      default:
        throw new MmdbMalformed(`it has a value of the unknown type ${type}`)
    }
  }

  private map(size: number, depth: number): MmdbMap {
    const map = new Map<string, MmdbValue>()
    this.fits(size)
    for (let i = 0; i < size; i++) {
      const key = this.next(depth + 1)
      if (typeof key !== 'string') throw new MmdbMalformed('a key of a map is no text')
      map.set(key, this.next(depth + 1))
    }
    return map
  }

  private pointed(control: number, depth: number): MmdbValue {
    const length = ((control >> 3) & 3) + 1
    const high = length === 4 ? 0 : (control & 7) * 2 ** (8 * length)
    const target = high + this.number(length) + [0, 2048, 526_336, 0][length - 1]!
    const back = this.at
    this.at = this.base + target
    const value = this.next(depth + 1)
    this.at = back
    return value
  }

  private size(short: number): number {
    if (short < 29) return short
    const bytes = short - 28
    return this.number(bytes) + [29, 285, 65_821][bytes - 1]!
  }

  /** Every value takes a byte at least: more of them than there are bytes cannot be. */
  private fits(count: number): number {
    if (count <= this.bytes.length - this.at) return count
    throw new MmdbMalformed('a value is longer than it is')
  }

  /** Big-endian, of up to 4 bytes. */
  private number(bytes: number): number {
    if (bytes > 4) throw new MmdbMalformed(`it has a number of ${bytes} bytes`)
    let value = 0
    for (const byte of this.take(bytes)) value = value * 256 + byte
    return value
  }

  private take(bytes: number): Buffer {
    const end = this.at + bytes
    if (end > this.bytes.length) throw new MmdbMalformed('it ends within a value')
    const taken = this.bytes.subarray(this.at, end)
    this.at = end
    return taken
  }
}
