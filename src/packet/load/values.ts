/**
 * Bytes of keys, values and events as what they mean, by their types; and back.
 *
 * What the source calls big-endian is of the network: `__be32` is an IPv4 address, `__be16` a port. So are `struct in_addr` and
 * `struct in6_addr`; six bytes in a row are the address of a network card, and an array of `char` is a text. Everything else is what C makes
 * of it. Bytes whose type nobody knows are shown in hex.
 */
import { formatIp, ipFromWords, ipv4FromWord, parseIp } from '../../base/ip-address.ts'
import type { Btf, BtfMember, BtfType } from './btf.ts'

/** A whole number beyond 2^53 is a `bigint`. A struct is an object with the names of its members. */
export type Value =
  | number
  | bigint
  | string
  | boolean
  | readonly Value[]
  | { readonly [field: string]: Value }

type Struct = Extract<BtfType, { kind: 'struct' | 'union' }>

export const hexOf = (bytes: Buffer): string => `0x${bytes.toString('hex')}`

/** `typeId` 0, or a size that is not that of the type: hex. */
export function decodeValue(btf: Btf | undefined, typeId: number, bytes: Buffer): Value {
  if (!btf || typeId === 0) return hexOf(bytes)
  const type = btf.resolve(typeId)
  if (type.kind === 'section') return sectionOf(btf, type, bytes)
  const size = btf.bytesOf(typeId)
  return size === undefined || size > bytes.length
    ? hexOf(bytes)
    : decode(btf, typeId, bytes.subarray(0, size))
}

function decode(btf: Btf, typeId: number, bytes: Buffer): Value {
  const type = btf.resolve(typeId)
  switch (type.kind) {
    case 'int':
      return integer(btf.nameOf(typeId), type, bytes)
    case 'enum': {
      const value = wholeOf(bytes, type.isSigned)
      return type.names.get(value) ?? tidy(value)
    }
    case 'float':
      return type.bytes === 4 ? bytes.readFloatLE() : type.bytes === 8 ? bytes.readDoubleLE() : hexOf(bytes)
    case 'array':
      return array(btf, type.of, type.count, bytes)
    case 'struct':
    case 'union':
      return struct(btf, type, bytes)
    default:
      return hexOf(bytes)
  }
}

function integer(name: string, type: Extract<BtfType, { kind: 'int' }>, bytes: Buffer): Value {
  if (name === '__be32') return formatIp(ipv4FromWord(bytes.readUInt32BE()))
  if (name === '__be16') return bytes.readUInt16BE()
  if (name === '__be64') return tidy(bytes.readBigUInt64BE())
  if (type.isBool) return bytes.some((byte) => byte !== 0)
  return tidy(wholeOf(bytes, type.isSigned))
}

function array(btf: Btf, of: number, count: number, bytes: Buffer): Value {
  const element = btf.resolve(of)
  if (element.kind === 'int' && element.bytes === 1) {
    if (element.name === 'char') return textOf(bytes)
    if (count === 6) return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
  }
  const each = count === 0 ? 0 : bytes.length / count
  return Array.from({ length: count }, (_, at) => decode(btf, of, bytes.subarray(at * each, (at + 1) * each)))
}

function struct(btf: Btf, type: Struct, bytes: Buffer): Value {
  if (type.name === 'in_addr' && bytes.length === 4) return formatIp(ipv4FromWord(bytes.readUInt32BE()))
  if (type.name === 'in6_addr' && bytes.length === 16) return ipv6Text(bytes)
  return Object.fromEntries(type.members.flatMap((member) => fieldsOf(btf, member, bytes)))
}

function fieldsOf(btf: Btf, member: BtfMember, bytes: Buffer): readonly (readonly [string, Value])[] {
  if (member.bits > 0) return [[member.name, bitField(bytes, member)]]
  const from = member.bitOffset / 8
  const value = decode(btf, member.type, bytes.subarray(from, from + (btf.bytesOf(member.type) ?? 0)))
  if (member.name !== '') return [[member.name, value]]
  return typeof value === 'object' ? (Object.entries(value) as [string, Value][]) : []
}

function bitField(bytes: Buffer, { bitOffset, bits }: BtfMember): Value {
  const first = Math.floor(bitOffset / 8)
  const whole = wholeOf(bytes.subarray(first, Math.ceil((bitOffset + bits) / 8)), false)
  return tidy((whole >> BigInt(bitOffset % 8)) & ((1n << BigInt(bits)) - 1n))
}

