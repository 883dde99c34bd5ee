/**
 * Refuses clients by their address.
 *
 * Environment: `DENY`, addresses and networks with commas between them, IPv4 and IPv6:
 * `192.0.2.7, 198.51.100.0/24, 2001:db8::/32`. An entry that is neither is an error, told at every request: a list that is
 * quietly shorter than its author thinks would let in whom it should keep out.
 */
import type { Unit } from 'orla'

export default {
  access(request, response, edge) {
    const list = edge.env.DENY ?? ''
    if (list !== compiled.list) compiled = { list, networks: parseNetworks(list) }
    const address = parseAddress(edge.client.address)
    if (address === undefined) throw new Error(`the client's address "${edge.client.address}" is none`)
    if (compiled.networks.some((network) => contains(network, address))) {
      return new Response('forbidden\n', { status: 403, headers: { 'content-type': 'text/plain' } })
    }
  },
} satisfies Unit

/** An address is 128 bits; IPv4 stands in it as `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2), so `::ffff:192.0.2.7` is refused too. */
type Address = bigint

interface Network {
  readonly address: Address
  /** How many of the 128 bits are the network's. */
  readonly bits: bigint
}

/** The list is taken apart once, not at every request. */
let compiled: { readonly list: string; readonly networks: readonly Network[] } = { list: '', networks: [] }

function parseNetworks(list: string): Network[] {
  return list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map(parseNetwork)
}

function parseNetwork(entry: string): Network {
  const [text = '', length, more] = entry.split('/')
  const address = parseAddress(text)
  const most = text.includes(':') ? 128 : 32
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : -1
  if (address === undefined || more !== undefined || bits < 0 || bits > most) {
    throw new Error(`DENY holds "${entry}", which is no address or network`)
  }
  return { address, bits: BigInt(bits + 128 - most) }
}

const contains = ({ address, bits }: Network, other: Address): boolean => {
  const rest = 128n - bits
  return address >> rest === other >> rest
}

function parseAddress(text: string): Address | undefined {
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
