/** The data of records as the text of master files, both ways. */
import { className, typeName } from './codes.ts'
import { DnsMalformed } from './malformed.ts'
import { DnsName } from './name.ts'
import { RdataBuilder, RdataReader, RdataTooLong } from './rdata/rdata-bytes.ts'
import { fieldsOf } from './rdata/rdata-table.ts'
import { hexBytes } from './rdata/rdata-fields.ts'
import { RdataError, type RdataWord, RdataWords, wordsOf } from './rdata/rdata-words.ts'
import type { DnsRecord } from './record.ts'

export { RdataError, type RdataWord }

const builder = new RdataBuilder()

/**
 * The data that `words` say: as its type has it, or `\# 4 c0000201` for any type (RFC 3597 §5). Names that do not end with a dot go on with
 * `origin`. Throws an `RdataError`, which says what is wrong and with which word.
 */
export function parseRdata(
  type: number,
  words: readonly RdataWord[] | string,
  origin: DnsName = DnsName.ROOT,
): Buffer {
  return Buffer.from(parseRdataAside(type, typeof words === 'string' ? wordsOf(words) : words, origin))
}

/** The same without a copy: the bytes are those of the next call after it. */
export function parseRdataAside(type: number, words: readonly RdataWord[], origin: DnsName): Buffer {
  const taken = new RdataWords(words, origin)
  builder.length = 0
  try {
    if (words[0]?.text === '\\#' && !words[0].isQuoted) parseUnknown(type, taken)
    else {
      const fields = fieldsOf(type)
      if (!fields)
        throw new RdataError(
          `the data of ${typeName(type)} has no text of its own: expected \\#, its length in bytes, and hexadecimal`,
          0,
        )
      for (const field of fields) field.parse(taken, builder)
    }
  } catch (error) {
    if (error instanceof RdataTooLong) taken.fail(error.message)
    throw error
  }
  taken.end()
  return builder.memory.subarray(0, builder.length)
}

/** `\# length hexadecimal…` */
function parseUnknown(type: number, words: RdataWords): void {
  words.take('\\#')
  const length = words.number('the length of the data', 65_535)
  const bytes = words.isAtEnd ? Buffer.alloc(0) : hexBytes(words, words.joined('the data'), 'the data')
  if (bytes.length !== length) words.fail(`the data has ${bytes.length} bytes where \\# says ${length}`)
  if (fieldsOf(type) && knownText(type, bytes) === undefined)
    words.fail(`the data is no data of the type ${typeName(type)}`)
  builder.buffer(bytes)
}

/** As master files have it; what is malformed, or of a type that is not known, as `\# 4 C0000201`. */
export function rdataText(type: number, rdata: Buffer): string {
  return knownText(type, rdata) ?? unknownText(rdata)
}

function unknownText(rdata: Buffer): string {
  return rdata.length === 0 ? '\\# 0' : `\\# ${rdata.length} ${rdata.toString('hex').toUpperCase()}`
}

/** Undefined where it is not known how, or where the data is malformed. */
function knownText(type: number, rdata: Buffer): string | undefined {
  const fields = fieldsOf(type)
  if (!fields) return undefined
  const from = new RdataReader(rdata)
  try {
    let text = ''
    for (const field of fields) {
      const word = field.text(from)
      text += text === '' || word === '' ? word : ` ${word}`
    }
    return from.left === 0 ? text : undefined
  } catch (error) {
    if (error instanceof DnsMalformed) return undefined
    throw error
  }
}

/** A record as a line of a master file, without the end of the line. */
export function recordText(record: DnsRecord): string {
  const { name, ttl, type, rdata } = record
  return `${name.toString()} ${ttl} ${className(record.class)} ${typeName(type)} ${rdataText(type, rdata)}`
}
