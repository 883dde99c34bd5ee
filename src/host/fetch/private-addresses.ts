/**
 * Addresses that are not of the open internet: this machine, the networks behind it, and what is reserved for other ends.
 *
 * An IPv6 address that carries an IPv4 one (NAT64, 6to4) is as private as that one. Of IPv6, what is not handed out as
 * global unicast (2000::/3) is not open.
 */
import { CidrSet } from '../../base/cidr.ts'
import { ipv4FromWord, parseIp, type IpAddress } from '../../base/ip-address.ts'

/** https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-. */
const CLOSED = CidrSet.of([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '2001::/23',
  '2001:db8::/32',
  '3fff::/20',
])
const GLOBAL_V6 = CidrSet.of(['2000::/3'])
const NAT64 = CidrSet.of(['64:ff9b::/96'])
const SIX_TO_FOUR = CidrSet.of(['2002::/16'])

/** What is no address counts as private, too. */
export function isPrivate(address: string): boolean {
  const ip = parseIp(address)
  return ip === undefined || isClosed(ip)
}

function isClosed(ip: IpAddress): boolean {
  if (CLOSED.has(ip)) return true
  if (ip.family === 4) return false
  const [first, second, , last] = ip.words
  if (NAT64.has(ip)) return isClosed(ipv4FromWord(last))
  if (SIX_TO_FOUR.has(ip)) return isClosed(ipv4FromWord(((first << 16) | (second >>> 16)) >>> 0))
  return !GLOBAL_V6.has(ip)
}
