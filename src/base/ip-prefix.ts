/**
 * Addresses and prefixes that somebody names one by one, in the one way to write them: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`.
 *
 * One address is written without its length. What could mean two things is refused, with what would be right: a prefix with bits behind its length
 * (`192.0.2.7/24`) is one address or 256.
 */
import { formatIp, type IpAddress, parseIp } from './ip-address.ts'

export interface IpPrefix {
  readonly family: 4 | 6
  /** As those of an address; behind `length` all bits are 0. */
  readonly words: IpAddress['words']
  /** Of its own family: 0 to 32, or 0 to 128. */
  readonly length: number
}

/** The prefix, or a sentence that says why the text is none. `::ffff:192.0.2.0/120` is `192.0.2.0/24`. */
export function readPrefix(text: string): IpPrefix | string {
  const shown = shownText(text)
  const slash = text.indexOf('/')
  const address = slash === -1 ? text : text.slice(0, slash)
  const ip = parseIp(address)
  if (ip === undefined)
    return `${shown} is no address and no prefix: ${whyNoAddress(address, '192.0.2.7, 192.0.2.0/24 or 2001:db8::/32')}`
  const bits = ip.family === 4 ? 32 : 128
  if (slash === -1) return { ...ip, length: bits }
  const isWrapped = ip.family === 4 && address.includes(':')
  const digits = text.slice(slash + 1)
  const [least, most] = isWrapped ? [96, 128] : [0, bits]
  const given = /^(?:0|[1-9]\d{0,2})$/.test(digits) ? Number(digits) : -1
  if (given < least || given > most)
    return `${shown} is no prefix: expected a length from ${least} to ${most} behind the slash, in plain digits`
  const length = isWrapped ? given - 96 : given
  const words = masked(ip, length)
  if (words.some((word, index) => word !== ip.words[index])) {
    const network = formatPrefix({ family: ip.family, words, length })
    return `${shown} has bits behind its length: expected ${formatIp(ip)} for the one address, or ${network} for all of them`
  }
  return { family: ip.family, words, length }
}

/** The address, or a sentence that says why the text is none. */
export function readIp(text: string): IpAddress | string {
  const ip = parseIp(text)
  if (ip !== undefined) return ip
  return `${shownText(text)} is no address: ${whyNoAddress(text, '192.0.2.7 or 2001:db8::7')}`
}

const shownText = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)

function whyNoAddress(address: string, examples: string): string {
  if (address.includes('%')) return 'a zone (what stands behind %) means something on one machine alone'
  if (/(?:^|\.)0\d/.test(address)) return 'numbers of an IPv4 address have no leading zeros'
  return `expected one such as ${examples}`
}

/** The prefix of that length around an address; of one that has fewer bits, all of it. */
export function prefixOf(ip: IpAddress, length: number): IpPrefix {
  const within = Math.min(length, ip.family === 4 ? 32 : 128)
  return { family: ip.family, words: masked(ip, within), length: within }
}

/** The one way to write it. */
export function formatPrefix({ family, words, length }: IpPrefix): string {
  const address = formatIp({ family, words })
  return length === (family === 4 ? 32 : 128) ? address : `${address}/${length}`
}

/** Whether all of the inner one lies in the outer one; each lies in itself. */
export function covers(outer: IpPrefix, inner: IpPrefix): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false
  const words = masked(inner, outer.length)
  return words.every((word, index) => word === outer.words[index])
}

/** The bits of an address up to a length of its family. */
function masked({ family, words }: IpAddress, length: number): IpAddress['words'] {
  const from = family === 4 ? 96 : 0
  const kept = (index: number) => {
    const bits = from + length - index * 32
    if (bits <= 0) return 0
    return bits >= 32 ? words[index]! : (words[index]! & ~(0xffffffff >>> bits)) >>> 0
  }
  return [kept(0), kept(1), kept(2), kept(3)]
}
