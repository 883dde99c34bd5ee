/**
 * Makes messages: sound ones from the grammar, with what they mean beside them, and bad ones by damaging sound ones where parsers are
 * known to disagree: line ends, colons, lengths, codings, chunk sizes.
 */
import type { Random } from './random.ts'

/** A message as it was meant. */
export interface Meant {
  /** `METHOD TARGET` or the status. */
  readonly start: string
  readonly headers: readonly string[]
  readonly body: string
}

export interface Made {
  readonly text: string
  readonly meant: Meant
}

const TOKEN = "abcXYZ019-_.!#$%&'*+^`|~"
const PATH = "abcXYZ019-_.~!$&'()*+,;=:@%/|[]{}^`"
const VALUE = 'abc XYZ\t019-_.,;:="\'()<>@/[]?{}\\\u00e9\u00ff'
const METHODS = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'M-SEARCH',
  'PURGE',
  'PROPFIND',
]
const NAMES = ['Accept', 'User-Agent', 'X-A', 'x-b', 'Cookie', 'Via', 'Range', 'Date', 'ETag', 'Content-Type']
const CONNECTION = ['keep-alive', 'Keep-Alive', 'x-a', 'keep-alive, x-b', 'x-a,,x-b']

/** Lines that have parted servers before. */
const EVIL_LINES = [
  'Content-Length: 5',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Content-Length: 0x5',
  'Content-Length: 05',
  'Content-Length : 5',
  'Content-Length:5 ',
  'Content-Length: 5\t',
  'Content-Length: 18446744073709551617',
  'Content-Length: 9223372036854775809',
  'content-length: 0',
  'Content-Length\t: 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding: chunked;a=b',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding:\tchunked',
  'Transfer-Encoding: chunked\t',
  'transfer-encoding: CHUNKED',
  'Transfer-Encoding:',
  'Transfer-Encoding:\r\n chunked',
  'Transfer_Encoding: chunked',
  'Host: other.example.org',
  'Host:',
  'Host : a',
  'Connection: close',
  'Connection: keep-alive, close',
  'Connection: upgrade',
  'Upgrade: h2c',
  'Expect: 100-continue',
  ' folded: value',
  '\tfolded',
  'NoColon',
  ': no name',
  '',
]
const EVIL_TEXT = [
  '\r',
  '\n',
  '\r\n',
  '\r\r\n',
  '\n\n',
  '\0',
  '\t',
  ' ',
  '\x0b',
  '\x0c',
  '\x7f',
  '\x80',
  '\xa0',
  ':',
  ';',
  ',',
  '"',
  '-',
  '+',
  '_',
  '0',
  '0x',
  ';a',
  ';a=b',
  ';a="b"',
  ';a="\\""',
  '; a',
  '0\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'HTTP/1.1',
]

export function makeRequest(random: Random): Made {
  const method = random.pick(METHODS)
  let target = `/${random.text(random.below(20), PATH)}${random.chance(0.4) ? `?${random.text(random.below(10), `${PATH}?\\`)}` : ''}`
  if (method === 'OPTIONS' && random.chance(0.3)) target = '*'
  else if (random.chance(0.1)) target = `http://${random.text(5, 'abc.')}z${target}`
  const minor = random.chance(0.9) ? 1 : 0
  const lines: string[] = []
  for (let i = random.below(5); i > 0; i--) lines.push(fieldLine(random))
  if (minor === 1 || random.chance(0.5))
    lines.splice(random.below(lines.length + 1), 0, `Host: ${random.text(6, 'abc.-Z')}z`)
  if (minor === 0 || random.chance(0.2))
    lines.push(`Connection: ${minor === 0 ? 'keep-alive' : random.pick(CONNECTION)}`)
  const body = makeBody(random, lines, minor === 1)
  const blank = random.chance(0.05) ? '\r\n' : ''
  return made(`${method} ${target}`, `${blank}${method} ${target} HTTP/1.${minor}`, lines, body)
}

export function makeResponse(random: Random): Made {
  const status = random.pick([200, 200, 200, 206, 301, 404, 500, 304, 204, 100, 103])
  const reason = random.text(random.below(8), 'ab C\t\u00e9')
  const lines: string[] = []
  for (let i = random.below(5); i > 0; i--) lines.push(fieldLine(random))
  const bodyless = status < 200 || status === 204 || status === 304
  const body = bodyless ? { wire: '', data: '' } : makeBody(random, lines, true, true)
  return made(
    String(status),
    `HTTP/1.1 ${status}${reason === '' && random.chance(0.3) ? '' : ` ${reason}`}`,
    lines,
    body,
  )
}

