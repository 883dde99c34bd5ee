/**
 * What a request is counted by. An address stays one, as the limiter looks at its prefixes; all else is a text, with a letter in front that says
 * of what kind it is, so that a header which holds an address is nobody's address.
 *
 * What is not there (the header, the cookie, the network of an address) is counted by the client's address, and so is what is there twice with different
 * values: a request gets around no limit by leaving something out, or by adding to it.
 */
import { formatIp, type IpAddress } from '../../base/ip-address.ts'
import { formatPrefix, prefixOf } from '../../base/ip-prefix.ts'
import { matchPath } from '../../base/path-pattern.ts'
import type { HeaderList } from '../../wire/http1/message.ts'
import type { LimitedRequest } from './request-limit.ts'

export type LimitKey = string | IpAddress
type KeyOf = (exchange: LimitedRequest) => LimitKey

export interface RequestKey {
  readonly of: KeyOf
  /** The other parts of a key with an address, which is counted for each of them by itself. */
  readonly beside: ((exchange: LimitedRequest) => string) | undefined
}

/** The number of the network that an address is in; undefined where it is not known. */
export type NetworkOf = (ip: IpAddress) => number | undefined

/** The longest prefix of each family: what stands for an address within a text. */
export interface AddressLengths {
  readonly v4: number
  readonly v6: number
}

/** Between the parts of a key: no header, path or name holds it. */
const BETWEEN = '\n'

export function requestKey(
  parts: readonly string[],
  lengths: AddressLengths,
  networkOf: NetworkOf,
): RequestKey {
  const [only] = parts
  if (parts.length === 1) return { of: partOf(only!, lengths, networkOf), beside: undefined }
  const textsOf = (names: readonly string[]) => {
    const all = names.map((part) => partOf(part, lengths, networkOf))
    return (exchange: LimitedRequest) => all.map((one) => textOf(one(exchange), lengths)).join(BETWEEN)
  }
  if (!parts.includes('address')) return { of: textsOf(parts), beside: undefined }
  return { of: addressOf, beside: textsOf(parts.filter((part) => part !== 'address')) }
}

/** As a person reads it: without the letters that say of what kind its parts are. */
export function shownKey(key: LimitKey): string {
  if (typeof key !== 'string') return formatIp(key)
  const parts = key.split(BETWEEN).map((part) => part.slice(1))
  return parts.join(' ') || '(all)'
}

function textOf(key: LimitKey, { v4, v6 }: AddressLengths): string {
  if (typeof key === 'string') return key
  return `a${formatPrefix(prefixOf(key, key.family === 4 ? v4 : v6))}`
}

function partOf(part: string, lengths: AddressLengths, networkOf: NetworkOf): KeyOf {
  const at = part.indexOf(':')
  const name = at < 0 ? '' : part.slice(at + 1)
  switch (at < 0 ? part : part.slice(0, at)) {
    case 'address':
      return addressOf
    case 'pair':
      return (exchange) => pairText(exchange, lengths)
    case 'path':
      return ({ head }) => `p${matchPath(head.path)}`
    case 'host':
      return ({ head }) => `h${head.host}`
    case 'asn':
      return (exchange) => networkText(exchange, networkOf)
    case 'header':
      return headerOf(name.toLowerCase())
    case 'cookie':
      return cookieOf(name)
    default:
      return () => ''
  }
}

/** Of a client whose address is none that can be read, what stands for it. */
const addressOf: KeyOf = ({ client }) => client.ip ?? `a${client.address}`

function pairText(exchange: LimitedRequest, lengths: AddressLengths): string {
  const { peer } = exchange.connection
  return `${textOf(addressOf(exchange), lengths)}${BETWEEN}t${peer?.localAddress ?? ''}`
}

function networkText(exchange: LimitedRequest, networkOf: NetworkOf): LimitKey {
  const { ip } = exchange.client
  const network = ip && networkOf(ip)
  return network === undefined ? addressOf(exchange) : `n${network}`
}

const headerOf =
  (name: string): KeyOf =>
  (exchange) => {
    const value = onlyOf(linesOf(exchange.head.headers, name))
    return value === undefined ? addressOf(exchange) : `v${value}`
  }

const cookieOf =
  (name: string): KeyOf =>
  (exchange) => {
    const value = onlyOf(cookieValues(linesOf(exchange.head.headers, 'cookie'), name))
    return value === undefined ? addressOf(exchange) : `c${value}`
  }

/** Of values that differ nobody knows which one the origin takes: whoever sends two would choose by the other what he is counted by. */
function onlyOf(values: readonly string[]): string | undefined {
  const [first] = values
  return values.every((value) => value === first) ? first : undefined
}

function linesOf(headers: HeaderList, name: string): string[] {
  const lines: string[] = []
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) lines.push(headers[i + 1]!)
  return lines
}

/** RFC 6265 §4.2.1: `a=1; b=2`; of HTTP/2 also in several lines (RFC 9113 §8.2.3). */
function cookieValues(lines: readonly string[], name: string): string[] {
  const values: string[] = []
  for (const line of lines)
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=')
      if (equals > 0 && pair.slice(0, equals).trim() === name)
        values.push(cookieMeaning(pair.slice(equals + 1)))
    }
  return values
}

/** What many origins take it for: `"s1"` and `%731` are `s1` to them. */
function cookieMeaning(text: string): string {
  const value = text.trim().replace(/^"(.*)"$/, '$1')
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
