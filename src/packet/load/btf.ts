/**
 * The types of a program's source, as the compiler leaves them in its object (BTF): read into a table by number.
 *
 * The format is that of the kernel's `Documentation/bpf/btf.rst`, in the byte order of the machine. What is of no use here is skipped.
 */

export type BtfType =
  | { readonly kind: 'void' }
  | {
      readonly kind: 'int'
      readonly name: string
      readonly bytes: number
      readonly isSigned: boolean
      readonly isBool: boolean
    }
  | { readonly kind: 'float'; readonly bytes: number }
  | { readonly kind: 'pointer'; readonly to: number }
  | { readonly kind: 'array'; readonly of: number; readonly count: number }
  | {
      readonly kind: 'struct' | 'union'
      readonly name: string
      readonly bytes: number
      readonly members: readonly BtfMember[]
    }
  | {
      readonly kind: 'enum'
      readonly bytes: number
      readonly isSigned: boolean
      readonly names: ReadonlyMap<bigint, string>
    }
  /** Another name for a type; without a name, a qualifier such as `const`. */
  | { readonly kind: 'alias'; readonly name: string; readonly of: number }
  | { readonly kind: 'variable'; readonly name: string; readonly of: number }
  /** The variables of a section of the object. */
  | { readonly kind: 'section'; readonly name: string; readonly variables: readonly BtfMember[] }
  | { readonly kind: 'other' }

export interface BtfMember {
  /** Empty for a struct or union within, whose members count as those of the outer one. */
  readonly name: string
  readonly type: number
  readonly bitOffset: number
  /** Of a bit field; 0 for any other. */
  readonly bits: number
}

const MAGIC = 0xeb9f

/** Throws a `RangeError` where it is cut or of another byte order. */
export function readBtf(bytes: Buffer): Btf {
  if (bytes.readUInt16LE(0) !== MAGIC) throw new RangeError('no BTF')
  const headerBytes = bytes.readUInt32LE(4)
  const typesAt = headerBytes + bytes.readUInt32LE(8)
  const typesEnd = typesAt + bytes.readUInt32LE(12)
  const textsAt = headerBytes + bytes.readUInt32LE(16)
  const text = (offset: number): string => {
    const from = textsAt + offset
    return bytes.toString('utf8', from, bytes.indexOf(0, from))
  }
  const types: BtfType[] = [{ kind: 'void' }]
  for (let at = typesAt; at < typesEnd;) {
    const reader = new Reader(bytes, at, text)
    types.push(reader.type())
    at = reader.at
  }
  return new Btf(types)
}

export class Btf {
  readonly types: readonly BtfType[]

  constructor(types: readonly BtfType[]) {
    this.types = types
  }

  /** The type of a number; `other` where there is none of that number. */
  type(id: number): BtfType {
    return this.types[id] ?? { kind: 'other' }
  }

  /** Behind all other names and qualifiers. */
  resolve(id: number): BtfType {
    let type = this.type(id)
    // A chain that is longer than there are types goes in a circle.
    for (let left = this.types.length; type.kind === 'alias' && left > 0; left--) type = this.type(type.of)
    return type
  }

  /** The first name that stands in front of a type: `__be32` of `const __be32`; empty where there is none. */
  nameOf(id: number): string {
    let type = this.type(id)
    for (let left = this.types.length; type.kind === 'alias' && left > 0; left--) {
      if (type.name !== '') return type.name
      type = this.type(type.of)
    }
    return 'name' in type ? type.name : ''
  }

  /** Undefined where the size is not known. */
  bytesOf(id: number): number | undefined {
    const type = this.resolve(id)
    if (type.kind === 'pointer') return 8
    if (type.kind === 'array') {
      const each = this.bytesOf(type.of)
      return each === undefined ? undefined : each * type.count
    }
    return 'bytes' in type ? type.bytes : undefined
  }
}

/** One type, read at its place; `at` is behind it then. */
class Reader {
  at: number
  readonly #bytes: Buffer
  readonly #text: (offset: number) => string

  constructor(bytes: Buffer, at: number, text: (offset: number) => string) {
    this.#bytes = bytes
    this.at = at
    this.#text = text
  }

  type(): BtfType {
    const name = this.#text(this.#word())
    const info = this.#word()
    const [count, kind, flag] = [info & 0xffff, (info >>> 24) & 0x1f, info >>> 31 === 1]
    const sizeOrType = this.#word()
    switch (kind) {
      case 1: {
        const encoding = (this.#word() >>> 24) & 0xf
        const [isSigned, isBool] = [(encoding & 1) !== 0, (encoding & 4) !== 0]
        return { kind: 'int', name, bytes: sizeOrType, isSigned, isBool }
      }
      case 2:
        return { kind: 'pointer', to: sizeOrType }
      case 3: {
        const [of, , elements] = [this.#word(), this.#word(), this.#word()] as const
        return { kind: 'array', of, count: elements }
      }
      case 4:
      case 5: {
        const members = this.#times(count, () => this.#member(flag))
        return { kind: kind === 4 ? 'struct' : 'union', name, bytes: sizeOrType, members }
      }
      case 6:
      case 19: {
        const names = new Map(this.#times(count, () => this.#enumerator(kind === 19, flag)))
        return { kind: 'enum', bytes: sizeOrType, isSigned: flag, names }
      }
      case 8:
        return { kind: 'alias', name, of: sizeOrType }
      case 9:
      case 10:
      case 11:
      case 18:
        return { kind: 'alias', name: '', of: sizeOrType }
      case 14:
        this.#word()
        return { kind: 'variable', name, of: sizeOrType }
      case 15: {
        const variables = this.#times(count, () => {
          const [type, offset] = [this.#word(), this.#word()]
          this.#word()
          return { name: '', type, bitOffset: offset * 8, bits: 0 }
        })
        return { kind: 'section', name, variables }
      }
      case 16:
        return { kind: 'float', bytes: sizeOrType }
      default:
        // Parameters of a function's prototype are two words each, the place of a declaration's tag is one.
        this.at += kind === 13 ? 8 * count : kind === 17 ? 4 : 0
        return { kind: 'other' }
    }
  }

  #member(hasBitFields: boolean): BtfMember {
    const [name, type, offset] = [this.#text(this.#word()), this.#word(), this.#word()]
    return hasBitFields
      ? { name, type, bitOffset: offset & 0xffffff, bits: offset >>> 24 }
      : { name, type, bitOffset: offset, bits: 0 }
  }

  #enumerator(isWide: boolean, isSigned: boolean): readonly [bigint, string] {
    const name = this.#text(this.#word())
    const low = BigInt(this.#word())
    const value = isWide ? (BigInt(this.#word()) << 32n) | low : low
    return [isSigned ? BigInt.asIntN(isWide ? 64 : 32, value) : value, name]
  }

  #times<T>(count: number, read: () => T): T[] {
    return Array.from({ length: count }, read)
  }

  #word(): number {
    this.at += 4
    return this.#bytes.readUInt32LE(this.at - 4)
  }
}
