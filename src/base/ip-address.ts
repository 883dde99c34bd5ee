/**
 * IP addresses as integers: read strictly, compared fast, written in one way.
 *
 * An IPv4 address that came wrapped in an IPv6 one (`::ffff:192.0.2.1`, as dual-stack sockets show it) is that IPv4 address.
 * What two programs could read differently (`010.0.0.1`, `1.2.3`, a zone) is no address.
 */

/** Four words of 32 bits, the first one highest. Of an IPv4 address the last one counts, and the others are 0. */
export interface IpAddress {
  readonly family: 4 | 6
  readonly words: readonly [number, number, number, number]
}

const DOT = 0x2e
const COLON = 0x3a
/** What stands above the last word of an IPv4 address in an IPv6 one (RFC 4291 §2.5.5.2). */
const MAPPED = 0xffff

/** The address, or undefined where the text is none: no brackets, no port, no zone. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.length > 45) return undefined
  if (text.includes(':')) return parseIpv6(text)
  const word = parseIpv4(text, 0)
  return word === -1 ? undefined : { family: 4, words: [0, 0, 0, word] }
}

/** RFC 5952: the one way to write it. */
export function formatIp({ family, words }: IpAddress): string {
  return family === 4 ? formatIpv4(words[3]) : formatIpv6(words)
}

/** Four numbers from `at` to the end of the text, as one word; -1 where they are not that. */
function parseIpv4(text: string, at: number): number {
  let word = 0
  let parts = 0
  let value = -1
  for (let i = at; i <= text.length; i++) {
    const code = i === text.length ? DOT : text.charCodeAt(i)
    if (code === DOT) {
      if (value === -1 || parts === 4) return -1
      word = word * 256 + value
      parts += 1
      value = -1
    } else {
      const digit = code - 0x30
      // No leading zero: some read it as octal.
      if (digit < 0 || digit > 9 || value === 0) return -1
      value = value === -1 ? digit : value * 10 + digit
      if (value > 255) return -1
    }
  }
  return parts === 4 ? word : -1
}

function parseIpv6(text: string): IpAddress | undefined {
  const groups = [0, 0, 0, 0, 0, 0, 0, 0]
  let count = 0
  /** Where `::` stands, in groups. */
  let gap = -1
  let at = 0
  if (text.startsWith('::')) {
    gap = 0
    at = 2
  }
  while (at < text.length) {
    if (count === 8) return undefined
    const start = at
    let value = 0
    for (; at < text.length && text.charCodeAt(at) !== COLON; at++) {
      const digit = hexDigit(text.charCodeAt(at))
      if (digit === -1 || at - start === 4) break
      value = value * 16 + digit
    }
    if (at < text.length && text.charCodeAt(at) !== COLON) {
      // RFC 4291 §2.2: the last 32 bits may be written as an IPv4 address.
      const word = count > 6 ? -1 : parseIpv4(text, start)
      if (word === -1) return undefined
      groups[count++] = word >>> 16
      groups[count++] = word & 0xffff
      at = text.length
      break
    }
    if (at === start) return undefined
    groups[count++] = value
    if (at === text.length) break
    at += 1
    if (text.charCodeAt(at) === COLON) {
      if (gap !== -1) return undefined
      gap = count
      at += 1
    } else if (at === text.length) {
      return undefined
    }
  }
  if (gap === -1 ? count !== 8 : count > 7) return undefined
  if (gap !== -1) {
    const after = groups.splice(gap, count - gap)
    groups.splice(gap, 0, ...Array<number>(8 - count).fill(0))
    groups.splice(8 - after.length, 8, ...after)
  }
  return fromGroups(groups)
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function fromGroups(groups: readonly number[]): IpAddress {
  const word = (index: number) => groups[index]! * 0x10000 + groups[index + 1]!
  return ipFromWords(word(0), word(2), word(4), word(6))
}

/** An IPv6 address from its words, or the IPv4 address that it wraps. */
export function ipFromWords(a: number, b: number, c: number, d: number): IpAddress {
  if (a === 0 && b === 0 && c === MAPPED) return { family: 4, words: [0, 0, 0, d] }
  return { family: 6, words: [a, b, c, d] }
}

/** An IPv4 address from its 32 bits. */
export const ipv4FromWord = (word: number): IpAddress => ({ family: 4, words: [0, 0, 0, word] })

const formatIpv4 = (word: number): string =>
  `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`

function formatIpv6(words: IpAddress['words']): string {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff])
  // §4.2: the longest run of zero groups, of at least two, becomes `::`; of equal ones the first.
  let best = -1
  let bestLength = 1
  for (let start = 0; start < 8; start++) {
    let end = start
    while (end < 8 && groups[end] === 0) end++
    if (end - start > bestLength) {
      best = start
      bestLength = end - start
    }
  }
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return best === -1 ? hex(0, 8) : `${hex(0, best)}::${hex(best + bestLength, 8)}`
}
