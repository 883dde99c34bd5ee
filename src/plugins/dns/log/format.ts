/** The form of a line: text with fields in braces, read once. */
import type { DnsQuery } from '../../../contract/dns.ts'
import { opcodeName, rcodeName } from '../../../wire/dns/codes.ts'
import type { DnsMessage } from '../../../wire/dns/message.ts'

/** What a line is about. */
export interface Answered {
  readonly query: DnsQuery
  /** Undefined where nothing was answered. */
  readonly answer: DnsMessage | undefined
  readonly durationMs: number
}

type Part = string | ((answered: Answered) => string)

const inBrackets = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip)

const PLACES: Readonly<Record<string, (answered: Answered) => string>> = {
  '{type}': ({ query }) => query.type(),
  '{name}': ({ query }) => query.name(),
  '{class}': ({ query }) => query.class(),
  '{proto}': ({ query }) => query.proto(),
  '{size}': ({ query }) => String(query.bytes.length),
  '{remote}': ({ query }) => inBrackets(query.ip()),
  '{port}': ({ query }) => String(query.port()),
  '{local}': ({ query }) => inBrackets(query.localIp()),
  '{duration}': ({ durationMs }) => `${(durationMs / 1000).toFixed(9)}s`,
  '{rcode}': ({ answer }) => (answer ? rcodeName(answer.rcode) : '-'),
  '{rsize}': ({ answer }) => (answer ? String(plainSize(answer)) : '0'),
  '{>rflags}': ({ answer }) => (answer ? flagsOf(answer) : '-'),
  '{>id}': ({ query }) => String(query.bytes.length >= 2 ? query.bytes.readUInt16BE(0) : 0),
  '{>opcode}': ({ query }) => opcodeName(query.opcode),
  '{>do}': ({ query }) => String(query.do()),
  '{>bufsize}': ({ query }) => String(query.size()),
  '{>answeredBy}': ({ query }) => query.answeredBy || '-',
}

export class LogFormat {
  readonly #parts: readonly Part[]

  /** What is in braces and is no field stands in the line as it is. */
  constructor(text: string) {
    const parts: Part[] = []
    for (const piece of text.split(/(\{[^{}]*\})/)) {
      const place = PLACES[piece]
      const label = /^\{\/(.+\/.+)\}$/.exec(piece)?.[1]
      if (place) parts.push(place)
      else if (label !== undefined) parts.push(({ query }) => safe(query.metadata.get(label)?.() || '-'))
      else if (piece !== '') parts.push(piece)
    }
    parts.push('\n')
    this.#parts = parts
  }

  line(answered: Answered): string {
    let line = '[INFO] '
    for (const part of this.#parts) line += typeof part === 'string' ? part : part(answered)
    return line
  }
}

/** What comes from outside keeps to its line: names are escaped already. */
const safe = (text: string): string =>
  /[\x00-\x1f\x7f]/.test(text) ? JSON.stringify(text).slice(1, -1) : text

const FLAGS = [
  ['qr', 'isResponse'],
  ['aa', 'isAuthoritative'],
  ['tc', 'isTruncated'],
  ['rd', 'isRecursionDesired'],
  ['ra', 'isRecursionAvailable'],
  ['ad', 'isAuthentic'],
  ['cd', 'isCheckingDisabled'],
] as const

function flagsOf(answer: DnsMessage): string {
  let text = ''
  for (const [flag, key] of FLAGS) if (answer[key]) text += text === '' ? flag : `,${flag}`
  return text
}

/** Bytes of a message without compression, as CoreDNS counts them. */
export function plainSize({ question, answer, authority, additional, edns }: DnsMessage): number {
  let bytes = 12
  for (const { name } of question) bytes += name.wire.length + 4
  for (const section of [answer, authority, additional])
    for (const { name, rdata } of section) bytes += name.wire.length + 10 + rdata.length
  if (edns) bytes += edns.options.reduce((sum, { data }) => sum + 4 + data.length, 11)
  return bytes
}
