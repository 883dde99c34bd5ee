/**
 * Lines of traces as they are passed around: a key, and perhaps a size.
 *
 *     page/7            keys: one a line, and its size in bytes behind it where it is known
 *     page/7 512
 *     17,page/7,512     CSV: time, key and size, as libCacheSim has it; or as the first line or `columns` say
 */

/** What a line turned out to be. */
export type TraceLine =
  | { readonly kind: 'request'; readonly key: string; readonly bytes: number | undefined }
  /** Of a request that no cache has a say in, such as a POST; `why` is one of a few words. */
  | { readonly kind: 'aside'; readonly why: string }
  /** A heading, a comment, an empty line. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'bad' }

export interface LineFormat {
  /** As `--format` has it. */
  readonly name: string
  /** What a line should look like, for those whose lines do not. */
  readonly expected: string
  /** Whatever the line is. Reads nothing but the line, and remembers nothing but what a heading said. */
  read(line: string): TraceLine
}

export const BAD: TraceLine = { kind: 'bad' }
export const SILENT: TraceLine = { kind: 'silent' }

/** A key holds no control characters: what has them is no text. */
const KEY_AND_SIZE = /^\s*([\x21-\x7e\x80-\u{10ffff}]+)(?:\s+(\d+))?\s*$/u

export function keyLines(): LineFormat {
  return {
    name: 'keys',
    expected: 'a key, or a key and its size in bytes: "page/7 512"',
    read: (line) => {
      if (line.trim() === '' || line.startsWith('#')) return SILENT
      const [, key, bytes] = KEY_AND_SIZE.exec(line) ?? []
      return key === undefined ? BAD : request(key, bytes)
    },
  }
}

/** Names of columns in headings of traces that are about; the first one found in a heading counts. */
const KEY_NAMES = ['key', 'obj_id', 'object_id', 'objectid', 'object', 'id', 'url', 'uri', 'path', 'lbn']
const SIZE_NAMES = ['size', 'obj_size', 'object_size', 'bytes', 'length', 'value_size', 'body_bytes_sent']

interface Columns {
  readonly key: number
  readonly size: number | undefined
}

/**
 * `columns` are names in the order of the columns, of which `key` and `size` count; absent: a heading says, else two
 * columns are key and size, and more are time, key, size and whatever.
 */
export function csvLines(columns?: readonly string[]): LineFormat {
  let known = columns && columnsOf(columns)
  let isFirst = true
  return {
    name: 'csv',
    expected:
      columns === undefined
        ? 'time,key,size: "17,page/7,512", or a heading that names `key` and `size`'
        : `${columns.join()}, with ${columns.includes('size') ? 'a whole number as size' : 'a key'}`,
    read: (line) => {
      if (line.trim() === '' || line.startsWith('#')) return SILENT
      const fields = fieldsOf(line)
      const wasFirst = isFirst
      isFirst = false
      if (wasFirst) {
        const named = columnsOf(fields)
        if (named !== undefined) {
          known ??= named
          return SILENT
        }
      }
      const { key: keyAt, size: sizeAt } = known ?? columnsByCount(fields.length)
      const key = fields[keyAt]
      if (key === undefined || key === '' || (known === undefined && fields.length < 2)) return BAD
      // Two words are a key and its size, which are no CSV.
      if (known === undefined && fields.length === 2 && !SEPARATOR.test(line)) return BAD
      if (sizeAt === undefined) return request(key)
      const bytes = fields[sizeAt]
      return bytes !== undefined && /^\d+(?:\.0+)?$/.test(bytes) ? request(key, bytes) : BAD
    },
  }
}

const columnsByCount = (count: number): Columns => (count === 2 ? { key: 0, size: 1 } : { key: 1, size: 2 })

function columnsOf(names: readonly string[]): Columns | undefined {
  const plain = names.map((name) => name.toLowerCase().replaceAll(/[\s-]+/g, '_'))
  const at = (wanted: readonly string[]) => {
    const found = wanted.find((name) => plain.includes(name))
    return found === undefined ? undefined : plain.indexOf(found)
  }
  const key = at(KEY_NAMES)
  return key === undefined ? undefined : { key, size: at(SIZE_NAMES) }
}

const SEPARATOR = /[,;\t]/

/** With commas, semicolons or tabs between, else blanks; quotes as in RFC 4180. */
function fieldsOf(line: string): readonly string[] {
  if (!SEPARATOR.test(line)) return line.trim().split(/ +/)
  const separator = line.includes('\t') ? '\t' : line.includes(',') || !line.includes(';') ? ',' : ';'
  if (!line.includes('"')) return line.split(separator).map((field) => field.trim())
  const fields: string[] = []
  let field = ''
  let isQuoted = false
  for (let i = 0; i < line.length; i += 1) {
    const character = line[i]!
    if (isQuoted && character === '"' && line[i + 1] === '"') {
      field += '"'
      i += 1
    } else if (character === '"') isQuoted = !isQuoted
    else if (character === separator && !isQuoted) {
      fields.push(field.trim())
      field = ''
    } else field += character
  }
  return [...fields, field.trim()]
}

/** What is larger than a number can tell exactly is no size of an object, and would outweigh all others in every sum. */
function request(key: string, bytes?: string): TraceLine {
  if (bytes === undefined) return { kind: 'request', key, bytes: undefined }
  const size = Math.round(Number(bytes))
  return Number.isSafeInteger(size) ? { kind: 'request', key, bytes: size } : BAD
}
