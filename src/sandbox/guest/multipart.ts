/**
 * Forms in bodies: `multipart/form-data` (RFC 7578) and `application/x-www-form-urlencoded`, written and read as the Fetch
 * standard says. Bodies are Latin-1 text, a character a byte.
 */
import { BlobBytes, blobContent, File } from './blob.ts'
import { randomBytes } from './crypto/random.ts'
import { firstEntry, FormData, isFile } from './form-data.ts'
import {
  Bytes,
  charCodeAt,
  detached,
  indexOf,
  numberToString,
  padStart,
  slice,
  startsWith,
  toLowerCase,
} from './primordials.ts'
import { URLSearchParams } from './search-params.ts'
import { decodeUtf8, encodeUtf8, latin1OfBytes } from './utf8.ts'

const BOUNDARY_BYTES = 16
/** Parts of one form that are read. */
const PARTS_MAX = 10_000

export interface EncodedForm {
  readonly contentType: string
  readonly latin1: string
}

export function encodeForm(form: FormData): EncodedForm {
  const boundary = `----orla${randomHex()}`
  let text = ''
  for (let entry = firstEntry(form); entry !== null; entry = entry.next) {
    const { value } = entry
    text += `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(withCrlf(entry.name))}"`
    if (isFile(value)) {
      const type = value.type === '' ? 'application/octet-stream' : value.type
      text += `; filename="${escaped(value.name)}"\r\nContent-Type: ${type}\r\n\r\n${blobContent(value)}\r\n`
    } else {
      text += `\r\n\r\n${utf8(withCrlf(value))}\r\n`
    }
  }
  return { contentType: `multipart/form-data; boundary=${boundary}`, latin1: `${text}--${boundary}--\r\n` }
}

/** Reads a body by its content type. Throws a `TypeError` where it is no form, or none that can be read. */
export function decodeForm(latin1: string, contentType: string): FormData {
  const semicolon = indexOf(contentType, ';')
  const type = toLowerCase(trimmed(semicolon === -1 ? contentType : slice(contentType, 0, semicolon)))
  if (type === 'application/x-www-form-urlencoded') return urlencoded(latin1)
  if (type !== 'multipart/form-data')
    throw new TypeError(
      `the body is no form: its content type is ${type === '' ? 'missing' : type}, not multipart/form-data or application/x-www-form-urlencoded`,
    )
  const boundary = parameter(contentType, 'boundary')
  if (boundary === undefined || boundary === '')
    throw new TypeError('the content type multipart/form-data comes without its boundary')
  return multipart(latin1, boundary)
}

function urlencoded(latin1: string): FormData {
  const form = new FormData()
  // A question mark in front would be taken for the one of a URL.
  const text = `?${decodeUtf8(latin1)}`
  new URLSearchParams(text).forEach((value, name) => form.append(name, value))
  return form
}

function multipart(text: string, boundary: string): FormData {
  const form = new FormData()
  const delimiter = `--${boundary}`
  let at = indexOf(text, delimiter)
  if (at === -1) throw malformed('its boundary does not occur')
  at += delimiter.length
  for (let parts = 0; !startsWith(text, '--', at); parts++) {
    if (parts === PARTS_MAX) throw malformed(`it has more than ${PARTS_MAX} parts`)
    if (!startsWith(text, '\r\n', at)) throw malformed('a line break is missing after its boundary')
    const headEnd = indexOf(text, '\r\n\r\n', at)
    const end = headEnd === -1 ? -1 : indexOf(text, `\r\n${delimiter}`, headEnd + 2)
    if (end === -1) throw malformed('a part does not end')
    const part = readPartHead(slice(text, at + 2, headEnd + 2))
    const content = end < headEnd + 4 ? '' : slice(text, headEnd + 4, end)
    if (part.filename === undefined) form.append(part.name, detached(decodeUtf8(content)))
    else
      form.append(part.name, new File(new BlobBytes(detached(content)), part.filename, { type: part.type }))
    at = end + 2 + delimiter.length
  }
  return form
}

interface PartHead {
  name: string
  filename: string | undefined
  type: string
}

