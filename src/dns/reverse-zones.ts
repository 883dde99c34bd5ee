/**
 * Prefixes as the reverse zones that they are made of (RFC 1035 §3.5, RFC 3596 §2.5): one where the prefix ends at a label (each 8 bits of IPv4, each 4
 * of IPv6), else all below it that do, as CoreDNS has it: `10.0.0.0/15` is `0.10.in-addr.arpa.` and `1.10.in-addr.arpa.`.
 */
import { type IpAddress, parseIp } from '../base/ip-address.ts'
import { prefixOf } from '../base/ip-prefix.ts'
import { DnsName } from '../wire/dns/name.ts'

/** The zones of `ADDRESS/LENGTH`; undefined where the text is no prefix at all. Bits behind the length are ignored. */
export function reverseZonesOf(text: string): DnsName[] | undefined {
  const match = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(text)
  const ip = match && parseIp(match[1]!)
  if (!match || !ip) return undefined
  const length = Number(match[2])
  const [bits, step] = ip.family === 4 ? [32, 8] : [128, 4]
  if (length > bits) return undefined
  const { words } = prefixOf(ip, length)
  const labels = Math.ceil(length / step)
  const free = labels * step - length
  return Array.from({ length: 1 << free }, (_, index) =>
    zoneOf(digitsOf({ family: ip.family, words }), labels, index),
  )
}

/** Numbers that stand in the labels of an address, the first one first. */
function digitsOf({ family, words }: IpAddress): number[] {
  if (family === 4) return [24, 16, 8, 0].map((shift) => (words[3] >>> shift) & 0xff)
  return words.flatMap((word) => [28, 24, 20, 16, 12, 8, 4, 0].map((shift) => (word >>> shift) & 0xf))
}

function zoneOf(digits: readonly number[], labels: number, index: number): DnsName {
  const base = digits.length === 4 ? 10 : 16
  const kept = digits.slice(0, labels).map((digit, at) => (at === labels - 1 ? digit + index : digit))
  const ending = base === 10 ? 'in-addr.arpa.' : 'ip6.arpa.'
  return DnsName.parse([...kept.toReversed().map((digit) => digit.toString(base)), ending].join('.'))
}
