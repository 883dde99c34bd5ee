/**
 * Sets of addresses, written as addresses and prefixes (`10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`), asked whether one is in them.
 *
 * A prefix is a range of integers. Ranges are sorted and joined once, so that a list of thousands is a handful of comparisons.
 */
import { type IpAddress, parseIp } from './ip-address.ts'

type Words = IpAddress['words']

export interface Cidr {
  readonly family: 4 | 6
  readonly first: Words
  readonly last: Words
}

/** The range of a prefix or of one address; undefined where the text is neither. Bits below the prefix do not count. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const address = slash === -1 ? text : text.slice(0, slash)
  const ip = parseIp(address)
  if (ip === undefined) return undefined
  if (slash === -1) return { family: ip.family, first: ip.words, last: ip.words }
  const digits = text.slice(slash + 1)
  if (!/^(?:0|[1-9]\d{0,2})$/.test(digits)) return undefined
  let prefix = Number(digits)
  if (address.includes(':') && ip.family === 4) prefix -= 96
  if (prefix < 0 || prefix > (ip.family === 4 ? 32 : 128)) return undefined
  return { family: ip.family, ...rangeOf(ip.words, ip.family === 4 ? prefix + 96 : prefix, ip.family) }
}

function rangeOf(words: Words, prefix: number, family: 4 | 6): { first: Words; last: Words } {
  const first = [0, 0, 0, 0] as [number, number, number, number]
  const last = [0, 0, 0, 0] as [number, number, number, number]
  for (let i = family === 4 ? 3 : 0; i < 4; i++) {
    const bits = Math.max(0, Math.min(32, prefix - i * 32))
    const free = bits === 32 ? 0 : 0xffffffff >>> bits
    first[i] = (words[i]! & ~free) >>> 0
    last[i] = (words[i]! | free) >>> 0
  }
  return { first, last }
}

export class CidrSet {
  readonly isEmpty: boolean
  private readonly v4: readonly Cidr[]
  private readonly v6: readonly Cidr[]

  constructor(cidrs: readonly Cidr[]) {
    this.isEmpty = cidrs.length === 0
    this.v4 = joined(cidrs.filter(({ family }) => family === 4))
    this.v6 = joined(cidrs.filter(({ family }) => family === 6))
  }

  /** Throws where a text is no address and no prefix: whoever takes texts from outside checks them with `parseCidr`. */
  static of(texts: readonly string[]): CidrSet {
    return new CidrSet(
      texts.map((text) => {
        const cidr = parseCidr(text)
        if (cidr === undefined) throw new TypeError(`${JSON.stringify(text)} is no address and no prefix`)
        return cidr
      }),
    )
  }

  has(ip: IpAddress): boolean {
    return this.rangeAround(ip.family, ip.words) !== undefined
  }

  /** Whether all of a prefix is in the set. */
  covers(cidr: Cidr): boolean {
    const range = this.rangeAround(cidr.family, cidr.first)
    return range !== undefined && compare(cidr.last, range.last) <= 0
  }

  private rangeAround(family: 4 | 6, words: Words): Cidr | undefined {
    const ranges = family === 4 ? this.v4 : this.v6
    let low = 0
    let high = ranges.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const range = ranges[middle]!
      if (compare(words, range.first) < 0) high = middle - 1
      else if (compare(words, range.last) > 0) low = middle + 1
      else return range
    }
    return undefined
  }
}

function compare(a: Words, b: Words): number {
  for (let i = 0; i < 4; i++) if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1
  return 0
}

/** Sorted, and without overlaps. */
function joined(cidrs: readonly Cidr[]): Cidr[] {
  const ranges: Cidr[] = []
  for (const cidr of cidrs.toSorted((a, b) => compare(a.first, b.first))) {
    const before = ranges.at(-1)
    if (before === undefined || compare(cidr.first, before.last) > 0) ranges.push(cidr)
    else if (compare(cidr.last, before.last) > 0) ranges[ranges.length - 1] = { ...before, last: cidr.last }
  }
  return ranges
}
