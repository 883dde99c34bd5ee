/**
 * The `Forwarded` field (RFC 7239): what proxies say of the hops before them. Values to text and back; no I/O.
 *
 * A list of elements, one a hop, the nearest last; each has parameters such as `for="[2001:db8::1]:4711";proto=https`.
 */
import { type IpAddress, parseIp } from '../base/ip-address.ts'

/** Parameters of one element, by name in lower case. */
export type ForwardedElement = ReadonlyMap<string, string>

/** An address as hops name it, with the port where they tell one. */
export interface ForwardedNode {
  readonly ip: IpAddress
  /** 0 where it is not known. */
  readonly port: number
}

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** One `name=value`, and what ends it: `;` the next parameter, `,` the next element, or the end of the text. */
const PAIR = /[\t ]*([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~-]+)|"((?:[^"\\]|\\.)*)")[\t ]*([;,]|$)/y
const NOTHING = /[\t ]*([;,]|$)/y

/** The elements in order; undefined where the text is not such a list: nothing of it can be believed then. */
export function parseForwarded(text: string): readonly ForwardedElement[] | undefined {
  const elements: ForwardedElement[] = []
  let element = new Map<string, string>()
  let at = 0
  for (;;) {
    PAIR.lastIndex = at
    const pair = PAIR.exec(text)
    let end: string
    if (pair === null) {
      // §4 and RFC 9110 §5.6.1: empty members of lists mean nothing.
      NOTHING.lastIndex = at
      const nothing = NOTHING.exec(text)
      if (nothing === null) return undefined
      end = nothing[1]!
      at = NOTHING.lastIndex
    } else {
      const name = pair[1]!.toLowerCase()
      // §4: a parameter occurs once an element; of two, one program would believe the first and another the last.
      if (element.has(name)) return undefined
      element.set(name, pair[2] ?? pair[3]!.replace(/\\(.)/g, '$1'))
      end = pair[4]!
      at = PAIR.lastIndex
    }
    if (end !== ';') {
      if (element.size > 0) elements.push(element)
      element = new Map()
    }
    if (end === '') return elements
  }
}

/**
 * `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]`, `[2001:db8::1]:80`, and an IPv6 address without brackets, as it stands in
 * `X-Forwarded-For`. Undefined for what hides an address (`unknown`, `_name`) and for everything else.
 */
export function parseForwardedNode(text: string): ForwardedNode | undefined {
  const bare = parseIp(text)
  if (bare !== undefined) return { ip: bare, port: 0 }
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([\d.]{7,15}))(?::(\d{1,5}))?$/i.exec(text)
  if (match === null) return undefined
  const ip = parseIp(match[1] ?? match[2]!)
  const port = Number(match[3] ?? 0)
  return ip === undefined || port > 65_535 ? undefined : { ip, port }
}

/** `for=192.0.2.1`, or quoted where it is more than a token, as IPv6 addresses and ports are. */
export function forwardedPair(name: string, value: string): string {
  return TOKEN.test(value) ? `${name}=${value}` : `${name}="${value.replace(/["\\]/g, '\\$&')}"`
}

/** An address as `Forwarded` wants it: IPv6 in brackets (§6). */
export const forwardedAddress = (address: string): string =>
  address === '' ? 'unknown' : address.includes(':') ? `[${address}]` : address
