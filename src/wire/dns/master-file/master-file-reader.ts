/** Reads a master file entry by entry: owners, directives, and the data of records. */
import { TYPE, typeName } from '../codes.ts'
import { DnsName, DnsNameError, NAME_BYTES_MAX } from '../name.ts'
import { parseRdataAside } from '../rdata-text.ts'
import { RdataError, type RdataWord } from '../rdata/rdata-words.ts'
import { parseTtl } from '../rdata/ttl-text.ts'
import { EntryError, EntryReader, WORD_ESCAPED, WORD_JOINED, WORD_QUOTED } from './entry-reader.ts'
import { generated } from './generate.ts'
import type { MasterFileOptions, OnRecord } from './master-file-options.ts'
import { PlainRdata, writePlainName } from './plain-rdata.ts'
import { RecordRefused } from './record-refused.ts'
import { classAt, typeAt } from './word-codes.ts'

/** How deep files may include others. */
const DEPTH_MAX = 8
const DOLLAR = 0x24
const TTL_MAX = 0x7fff_ffff

/** Lines and columns count from 1; columns are bytes. */
export interface MasterFilePlace {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** A file that is wrong: where, and what. */
export class MasterFileError extends Error {
  readonly file: string
  readonly line: number
  readonly column: number
  /** Without the place. */
  readonly what: string

  constructor({ file, line, column }: MasterFilePlace, what: string) {
    super(`${file}:${line}:${column}: ${what}`)
    this.file = file
    this.line = line
    this.column = column
    this.what = what
  }
}

/** A time to live that was said once holds for what follows; what `$TTL` says holds against those of records (RFC 2308 §4). */
interface TtlState {
  ttl: number
  isByDirective: boolean
}

const ownerWire = Buffer.alloc(NAME_BYTES_MAX * 2)
const ownerKey = Buffer.alloc(NAME_BYTES_MAX)

export class MasterFileReader {
  readonly #entry: EntryReader
  readonly #options: MasterFileOptions
  readonly #onRecord: OnRecord
  readonly #depth: number
  readonly #ttl: TtlState
  readonly #plain: PlainRdata
  /** No line that was made makes lines. */
  readonly #isGenerated: boolean
  #origin: DnsName
  #owner: DnsName
  /** Where the owner stands that was read last: the next one is often the same. */
  #ownerFrom = 0
  #ownerTo = -1

  constructor(
    bytes: Buffer,
    options: MasterFileOptions,
    onRecord: OnRecord,
    inherited?: {
      readonly depth: number
      readonly ttl: TtlState
      readonly owner: DnsName
      readonly plain: PlainRdata
      readonly isGenerated: boolean
    },
  ) {
    this.#entry = new EntryReader(bytes)
    this.#options = options
    this.#onRecord = onRecord
    this.#depth = inherited?.depth ?? 0
    this.#ttl = inherited?.ttl ?? { ttl: options.ttl ?? -1, isByDirective: false }
    this.#plain = inherited?.plain ?? new PlainRdata()
    this.#isGenerated = inherited?.isGenerated ?? false
    this.#origin = options.origin
    this.#owner = inherited?.owner ?? options.origin
    this.#setOrigin(options.origin)
  }

  read(): void {
    const entry = this.#entry
    try {
      while (entry.next())
        if (entry.bytes[entry.starts[0]!] === DOLLAR && !entry.isIndented && !this.#isGenerated)
          this.#direct()
        else this.#readRecord()
    } catch (error) {
      throw this.#placed(error)
    }
  }

  #setOrigin(origin: DnsName): void {
    this.#origin = origin
    this.#plain.origin = Buffer.from(origin.wire, 'latin1')
    this.#ownerTo = this.#ownerFrom - 1
  }