/** A chunked body, from its first size to its last empty line. */
export function makeChunked(random: Random): { readonly wire: string; readonly data: string } {
  let wire = ''
  let data = ''
  for (let i = random.below(4); i > 0; i--) {
    const chunk = random.text(1 + random.below(30), '\r\n0123abc\u00ff;: ')
    const size = chunk.length.toString(16)
    wire += `${random.chance(0.2) ? '00' : ''}${random.chance(0.5) ? size.toUpperCase() : size}${extension(random)}\r\n${chunk}\r\n`
    data += chunk
  }
  wire += `0${extension(random)}\r\n`
  if (random.chance(0.2)) wire += `${fieldLine(random)}\r\n`
  return { wire: `${wire}\r\n`, data }
}

function makeBody(
  random: Random,
  lines: string[],
  mayChunk: boolean,
  needed = false,
): { wire: string; data: string } {
  const kind = random.below(needed ? 2 : 3)
  const at = random.below(lines.length + 1)
  if (kind === 0 && mayChunk) {
    lines.splice(at, 0, `Transfer-Encoding: ${random.chance(0.8) ? 'chunked' : 'Chunked'}`)
    return makeChunked(random)
  }
  if (kind === 2) return { wire: '', data: '' }
  const data = random.text(random.below(40), 'abc\r\n 0:\u00ff')
  lines.splice(at, 0, `Content-Length: ${data.length}`)
  return { wire: data, data }
}

function made(
  start: string,
  line: string,
  lines: readonly string[],
  body: { wire: string; data: string },
): Made {
  const headers = lines.flatMap((text) => {
    const colon = text.indexOf(':')
    return [text.slice(0, colon).toLowerCase(), text.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]
  })
  return { text: [line, ...lines, '', body.wire].join('\r\n'), meant: { start, headers, body: body.data } }
}

function fieldLine(random: Random): string {
  const name = random.chance(0.7) ? random.pick(NAMES) : `X${random.text(1 + random.below(6), TOKEN)}`
  const space = random.pick(['', ' ', ' ', ' ', '\t ', '  '])
  return `${name}:${space}${random.text(random.below(20), VALUE)}`
}

function extension(random: Random): string {
  if (random.chance(0.85)) return ''
  const name = `;${random.text(1 + random.below(3), 'abc')}`
  return random.pick([name, `${name}=${random.text(2, TOKEN)}`, `${name}="${random.text(3, 'ab;=,:')}"`])
}

/** Damages a message in one to three places. */
export function damage(random: Random, text: string): string {
  for (let times = 1 + random.below(3); times > 0; times--) text = damageOnce(random, text)
  return text
}

function damageOnce(random: Random, text: string): string {
  const at = random.below(text.length + 1)
  switch (random.below(9)) {
    case 0:
      return text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1)
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + random.below(4))
    case 2:
      return text.slice(0, at) + random.pick(EVIL_TEXT) + text.slice(at)
    case 3:
      return replaceSome(random, text, /\r\n/g, () =>
        random.pick(['\n', '\r', '\r\r\n', '\r\n\r\n', '\r\n ', ' \r\n']),
      )
    case 4:
    case 5:
      return replaceSome(random, text, /\r\n/g, () => `\r\n${random.pick(EVIL_LINES)}\r\n`)
    case 6:
      return replaceSome(random, text, /: ?/g, () => random.pick([' :', '\t:', '', '::', ':\0', ':\x0b']))
    case 7:
      return replaceSome(random, text, /[0-9a-f]+(?=\r\n|;)/gi, (digits) =>
        random.pick([
          `${digits}0`,
          `0x${digits}`,
          `-${digits}`,
          ` ${digits}`,
          `${digits} `,
          `${digits};`,
          `0000000000000000${digits}`,
          `1000000000000000${digits}`,
          '',
        ]),
      )
    default:
      return text + text.slice(at)
  }
}

function replaceSome(random: Random, text: string, pattern: RegExp, by: (found: string) => string): string {
  const found = [...text.matchAll(pattern)]
  if (found.length === 0) return text
  const match = random.pick(found)
  return text.slice(0, match.index) + by(match[0]) + text.slice(match.index + match[0].length)
}
