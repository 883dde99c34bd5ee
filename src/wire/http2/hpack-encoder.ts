/**
 * HPACK (RFC 7541), writing: the head of an answer, given as HTTP/1.1 text, to a block as Latin-1 text.
 *
 * Without a table of its own and without Huffman: the same head is the same block on every connection, so blocks are kept and
 * looked up by the head. A cached object that is asked for again costs one look-up.
 */
import type { HeaderList } from '../http1/message.ts'
import { STATIC_COUNT, STATIC_TABLE } from './static-table.ts'

/** Indices of names, the first of each; and of whole fields. */
const NAMES = new Map<string, number>()
const FIELDS = new Map<string, number>()
for (let index = STATIC_COUNT; index >= 1; index -= 1) {
  const name = STATIC_TABLE[(index - 1) * 2]!
  NAMES.set(name, index)
  FIELDS.set(`${name}: ${STATIC_TABLE[(index - 1) * 2 + 1]}`, index)
}

/** RFC 9113 §8.2.2: they speak of an HTTP/1.1 connection, and have no place here. */
export const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])

/** §6.3: the table has no room. Where a client makes its table smaller, it is told so at the beginning of the next block (§4.2). */
export const TABLE_EMPTIED = '\x20'

const KEPT_MAX = 512
const kept = new Map<string, string>()

/** `HTTP/1.1 200 OK\r\nname: value\r\n…` as a block. */
export function encodeResponseHead(head: string): string {
  let block = kept.get(head)
  if (block === undefined) {
    block = encodeHead(head)
    if (kept.size >= KEPT_MAX) kept.clear()
    kept.set(head, block)
  }
  return block
}

function encodeHead(head: string): string {
  let block = encodeField(':status', head.slice(9, 12))
  let at = head.indexOf('\r\n') + 2
  while (at < head.length) {
    const end = head.indexOf('\r\n', at)
    const colon = head.indexOf(':', at)
    const name = head.slice(at, colon).toLowerCase()
    if (!CONNECTION_FIELDS.has(name)) block += encodeField(name, head.slice(colon + 1, end).trim())
    at = end + 2
  }
  return block
}

export function encodeFields(fields: HeaderList): string {
  let block = ''
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    if (!CONNECTION_FIELDS.has(name)) block += encodeField(name, fields[i + 1]!)
  }
  return block
}

export function encodeField(name: string, value: string): string {
  const whole = FIELDS.get(`${name}: ${value}`)
  if (whole !== undefined) return String.fromCharCode(0x80 | whole)
  const index = NAMES.get(name)
  // §6.2.2: literal without indexing.
  const start = index === undefined ? `\0${encodeString(name)}` : encodeInteger(index, 4, 0)
  return start + encodeString(value)
}

const encodeString = (text: string): string => encodeInteger(text.length, 7, 0) + text

function encodeInteger(value: number, bits: number, flags: number): string {
  const most = (1 << bits) - 1
  if (value < most) return String.fromCharCode(flags | value)
  let text = String.fromCharCode(flags | most)
  let rest = value - most
  while (rest >= 0x80) {
    text += String.fromCharCode((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return text + String.fromCharCode(rest)
}