  #readRecord(): void {
    const entry = this.#entry
    const { bytes, starts, ends, count } = entry
    let word = 0
    if (!entry.isIndented) {
      this.#readOwner()
      word = 1
    }
    let ttl = -1
    let klass = -1
    let type = -1
    for (; word < count; word++) {
      const start = starts[word]!
      const end = ends[word]!
      const byte = bytes[start]!
      if (ttl < 0 && byte >= 0x30 && byte <= 0x39) ttl = this.#ttlOf(word)
      else {
        type = typeAt(bytes, start, end)
        // ANY is a class and a type; in front of a type it is a class.
        if (type >= 0 && type !== TYPE.ANY) break
        const found = klass < 0 ? classAt(bytes, start, end) : -1
        if (found < 0) throw new RdataError(this.#noType(word), word)
        klass = found
        type = -1
      }
    }
    if (type < 0) throw new RdataError('an entry has no type: expected one such as A', count)
    const first = word + 1
    const rdata = this.#plain.parse(type, entry, first) ?? this.#rdataOf(type, first)
    if (ttl >= 0) {
      if (!this.#ttl.isByDirective) this.#ttl.ttl = ttl
    } else {
      if (this.#ttl.ttl < 0) {
        if (type !== TYPE.SOA)
          throw new RdataError(
            'the record has no TTL, and none was said before: expected a number of seconds, or $TTL above it',
            0,
          )
        // As BIND has it where nothing is said: what the zone says of its negative answers.
        this.#ttl.ttl = Math.min(rdata.readUInt32BE(rdata.length - 4), TTL_MAX)
      }
      ttl = this.#ttl.ttl
    }
    this.#onRecord(this.#owner, type, ttl, rdata, klass < 0 ? 1 : klass)
  }

  #noType(word: number): string {
    const text = this.#entry.text(word)
    return word === 0
      ? `"${text}" is neither a TTL nor a class nor a type: a line that begins with a blank goes on with the owner above it`
      : `"${text}" is neither a TTL nor a class nor a type: expected one such as A, or TYPE65280`
  }