function readPartHead(head: string): PartHead {
  const part: PartHead = { name: '', filename: undefined, type: '' }
  let isNamed = false
  for (let at = 0; at < head.length;) {
    const end = indexOf(head, '\r\n', at)
    const line = slice(head, at, end)
    at = end + 2
    const colon = indexOf(line, ':')
    if (colon === -1) throw malformed('a header of a part has no colon')
    const name = toLowerCase(slice(line, 0, colon))
    const value = trimmed(slice(line, colon + 1))
    if (name === 'content-type') {
      part.type = value
    } else if (name === 'content-disposition') {
      if (!startsWith(toLowerCase(value), 'form-data')) throw malformed('a part is no form-data')
      const given = parameter(value, 'name')
      if (given === undefined) throw malformed('a part has no name')
      isNamed = true
      part.name = unescaped(given)
      const filename = parameter(value, 'filename')
      if (filename !== undefined) part.filename = unescaped(filename)
    }
  }
  if (!isNamed) throw malformed('a part has no Content-Disposition')
  if (part.filename !== undefined && part.type === '') part.type = 'text/plain'
  return part
}

/** The value of a parameter behind the first semicolon, quoted or not. */
function parameter(text: string, name: string): string | undefined {
  let at = indexOf(text, ';')
  while (at !== -1 && at < text.length) {
    at += 1
    while (charCodeAt(text, at) === 32 || charCodeAt(text, at) === 9) at += 1
    const equals = indexOf(text, '=', at)
    if (equals === -1) return undefined
    const key = toLowerCase(slice(text, at, equals))
    let value: string
    if (charCodeAt(text, equals + 1) === 34) {
      // A quote within a name is written %22, so the next one ends it (Fetch; WHATWG HTML §4.10.21.8).
      const close = indexOf(text, '"', equals + 2)
      if (close === -1) return undefined
      value = slice(text, equals + 2, close)
      at = indexOf(text, ';', close)
    } else {
      const semicolon = indexOf(text, ';', equals)
      value = trimmed(slice(text, equals + 1, semicolon === -1 ? text.length : semicolon))
      at = semicolon
    }
    if (key === name) return value
  }
  return undefined
}

const malformed = (what: string): TypeError => new TypeError(`the form in the body cannot be read: ${what}`)

const utf8 = (text: string): string => latin1OfBytes(encodeUtf8(text))

const escaped = (name: string): string =>
  replaced(replaced(replaced(utf8(name), '\n', '%0A'), '\r', '%0D'), '"', '%22')

const unescaped = (name: string): string =>
  detached(decodeUtf8(replaced(replaced(replaced(name, '%0A', '\n'), '%0D', '\r'), '%22', '"')))

/** Line breaks of texts are CRLF in a form, however they came. */
function withCrlf(text: string): string {
  if (indexOf(text, '\n') === -1 && indexOf(text, '\r') === -1) return text
  let out = ''
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    if (code === 13) {
      if (charCodeAt(text, i + 1) === 10) i++
      out += '\r\n'
    } else {
      out += code === 10 ? '\r\n' : slice(text, i, i + 1)
    }
  }
  return out
}

function replaced(text: string, from: string, to: string): string {
  let at = indexOf(text, from)
  if (at === -1) return text
  let out = ''
  let start = 0
  while (at !== -1) {
    out += slice(text, start, at) + to
    start = at + from.length
    at = indexOf(text, from, start)
  }
  return out + slice(text, start)
}

function trimmed(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && (charCodeAt(text, from) === 32 || charCodeAt(text, from) === 9)) from++
  while (to > from && (charCodeAt(text, to - 1) === 32 || charCodeAt(text, to - 1) === 9)) to--
  return slice(text, from, to)
}

function randomHex(): string {
  const bytes = new Bytes(BOUNDARY_BYTES)
  randomBytes(bytes, BOUNDARY_BYTES)
  let text = ''
  for (let i = 0; i < BOUNDARY_BYTES; i++) text += padStart(numberToString(bytes[i]!, 16), 2, '0')
  return text
}