/** The variables of a section, those aside that begin with `orla_`: they are ours. */
function sectionOf(btf: Btf, section: Extract<BtfType, { kind: 'section' }>, bytes: Buffer): Value {
  const variables = section.variables.flatMap(({ type: id, bitOffset }) => {
    const variable = btf.type(id)
    if (variable.kind !== 'variable' || variable.name.startsWith('orla_')) return []
    const from = bitOffset / 8
    return [[variable.name, decodeValue(btf, variable.of, bytes.subarray(from))] as const]
  })
  return Object.fromEntries(variables)
}

/** A prefix of an LPM trie: its length in bits, then bytes from the first on. Four of them are IPv4, sixteen are IPv6. */
export function decodePrefix(bytes: Buffer): string {
  const [length, data] = [bytes.readUInt32LE(), bytes.subarray(4)]
  if (data.length === 4) return `${formatIp(ipv4FromWord(data.readUInt32BE()))}/${length}`
  return `${data.length === 16 ? ipv6Text(data) : hexOf(data)}/${length}`
}

function ipv6Text(bytes: Buffer): string {
  const word = (at: number) => bytes.readUInt32BE(at)
  return formatIp(ipFromWords(word(0), word(4), word(8), word(12)))
}

/** Up to the first zero; hex where it is no text. */
function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  const text = bytes.subarray(0, end < 0 ? bytes.length : end).toString('utf8')
  return /[\u0000-\u0008\u000e-\u001f\ufffd]/.test(text) ? hexOf(bytes) : text
}

/** Little-endian, as the machine. */
function wholeOf(bytes: Buffer, isSigned: boolean): bigint {
  let value = 0n
  for (let at = bytes.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at]!)
  return isSigned ? BigInt.asIntN(bytes.length * 8, value) : value
}

const tidy = (value: bigint): number | bigint =>
  value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER ? Number(value) : value

/** Sums what is a number, member by member; undefined where something is none, or they differ in shape. */
export function sumOf(values: readonly Value[]): Value | undefined {
  const [first] = values
  if (first === undefined) return undefined
  if (values.every((value) => typeof value === 'number' || typeof value === 'bigint')) {
    return tidy(values.reduce<bigint>((sum, value) => sum + BigInt(value), 0n))
  }
  if (typeof first !== 'object') return values.every((value) => value === first) ? first : undefined
  const objects = values as readonly { readonly [field: string]: Value }[]
  const sums = Object.keys(first).map(
    (field) => [field, sumOf(objects.map((value) => value[field]!))] as const,
  )
  if (sums.some(([, sum]) => sum === undefined)) return undefined
  const summed = sums as readonly (readonly [string, Value])[]
  return Array.isArray(first) ? summed.map(([, sum]) => sum) : Object.fromEntries(summed)
}

/**
 * The bytes of a key or value. Takes what `decodeValue` gives, and a `Buffer` as it is. Throws a `TypeError` or a `RangeError` that says what
 * would be right.
 */
export function encodeValue(
  btf: Btf | undefined,
  typeId: number,
  value: Value | Buffer,
  size: number,
): Buffer {
  if (Buffer.isBuffer(value)) {
    if (value.length === size) return value
    throw new RangeError(`expected ${size} bytes, not ${value.length}`)
  }
  if (typeof value === 'string' && /^0x([0-9a-f]{2})*$/i.test(value) && value.length === 2 + 2 * size) {
    return Buffer.from(value.slice(2), 'hex')
  }
  const isPlain = !btf || typeId === 0
  if (isPlain && (typeof value === 'number' || typeof value === 'bigint')) return wholeBytes(value, size)
  if (isPlain)
    throw new TypeError(`the type is not known: expected a whole number, or a Buffer of ${size} bytes`)
  return encode(btf, typeId, value, size)
}