  #ttlOf(word: number): number {
    const { bytes, starts, ends } = this.#entry
    const from = starts[word]!
    const to = ends[word]!
    let value = 0
    let at = from
    for (; at < to && at - from < 10; at++) {
      const digit = bytes[at]! - 0x30
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    const ttl = at === to ? value : parseTtl(this.#entry.text(word))
    if (ttl === undefined || ttl > TTL_MAX)
      throw new RdataError(
        `"${this.#entry.text(word)}" is no TTL: expected seconds up to ${TTL_MAX}, or as in 1h30m`,
        word,
      )
    return ttl
  }

  /** The owner that the entry begins with; the last one where it is written in the same way. */
  #readOwner(): void {
    const { bytes, starts, ends, flags } = this.#entry
    const from = starts[0]!
    const to = ends[0]!
    let length = this.#ownerTo - this.#ownerFrom
    if (length === to - from) {
      let at = 0
      while (at < length && bytes[from + at] === bytes[this.#ownerFrom + at]) at += 1
      if (at === length) return
    }
    this.#ownerFrom = from
    this.#ownerTo = to
    length =
      (flags[0]! & (WORD_ESCAPED | WORD_QUOTED)) === 0
        ? writePlainName(bytes, from, to, this.#plain.origin, ownerWire, 0)
        : -1
    if (length < 0) {
      this.#owner = this.#nameOf(0)
      return
    }
    let isLower = true
    for (let at = 0; at < length; at++) {
      const byte = ownerWire[at]!
      const isUpper = byte >= 0x41 && byte <= 0x5a
      if (isUpper) isLower = false
      ownerKey[at] = isUpper ? byte + 0x20 : byte
    }
    const wire = ownerWire.toString('latin1', 0, length)
    this.#owner = new DnsName(wire, isLower ? wire : ownerKey.toString('latin1', 0, length))
  }

  #nameOf(word: number): DnsName {
    try {
      return DnsName.parseBytes(this.#entry.text(word), this.#origin)
    } catch (error) {
      if (error instanceof DnsNameError) throw new RdataError(error.message, word)
      throw error
    }
  }

  /** Whatever is not plain: by the table of fields. */
  #rdataOf(type: number, first: number): Buffer {
    const { flags, count } = this.#entry
    const words: RdataWord[] = []
    for (let word = first; word < count; word++)
      words.push({
        text: this.#entry.text(word),
        isQuoted: (flags[word]! & WORD_QUOTED) !== 0,
        isJoined: (flags[word]! & WORD_JOINED) !== 0,
      })
    try {
      return parseRdataAside(type, words, this.#origin)
    } catch (error) {
      if (error instanceof RdataError)
        throw new RdataError(`${typeName(type)}: ${error.message}`, first + error.word)
      throw error
    }
  }

  #direct(): void {
    const entry = this.#entry
    const directive = entry.text(0).toUpperCase()
    switch (directive) {
      case '$ORIGIN':
        this.#expectWords(2, 2, '$ORIGIN has a name, and nothing else')
        this.#setOrigin(this.#nameOf(1))
        break
      case '$TTL':
        this.#expectWords(2, 2, '$TTL has a number of seconds, and nothing else')
        this.#ttl.ttl = this.#ttlOf(1)
        this.#ttl.isByDirective = true
        break
      case '$INCLUDE':
        this.#expectWords(2, 3, '$INCLUDE has a file, and a name where names in there end otherwise')
        this.#include()
        break
      case '$GENERATE':
        this.#generate()
        break
      default:
        throw new RdataError(
          `"${entry.text(0)}" is no directive: expected $ORIGIN, $TTL, $INCLUDE or $GENERATE, or \\$ for an owner that begins so`,
          0,
        )
    }
  }

  #expectWords(min: number, max: number, what: string): void {
    const { count } = this.#entry
    if (count < min || count > max) throw new RdataError(what, Math.min(count, max))
  }

  #include(): void {
    const entry = this.#entry
    const { include, file } = this.#options
    const path = Buffer.from(entry.text(1), 'latin1').toString()
    if (!include) throw new RdataError('$INCLUDE does not work here: there are no files', 0)
    if (this.#depth === DEPTH_MAX)
      throw new RdataError(`$INCLUDE goes deeper than ${DEPTH_MAX} files: does one include itself?`, 1)
    const origin = entry.count === 3 ? this.#nameOf(2) : this.#origin
    let found: { readonly bytes: Buffer; readonly file: string }
    try {
      found = include(path, file)
    } catch (error) {
      throw new RdataError(
        `$INCLUDE of "${path}": ${error instanceof Error ? error.message : String(error)}`,
        1,
      )
    }
    this.#readInside(found.bytes, { ...this.#options, origin, file: found.file }, false)
  }

  #generate(): void {
    const entry = this.#entry
    const words = Array.from({ length: entry.count - 1 }, (_, index) => {
      const text = entry.text(index + 1)
      return (entry.flags[index + 1]! & WORD_QUOTED) === 0 ? text : `"${text}"`
    })
    for (const line of generated(words)) {
      try {
        this.#readInside(Buffer.from(line, 'latin1'), { ...this.#options, origin: this.#origin }, true)
      } catch (error) {
        if (error instanceof MasterFileError)
          throw new RdataError(`$GENERATE makes "${line}": ${error.what}`, 0)
        throw error
      }
    }
  }

  /** Neither the origin nor the owner of what is included holds behind it (RFC 1035 §5.1). */
  #readInside(bytes: Buffer, options: MasterFileOptions, isGenerated: boolean): void {
    const inherited = {
      isGenerated,
      depth: this.#depth + 1,
      ttl: this.#ttl,
      owner: this.#owner,
      plain: this.#plain,
    }
    new MasterFileReader(bytes, options, this.#onRecord, inherited).read()
    this.#setOrigin(this.#origin)
  }

  /** An error with its place; what is no mistake in the file stays what it is. */
  #placed(error: unknown): unknown {
    const { starts, ends, count } = this.#entry
    if (error instanceof EntryError) return new MasterFileError(this.#placeOf(error.at), error.message)
    if (error instanceof RecordRefused) return new MasterFileError(this.#placeOf(starts[0]!), error.message)
    if (!(error instanceof RdataError)) return error
    // Behind the last word, where one is missing.
    const at = error.word < count ? starts[error.word]! : ends[count - 1]!
    return new MasterFileError(this.#placeOf(at), error.message)
  }

  /** Counted when somebody asks: only for errors. */
  #placeOf(at: number): MasterFilePlace {
    const { bytes } = this.#entry
    let line = 1
    let lineAt = 0
    for (let index = bytes.indexOf(0x0a); index >= 0 && index < at; index = bytes.indexOf(0x0a, index + 1)) {
      line += 1
      lineAt = index + 1
    }
    return { file: this.#options.file, line, column: at - lineAt + 1 }
  }
}
