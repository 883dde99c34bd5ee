/** The data of a record as bytes: written piece by piece, and read. */
import { DnsMalformed } from '../malformed.ts'
import { type DnsName, nameEnd, readName } from '../name.ts'

export const RDATA_BYTES_MAX = 65_535

/** Data longer than a record has room for. */
export class RdataTooLong extends Error {}

/** Puts data together in memory that is used over and over. */
export class RdataBuilder {
  /** What was written lies in front of `length`. */
  readonly memory = Buffer.allocUnsafeSlow(RDATA_BYTES_MAX)
  length = 0

  number(value: number, bytes: number): void {
    this.#room(bytes)
    for (let shift = (bytes - 1) * 8; shift >= 0; shift -= 8) this.memory[this.length++] = value >>> shift
  }

  /** One character a byte. */
  bytes(text: string): void {
    this.#room(text.length)
    if (text.length < 32)
      for (let at = 0; at < text.length; at++) this.memory[this.length++] = text.charCodeAt(at)
    else this.length += this.memory.write(text, this.length, 'latin1')
  }

  /** With its length in front. */
  string(text: string): void {
    this.number(text.length, 1)
    this.bytes(text)
  }

  buffer(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.memory.set(bytes, this.length)
    this.length += bytes.length
  }

  #room(bytes: number): void {
    if (this.length + bytes > RDATA_BYTES_MAX)
      throw new RdataTooLong(
        `the data is longer than the ${RDATA_BYTES_MAX} bytes that a record has room for`,
      )
  }
}

/** Reads data from its beginning. Throws `DnsMalformed` where it is cut. */
export class RdataReader {
  readonly #rdata: Buffer
  #at = 0

  constructor(rdata: Buffer) {
    this.#rdata = rdata
  }

  get left(): number {
    return this.#rdata.length - this.#at
  }

  number(bytes: number): number {
    const at = this.#take(bytes)
    return this.#rdata.readUIntBE(at, bytes)
  }

  name(): DnsName {
    const at = this.#at
    const name = readName(this.#rdata, at)
    this.#at = nameEnd.at
    if (nameEnd.at - at !== name.wire.length)
      throw new DnsMalformed('a name in the data of a record leads out of it')
    return name
  }

  /** One character a byte. */
  bytes(count: number): string {
    const at = this.#take(count)
    return this.#rdata.toString('latin1', at, at + count)
  }

  string(): string {
    return this.bytes(this.number(1))
  }

  /** A view: what follows in so many bytes. */
  view(count: number): Buffer {
    const at = this.#take(count)
    return this.#rdata.subarray(at, at + count)
  }

  #take(bytes: number): number {
    if (bytes > this.left) throw new DnsMalformed('the data of a record is cut')
    const at = this.#at
    this.#at += bytes
    return at
  }
}