function encode(btf: Btf, typeId: number, value: Value, size: number): Buffer {
  const type = btf.resolve(typeId)
  const name = btf.nameOf(typeId)
  if (typeof value === 'boolean') return wholeBytes(value ? 1 : 0, size)
  if (typeof value === 'number' || typeof value === 'bigint') {
    if (type.kind === 'float') return floatBytes(Number(value), size)
    if (type.kind !== 'int' && type.kind !== 'enum')
      throw new TypeError(`expected ${shapeOf(type)}, not a number`)
    const bytes = wholeBytes(value, size)
    return name.startsWith('__be') ? Buffer.from(bytes.toReversed()) : bytes
  }
  if (typeof value === 'string') return encodeText(type, name, value, size)
  const bytes = Buffer.alloc(size)
  if (type.kind === 'array' && Array.isArray(value)) {
    const each = size / type.count
    const elements = value as readonly Value[]
    if (elements.length > type.count)
      throw new RangeError(`expected ${type.count} elements, not ${elements.length}`)
    for (const [at, element] of elements.entries()) encode(btf, type.of, element, each).copy(bytes, at * each)
    return bytes
  }
  if (type.kind !== 'struct' && type.kind !== 'union')
    throw new TypeError(`expected ${shapeOf(type)}, not an object`)
  for (const [field, part] of Object.entries(value)) {
    const member = type.members.find((one) => one.name === field)
    const known = type.members.map((one) => one.name).join(', ')
    if (!member) throw new TypeError(`${type.kind} ${type.name} has no member "${field}"; it has ${known}`)
    if (member.bits > 0) throw new TypeError(`"${field}" is a bit field: give the whole as a Buffer`)
    encode(btf, member.type, part, btf.bytesOf(member.type) ?? 0).copy(bytes, member.bitOffset / 8)
  }
  return bytes
}

function encodeText(type: BtfType, name: string, value: string, size: number): Buffer {
  if (type.kind === 'enum') {
    const found = [...type.names].find(([, known]) => known === value)
    if (found) return wholeBytes(found[0], size)
    throw new TypeError(`expected one of ${[...type.names.values()].join(', ')}, not "${value}"`)
  }
  const address = parseIp(value)
  const isAddress = name === '__be32' || name === 'in_addr' || name === 'in6_addr'
  if (address && isAddress) return addressBytes(address.words, size)
  if (isAddress) throw new TypeError(`expected an IP address, not "${value}"`)
  const text = Buffer.from(value)
  if (type.kind !== 'array') throw new TypeError(`expected ${shapeOf(type)}, not a text`)
  if (text.length > size) throw new RangeError(`expected at most ${size} bytes, not ${text.length}`)
  return Buffer.concat([text, Buffer.alloc(size - text.length)])
}

/** A prefix such as `10.0.0.0/8`. */
export function encodePrefix(text: string, size: number): Buffer {
  const [plain = '', bits = ''] = text.split('/')
  const address = parseIp(plain)
  const bytes = size - 4
  if (
    !address ||
    (address.family === 4) !== (bytes === 4) ||
    !/^\d{1,3}$/.test(bits) ||
    Number(bits) > bytes * 8
  ) {
    throw new TypeError(
      `expected a prefix such as ${bytes === 4 ? '10.0.0.0/8' : '2001:db8::/32'}, not "${text}"`,
    )
  }
  const length = Buffer.alloc(4)
  length.writeUInt32LE(Number(bits))
  return Buffer.concat([length, addressBytes(address.words, bytes)])
}

function addressBytes(words: readonly number[], size: number): Buffer {
  const bytes = Buffer.alloc(16)
  for (const [at, word] of words.entries()) bytes.writeUInt32BE(word >>> 0, at * 4)
  return bytes.subarray(16 - size)
}

function wholeBytes(value: number | bigint, size: number): Buffer {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new RangeError(`expected a whole number, not ${value}`)
  }
  const whole = BigInt(value)
  const bits = BigInt(size * 8)
  if (whole < -(1n << (bits - 1n)) || whole >= 1n << bits)
    throw new RangeError(`${value} does not fit into ${size} bytes`)
  let left = BigInt.asUintN(Number(bits), whole)
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; at++, left >>= 8n) bytes[at] = Number(left & 0xffn)
  return bytes
}

function floatBytes(value: number, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  if (size === 4) bytes.writeFloatLE(value)
  else bytes.writeDoubleLE(value)
  return bytes
}

function shapeOf(type: BtfType): string {
  if (type.kind === 'struct' || type.kind === 'union') {
    return `an object with ${type.members.map(({ name }) => name).join(', ')}`
  }
  return type.kind === 'array' ? 'an array' : 'a number'
}
