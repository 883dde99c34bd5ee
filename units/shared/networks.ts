/**
 * Lists of addresses and networks, IPv4 and IPv6: `192.0.2.7, 198.51.100.0/24, 2001:db8::/32`. For units that let in or keep out by address.
 */

/** An address is 128 bits; IPv4 stands in it as `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2), so `::ffff:192.0.2.7` is refused too. */
export type Address = bigint

export interface Network {
  readonly address: Address
  /** How many of the 128 bits are the network's. */
  readonly bits: bigint
}

/** `what` is the list's name, for the error that tells the entry which is none. */
export function parseNetworks(list: string, what: string): Network[] {
  return list
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map((entry) => parseNetwork(entry, what))
}

function parseNetwork(entry: string, what: string): Network {
  const [text = '', length, more] = entry.split('/')
  const address = parseAddress(text)
  const most = text.includes(':') ? 128 : 32
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : -1
  if (address === undefined || more !== undefined || bits < 0 || bits > most) {
    throw new Error(`${what} holds "${entry}", which is no address or network`)
  }
  return { address, bits: BigInt(bits + 128 - most) }
}

export const contains = ({ address, bits }: Network, other: Address): boolean => {
  const rest = 128n - bits
  return address >> rest === other >> rest
}

export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) {
    const address = parseIpv4(text)
    return address === undefined ? undefined : (0xffffn << 32n) | address
  }
  // A zone (`fe80::1%eth0`) says through which interface, not who.
  const plain = text.split('%', 1)[0]!
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain)
  if (!dotted) return parseIpv6(plain)
  const last = parseIpv4(dotted[2]!)
  return last === undefined
    ? undefined
    : parseIpv6(`${dotted[1]}${(last >> 16n).toString(16)}:${(last & 0xffffn).toString(16)}`)
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255))
    return undefined
  return parts.reduce((address, part) => (address << 8n) | BigInt(part), 0n)
}

function parseIpv6(text: string): Address | undefined {
  const [before = '', after, more] = text.split('::')
  if (more !== undefined) return undefined
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const missing = 8 - head.length - tail.length
  if (after === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail]
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return groups.reduce((address, group) => (address << 16n) | BigInt(`0x${group}`), 0n)
}
