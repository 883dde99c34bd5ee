/** Where another server is: `192.0.2.1`, `[2001:db8::1]:5353`, `tls://9.9.9.9%dns.quad9.net`. */
import { parseIp } from '../base/ip-address.ts'

export type UpstreamTransport = 'dns' | 'tls'

export interface UpstreamAddress {
  readonly transport: UpstreamTransport
  /** An address, with the interface where it has one: `fe80::1%eth0`. */
  readonly host: string
  readonly port: number
  /** Name of the server for TLS, where the address says one. */
  readonly serverName: string
  /** `192.0.2.1:53`, `[2001:db8::1]:53`. */
  readonly text: string
}

const PORTS: Readonly<Record<UpstreamTransport, number>> = { dns: 53, tls: 853 }

/** The address; undefined where the text is none. */
export function parseUpstreamAddress(text: string): UpstreamAddress | undefined {
  const [, scheme = 'dns', rest] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(text)!
  if (scheme !== 'dns' && scheme !== 'tls') return undefined
  const split = hostAndPort(rest!)
  if (!split) return undefined
  const [address, zone = ''] = split.host.split('%')
  if (!parseIp(address!)) return undefined
  const port = split.port ?? PORTS[scheme]
  // Only addresses of a link have an interface; for TLS, what stands there is the server's name.
  const isName = scheme === 'tls' && zone !== ''
  const host = isName ? address! : split.host
  const shown = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  return { transport: scheme, host, port, serverName: isName ? zone : '', text: shown }
}

/** `dns` of `dns://…`, and of what says none. */
export const schemeOf = (text: string): string => /^([a-z]+):\/\//.exec(text)?.[1] ?? 'dns'

function hostAndPort(text: string): { host: string; port?: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\][]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined) return text.includes(':') ? { host: text } : undefined
  if (digits === undefined) return { host }
  const port = Number(digits)
  return port >= 1 && port <= 65_535 ? { host, port } : undefined
}

/** The `nameserver` lines of a file such as /etc/resolv.conf (resolv.conf(5)). */
export function nameserversOf(resolvConf: string): UpstreamAddress[] {
  return resolvConf.split('\n').flatMap((line) => {
    const [word, server = ''] = line.trim().split(/\s+/)
    const address = word === 'nameserver' ? parseUpstreamAddress(server) : undefined
    return address ?? []
  })
}
