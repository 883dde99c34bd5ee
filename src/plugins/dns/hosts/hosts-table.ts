/** Names and addresses of a hosts file (hosts(5)), by name and by address. */
import { type IpAddress, parseIp } from '../../../base/ip-address.ts'
import { DnsName } from '../../../wire/dns/name.ts'

export interface HostAddresses {
  readonly a: Buffer[]
  readonly aaaa: Buffer[]
}

export interface HostsTableOptions {
  /** Only names within these are taken. */
  readonly origins: readonly DnsName[]
  readonly hasReverse: boolean
}

export class HostsTable {
  readonly #byName = new Map<string, HostAddresses>()
  readonly #byAddress = new Map<string, DnsName[]>()
  readonly #options: HostsTableOptions
  /** How many names of addresses and addresses of names there are. */
  entries = 0
  /** Lines that are neither empty nor what a hosts file has, from 1 on. */
  readonly wrongLines: number[] = []

  constructor(options: HostsTableOptions) {
    this.#options = options
  }

  /** What is wrong is passed over: such files are long, and come from elsewhere. */
  read(text: string): this {
    let at = 0
    for (let line = 1; at <= text.length; line++) {
      const end = text.indexOf('\n', at)
      const to = end < 0 ? text.length : end
      this.#readLine(text.slice(at, to), line)
      at = to + 1
    }
    return this
  }

  /** Addresses of a name; what stands for it by `*`, where it has none of its own. */
  addresses(name: DnsName): HostAddresses | undefined {
    const own = this.#byName.get(name.key)
    if (own || name.key.length <= 1) return own
    // One label more than what the entry says, and no further.
    return this.#byName.get(`\x01*${name.key.slice(1 + name.key.charCodeAt(0))}`)
  }

  /** Names of the address that a name below in-addr.arpa or ip6.arpa stands for. */
  names(reverse: DnsName): readonly DnsName[] | undefined {
    return this.#byAddress.get(reverse.key)
  }

  #readLine(line: string, number: number): void {
    const hash = line.indexOf('#')
    const words = (hash < 0 ? line : line.slice(0, hash)).split(/\s+/).filter((word) => word !== '')
    if (words.length < 2) {
      if (words.length === 1) this.#wrong(number)
      return
    }
    const zone = words[0]!.indexOf('%')
    const ip = parseIp(zone < 0 ? words[0]! : words[0]!.slice(0, zone))
    if (!ip) return this.#wrong(number)
    const data = dataOf(ip)
    for (const word of words.slice(1)) {
      const name = nameOf(word)
      if (!name) this.#wrong(number)
      else if (this.#options.origins.some((origin) => name.isWithin(origin))) this.#add(name, ip, data)
    }
  }

  #add(name: DnsName, ip: IpAddress, data: Buffer): void {
    let addresses = this.#byName.get(name.key)
    if (!addresses) this.#byName.set(name.key, (addresses = { a: [], aaaa: [] }))
    const ofFamily = ip.family === 4 ? addresses.a : addresses.aaaa
    ofFamily.push(data)
    this.entries += 1
    if (!this.#options.hasReverse || name.isWildcard) return
    const reverse = reverseKey(data)
    const names = this.#byAddress.get(reverse)
    this.entries += 1
    if (names) names.push(name)
    else this.#byAddress.set(reverse, [name])
  }

  #wrong(line: number): void {
    if (this.wrongLines.at(-1) !== line && this.wrongLines.length < 100) this.wrongLines.push(line)
  }
}

function nameOf(text: string): DnsName | undefined {
  try {
    return DnsName.parse(text)
  } catch {
    return undefined
  }
}

function dataOf({ family, words }: IpAddress): Buffer {
  const data = Buffer.alloc(16)
  for (const [index, word] of words.entries()) data.writeUInt32BE(word >>> 0, index * 4)
  return family === 4 ? data.subarray(12) : data
}

/** The name that stands for an address the other way round (RFC 1035 §3.5, RFC 3596 §2.5). */
function reverseKey(data: Buffer): string {
  const labels =
    data.length === 4
      ? [...data].map(String)
      : [...data].flatMap((byte) => [(byte >> 4).toString(16), (byte & 15).toString(16)])
  const zone = data.length === 4 ? '\x07in-addr\x04arpa\0' : '\x03ip6\x04arpa\0'
  return (
    labels
      .toReversed()
      .map((label) => String.fromCharCode(label.length) + label)
      .join('') + zone
  )
}
