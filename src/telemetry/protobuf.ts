/**
 * Protocol Buffers by a table (https://protobuf.dev/programming-guides/encoding/): as much of the wire format as OTLP needs.
 *
 * The same values that become JSON become messages: what a field is called there stands in the table, with its number and type. The
 * writer works from the end of its buffer to the front: so the length of a message is known when it is written.
 */

/** `int` is `int64`, of numbers that are not negative. */
type Scalar = 'string' | 'hex' | 'double' | 'fixed32' | 'fixed64' | 'int' | 'enum' | 'bool'

interface Field {
  readonly name: string
  readonly number: number
  readonly type: Scalar | Message
  /** An empty or zero value is told too: it belongs to a choice, or its absence means something else. */
  readonly isExplicit: boolean
}

/** What is repeated is an array in the value. */
export type Message = readonly Field[]

export const field = (name: string, number: number, type: Field['type'], isExplicit = false): Field => ({
  name,
  number,
  type,
  isExplicit,
})

type Value = Readonly<Record<string, unknown>>

const VARINT = 0
const I64 = 1
const LEN = 2
const I32 = 5

/** As a field of a message around it. */
export function encodeField(number: number, message: Message, value: object): Buffer {
  writer.reset()
  writeMessage(number, message, value as Value)
  return writer.copy()
}

/** The field `number` with these pieces as its content. */
export function wrapped(number: number, pieces: readonly Buffer[]): Buffer[] {
  writer.reset()
  writer.varint(pieces.reduce((sum, { length }) => sum + length, 0))
  writer.varint((number << 3) | LEN)
  return [writer.copy(), ...pieces]
}

class BackwardWriter {
  #bytes = Buffer.allocUnsafeSlow(16 * 1024)
  #at = this.#bytes.length

  reset(): void {
    // What was large once need not stay.
    if (this.#bytes.length > 1024 * 1024) this.#bytes = Buffer.allocUnsafeSlow(16 * 1024)
    this.#at = this.#bytes.length
  }

  copy(): Buffer {
    return Buffer.from(this.#bytes.subarray(this.#at))
  }

  /** Bytes so far. */
  get length(): number {
    return this.#bytes.length - this.#at
  }

  #reserve(count: number): number {
    if (this.#at < count) {
      const larger = Buffer.allocUnsafeSlow(2 * (this.#bytes.length + count))
      this.#bytes.copy(larger, larger.length - this.length, this.#at)
      this.#at = larger.length - this.length
      this.#bytes = larger
    }
    return (this.#at -= count)
  }

  varint(value: number): void {
    if (value < 128) {
      const at = this.#reserve(1)
      this.#bytes[at] = value
      return
    }
    let count = 1
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) count += 1
    let at = this.#reserve(count)
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes[at++] = (rest % 128) | 128
    this.#bytes[at] = rest
  }

  text(text: string): void {
    const { length } = text
    // For the short texts that attributes mostly are, a loop is faster than a call.
    if (length <= 32) {
      const at = this.#reserve(length)
      let i = 0
      for (; i < length; i += 1) {
        const code = text.charCodeAt(i)
        if (code > 127) break
        this.#bytes[at + i] = code
      }
      if (i === length) return
      this.#at += length
    }
    const at = this.#reserve(Buffer.byteLength(text, 'utf8'))
    this.#bytes.write(text, at, 'utf8')
  }

  hex(text: string): void {
    this.#bytes.write(text, this.#reserve(text.length >> 1), 'hex')
  }

  double(value: number): void {
    this.#bytes.writeDoubleLE(value, this.#reserve(8))
  }

  fixed32(value: number): void {
    this.#bytes.writeUInt32LE(value, this.#reserve(4))
  }

  fixed64(value: bigint): void {
    this.#bytes.writeBigUInt64LE(value, this.#reserve(8))
  }
}

/** One at a time: nothing here waits. */
const writer = new BackwardWriter()

function writeFields(message: Message, value: Value): void {
  for (let i = message.length - 1; i >= 0; i -= 1) {
    const { name, number, type, isExplicit } = message[i]!
    const given = value[name]
    if (given === undefined) continue
    if (Array.isArray(given)) writeList(number, type, given)
    else if (typeof type === 'object') writeMessage(number, type, given as Value)
    else if (isExplicit || !isDefault(given)) writeScalar(number, type, given)
  }
}

/** Proto3: what is not there is zero, so zero need not be there. */
const isDefault = (value: unknown): boolean => value === '' || value === 0 || value === false || value === '0'

function writeMessage(number: number, message: Message, value: Value): void {
  const before = writer.length
  writeFields(message, value)
  writer.varint(writer.length - before)
  writer.varint((number << 3) | LEN)
}

function writeList(number: number, type: Field['type'], values: readonly unknown[]): void {
  if (values.length === 0) return
  if (typeof type === 'object') {
    for (let i = values.length - 1; i >= 0; i -= 1) writeMessage(number, type, values[i] as Value)
    return
  }
  // Numbers are packed into one field.
  const before = writer.length
  for (let i = values.length - 1; i >= 0; i -= 1) writeBare(type, values[i])
  writer.varint(writer.length - before)
  writer.varint((number << 3) | LEN)
}

function writeScalar(number: number, type: Scalar, value: unknown): void {
  const before = writer.length
  const wire = writeBare(type, value)
  if (wire === LEN) writer.varint(writer.length - before)
  writer.varint((number << 3) | wire)
}

/** Without its tag. Returns the wire type. */
function writeBare(type: Scalar, value: unknown): number {
  switch (type) {
    case 'string':
      writer.text(value as string)
      return LEN
    case 'hex':
      writer.hex(value as string)
      return LEN
    case 'double':
      writer.double(Number(value))
      return I64
    case 'fixed64':
      writer.fixed64(BigInt(value as string))
      return I64
    case 'fixed32':
      writer.fixed32(value as number)
      return I32
    case 'int':
    case 'enum':
    case 'bool':
      writer.varint(Number(value))
      return VARINT
  }
}

/** What was read of a message: the last value of each field. Numbers of 64 bits are exact to 53. */
export type ReadFields = ReadonlyMap<number, number | Buffer>

/** Reads the top level of an untrusted message; undefined where it is none. */
export function readFields(bytes: Buffer): ReadFields | undefined {
  const fields = new Map<number, number | Buffer>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; at < bytes.length && scale < 2 ** 70; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    return Number.NaN
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    if (!(number > 0)) return undefined
    const wire = tag % 8
    if (wire === VARINT) fields.set(number, varint())
    else {
      const length = wire === LEN ? varint() : wire === I64 ? 8 : wire === I32 ? 4 : Number.NaN
      if (!(length <= bytes.length - at)) return undefined
      fields.set(number, bytes.subarray(at, at + length))
      at += length
    }
  }
  return [...fields.values()].some((value) => Number.isNaN(value)) ? undefined : fields
}
