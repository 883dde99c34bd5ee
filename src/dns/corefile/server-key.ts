/** What stands in front of a server block: `example.org:53`, `tls://.:853`, `10.0.0.0/24`. */
import type { CorefileWord, DnsTransport } from '../../contract/dns.ts'
import { DnsName, DnsNameError } from '../../wire/dns/name.ts'
import { reverseZonesOf } from '../reverse-zones.ts'
import { CorefileError } from './corefile-error.ts'

export interface ServerKey {
  readonly transport: DnsTransport
  readonly port: number
  /** Several where a prefix does not end at a label. */
  readonly zones: readonly DnsName[]
  readonly word: CorefileWord
}

const PORTS: Readonly<Record<DnsTransport, number>> = { dns: 53, tls: 853, https: 443 }
/** What CoreDNS serves besides. */
const OTHERS: Readonly<Record<string, string>> = { grpc: 'gRPC', quic: 'QUIC', https3: 'HTTP/3' }

/** `dnsPort` is the port of those that name none. */
export function parseServerKey(word: CorefileWord, dnsPort: number): ServerKey {
  const [, scheme, rest] = /^(?:([a-z0-9+]+):\/\/)?(.*)$/s.exec(word.text)!
  const transport = transportOf(word, scheme)
  if (rest!.endsWith(':'))
    throw new CorefileError(
      word,
      `expecting data after last colon: "${rest}": expected a port, as in example.org:53`,
    )
  const [, host, digits] = /^(.*?)(?::([+-]?\d+))?$/s.exec(rest!)!
  const port = digits === undefined ? (transport === 'dns' ? dnsPort : PORTS[transport]) : Number(digits)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new CorefileError(word, `${digits} is no port: expected a number from 0 to 65535`)
  return { transport, port, zones: zonesOf(word, host!), word }
}

function transportOf(word: CorefileWord, scheme: string | undefined): DnsTransport {
  if (scheme === undefined) return 'dns'
  if (Object.hasOwn(PORTS, scheme)) return scheme as DnsTransport
  const other = OTHERS[scheme]
  throw new CorefileError(
    word,
    `${scheme}:// is not supported: expected dns://, tls:// or https://${other ? ` (CoreDNS serves ${other}, Orla does not)` : ''}`,
  )
}

function zonesOf(word: CorefileWord, host: string): readonly DnsName[] {
  if (host.length > 1 && host.endsWith('{'))
    throw new CorefileError(word, `"${word.text}" ends with a brace: expected a space in front of "{"`)
  const reverse = reverseZonesOf(host)
  if (reverse) {
    if (host.startsWith(':') || (host.startsWith('0') && host.includes(':')))
      throw new CorefileError(word, `invalid CIDR ${host}`)
    return reverse
  }
  try {
    if (host === '') throw new DnsNameError('it is empty: the root, which all names are in, is written "."')
    return [DnsName.parse(host.toLowerCase())]
  } catch (error) {
    if (!(error instanceof DnsNameError)) throw error
    throw new CorefileError(word, `zone is not a valid domain name: ${host}: ${error.message}`)
  }
}
