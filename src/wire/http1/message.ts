/**
 * HTTP/1.1 messages as values: what the parsers make and the serialisers take.
 *
 * Headers are a flat list, name and value in turn, names in lower case, in the order received: most requests have ten of
 * them, and a scan over a flat array beats building a map. Text is Latin-1, a character a byte, as RFC 9110 §5.5 asks.
 */

/** `[name, value, name, value, …]`, names in lower case. */
export type HeaderList = readonly string[]

/** How the end of a body is found. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** Responses alone: the body ends when the connection does. */
  | { readonly kind: 'close' }

export interface RequestHead {
  readonly method: string
  /** The target in origin form: path and query as received. `*` for `OPTIONS *`. */
  readonly target: string
  /** The part of `target` before the first `?`. */
  readonly path: string
  /** The part after it, without the `?`; empty where there is none. */
  readonly query: string
  /** Host and port in lower case, from the target in absolute form, else from `Host`. Empty where HTTP/1.0 sent none. */
  readonly authority: string
  /** `authority` without its port. */
  readonly host: string
  readonly minor: 0 | 1
  /** What it came by, where that is not HTTP/1: for logs. Behind the edge all requests are one. */
  readonly protocol?: 'HTTP/2.0'
  readonly headers: HeaderList
  /**
   * The head as received, from the method to before the empty line, every line with its CRLF, for units. Where the
   * target came in absolute form it stands in origin form here, with `Host` to match: units see one form.
   */
  readonly raw: string
  readonly framing: Framing
  /** False: the connection closes after the answer. */
  readonly keepAlive: boolean
  readonly expectContinue: boolean
  /** Lower-case names that `Connection` nominates, to be removed with the hop-by-hop ones. Mostly empty. */
  readonly nominated: readonly string[]
  /** A field says where the request came from or over whom: `forwarded`, `x-forwarded-…`, `x-real-ip`, `cdn-loop`. */
  readonly hasForwarding: boolean
  /** The protocols that the client would rather speak on this connection; undefined where it asks for none. */
  readonly upgrade: string | undefined
}

export interface ResponseHead {
  readonly status: number
  readonly reason: string
  readonly minor: 0 | 1
  readonly headers: HeaderList
  readonly framing: Framing
  readonly keepAlive: boolean
  readonly nominated: readonly string[]
}

/** Why a message was refused. `status` is what a client gets; from an origin it becomes 502. */
export interface WireProblem {
  readonly kind: 'problem'
  readonly status: 400 | 408 | 413 | 414 | 417 | 431 | 501 | 505
  /** What is wrong, in words an author of a client understands: `bare LF`, `two Content-Length`. */
  readonly reason: string
}

/** How much of a head is read before it is refused. */
export interface HeadLimits {
  /** From its first byte to the end of the empty line; more is 431. */
  readonly headBytes: number
  /** The target of a request; more is 414. */
  readonly targetBytes: number
  /** Field lines; more is 431. */
  readonly headerCount: number
}

/** Headers of a unit, which spells names as it likes. */
export const inLowerCase = (headers: HeaderList): HeaderList =>
  headers.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text))

/** Without those whose names (in lower case) are refused. */
export function withoutFields(headers: HeaderList, isRefused: (name: string) => boolean): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2)
    if (!isRefused(headers[i]!)) kept.push(headers[i]!, headers[i + 1]!)
  return kept
}

/** The value of the first header of that (lower-case) name. */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}

/** All values of that name in one, joined by `, ` (RFC 9110 §5.3). Undefined where there is none. */
export function headerValues(headers: HeaderList, name: string): string | undefined {
  let joined: string | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === name) joined = joined === undefined ? headers[i + 1] : `${joined}, ${headers[i + 1]}`
  }
  return joined
}
