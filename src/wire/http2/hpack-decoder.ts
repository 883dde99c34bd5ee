/**
 * HPACK (RFC 7541), reading: a block of bytes to fields, with the table that both ends of a connection keep alike.
 *
 * A block that cannot be read ends the connection: the tables no longer agree. A list that is longer than allowed does not: it is read to its
 * end, and forgotten. So a small block that unfolds to a large list costs time, bounded by the block, and no memory.
 */
import { decodeHuffman } from './huffman.ts'
import { STATIC_COUNT, STATIC_TABLE } from './static-table.ts'

/** RFC 7541 §4.1: what an entry counts beside its text. */
const ENTRY_OVERHEAD = 32
const TABLE_BYTES_MAX = 4096

export interface DecodeLimits {
  /** Of all names and values. */
  readonly bytes: number
  readonly count: number
}

/** Thrown where a block is not HPACK. */
export class HpackError extends Error {}

export class HpackDecoder {
  /** The newest last; name and value in turn. */
  private entries: string[] = []
  private bytes = 0
  private bytesMax = TABLE_BYTES_MAX
  private at = 0
  /** Counts the changes of the table: with the same one, the same block means the same. */
  generation = 0
  /** The list decoded last was longer than allowed, and is cut. */
  isTooLarge = false

  decode(block: Uint8Array, limits: DecodeLimits): string[] {
    const fields: string[] = []
    let bytes = 0
    this.isTooLarge = false
    this.at = 0
    while (this.at < block.length) {
      const first = block[this.at]!
      let name: string
      let value: string
      if ((first & 0x80) !== 0) {
        const index = this.integer(block, 7)
        name = this.text(index, 0)
        value = this.text(index, 1)
      } else if ((first & 0xe0) === 0x20) {
        // §4.2: at the beginning of a block alone.
        if (fields.length > 0 || this.isTooLarge)
          throw new HpackError('change of the table size inside a block')
        this.resize(this.integer(block, 5))
        continue
      } else {
        const isKept = (first & 0x40) !== 0
        const index = this.integer(block, isKept ? 6 : 4)
        name = index === 0 ? this.string(block) : this.text(index, 0)
        value = this.string(block)
        if (isKept) this.add(name, value)
      }
      bytes += name.length + value.length + 2
      if (bytes > limits.bytes || fields.length >= limits.count * 2) this.isTooLarge = true
      else fields.push(name, value)
    }
    return fields
  }

  private text(index: number, part: 0 | 1): string {
    if (index === 0) throw new HpackError('index 0')
    if (index <= STATIC_COUNT) return STATIC_TABLE[(index - 1) * 2 + part]!
    const at = this.entries.length - (index - STATIC_COUNT) * 2
    if (at < 0) throw new HpackError('index beyond the table')
    return this.entries[at + part]!
  }

  private add(name: string, value: string): void {
    this.generation += 1
    this.entries.push(name, value)
    this.bytes += name.length + value.length + ENTRY_OVERHEAD
    this.evict()
  }

  private resize(bytes: number): void {
    if (bytes > TABLE_BYTES_MAX) throw new HpackError('table larger than agreed')
    this.generation += 1
    this.bytesMax = bytes
    this.evict()
  }

  private evict(): void {
    let gone = 0
    while (this.bytes > this.bytesMax) {
      this.bytes -= this.entries[gone]!.length + this.entries[gone + 1]!.length + ENTRY_OVERHEAD
      gone += 2
    }
    if (gone > 0) this.entries.splice(0, gone)
  }

  /** §5.1: the bits of the first byte, then seven a byte. */
  private integer(block: Uint8Array, bits: number): number {
    const most = (1 << bits) - 1
    let value = block[this.at]! & most
    this.at += 1
    if (value < most) return value
    for (let shift = 0; ; shift += 7) {
      const byte = block[this.at]
      if (byte === undefined || shift > 21) throw new HpackError('integer that does not end')
      this.at += 1
      value += (byte & 0x7f) << shift
      if ((byte & 0x80) === 0) return value
    }
  }

  private string(block: Uint8Array): string {
    const first = block[this.at]
    if (first === undefined) throw new HpackError('block that ends inside a field')
    const length = this.integer(block, 7)
    const start = this.at
    const end = start + length
    if (end > block.length) throw new HpackError('block that ends inside a field')
    this.at = end
    if ((first & 0x80) === 0) return latin1(block, start, end)
    const text = decodeHuffman(block, start, end)
    if (text === undefined) throw new HpackError('text that is not coded right')
    return text
  }
}

const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
