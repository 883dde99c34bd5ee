/**
 * Host and port, from `Host` or from a target in absolute form. RFC 3986 §3.2, less what two servers could read differently.
 */

/**
 * A name or IPv4 address, or an IPv6 address in brackets; then a port or an empty one. No percent-encoding (one server decodes it, another does
 * not), no comma (two `Host` joined to one), no userinfo.
 */
const AUTHORITY = /^([a-z0-9._~!$&'()*+;=-]+|\[[0-9a-f:.]{2,45}\])(?::(\d{0,5}))?$/

export interface Authority {
  /** Lower case, with the port if one was given. */
  readonly authority: string
  /** Without port, and without the dot that may end a name: `example.org.` is `example.org`. */
  readonly host: string
}

const EMPTY: Authority = { authority: '', host: '' }

/** Undefined where it is not one. The empty text is: clients send `Host:` for targets without authority (RFC 9112 §3.2). */
export function parseAuthority(text: string): Authority | undefined {
  if (text === '') return EMPTY
  const authority = text.toLowerCase()
  const match = AUTHORITY.exec(authority)
  if (match === null) return undefined
  const host = match[1]!.replace(/(?<=.)\.$/, '')
  const port = match[2]
  if (host.startsWith('[') && !isIpv6(host.slice(1, -1))) return undefined
  if (port === undefined || port === '') return { authority: match[1]!, host }
  return Number(port) < 65_536 ? { authority, host } : undefined
}

/** RFC 4291 §2.2: eight groups, or fewer with one `::`; the last two may be an IPv4 address. */
function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  let groups = 0
  for (const [index, half] of halves.entries()) {
    if (half === '') {
      if (halves.length === 1) return false
      continue
    }
    const parts = half.split(':')
    for (const [at, part] of parts.entries()) {
      const last = index === halves.length - 1 && at === parts.length - 1
      if (/^[0-9a-f]{1,4}$/.test(part)) groups += 1
      else if (last && isIpv4(part)) groups += 2
      else return false
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
}
