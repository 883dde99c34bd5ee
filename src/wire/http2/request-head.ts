/**
 * The fields of an HTTP/2 request to the same value that HTTP/1.1 makes of its head (RFC 9113 §8.3), as strictly: behind the edge they
 * are one, and what could be read two ways there is refused here.
 */
import { parseAuthority } from '../http1/authority.ts'
import { isFieldValue, isToken } from '../http1/characters.ts'
import { CONTENT_LENGTH, EXPECT, FORWARDING, fieldName, HOST, IMPOSTOR } from '../http1/field-names.ts'
import type { Framing, HeaderList, RequestHead, WireProblem } from '../http1/message.ts'
import { problem } from '../http1/problems.ts'
import { serialiseHeaders } from '../http1/serialise.ts'
import { CONNECTION_FIELDS } from './hpack-encoder.ts'

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Z-]{1,32}$/
/** As HTTP/1.1 targets: visible ASCII less `"`, `#`, `<`, `>`; a backslash in the query alone. */
const PATH = /^\/[!$-;=@-[\]-~]*(?:\?[!$-;=?-~]*)?$/

export interface Http2HeadLimits {
  readonly targetBytes: number
}

/** `isEnded`: no body follows. */
export function parseHttp2Head(
  fields: HeaderList,
  isEnded: boolean,
  limits: Http2HeadLimits,
): RequestHead | WireProblem {
  let method: string | undefined
  let scheme: string | undefined
  let path: string | undefined
  let authority: string | undefined
  let host: string | undefined
  let length: string | undefined
  let expect: string | undefined
  let cookie: string | undefined
  let hasForwarding = false
  let hasField = false
  const headers: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    const value = fields[i + 1]!
    if (name.charCodeAt(0) === 58) {
      if (hasField) return problem(400, 'pseudo-header after a field')
      if (!isFieldValue(value)) return problem(400, 'character that is not allowed in a pseudo-header')
      if (name === ':method' && method === undefined) method = value
      else if (name === ':scheme' && scheme === undefined) scheme = value
      else if (name === ':path' && path === undefined) path = value
      else if (name === ':authority' && authority === undefined) authority = value
      else return problem(400, 'pseudo-header that is unknown or comes twice')
      continue
    }
    hasField = true
    if (!isToken(name)) return problem(400, 'field name with a character that is not allowed')
    if (/[A-Z]/.test(name)) return problem(400, 'field name in upper case')
    if (!isFieldValue(value)) return problem(400, 'character that is not allowed in a field value')
    if (CONNECTION_FIELDS.has(name)) return problem(400, `${name} in HTTP/2`)
    if (name === 'te') {
      if (value.toLowerCase() !== 'trailers') return problem(400, 'te other than trailers in HTTP/2')
      continue
    }
    // §8.2.3: cookies come in pieces, and are one field everywhere else.
    if (name === 'cookie') {
      cookie = cookie === undefined ? value : `${cookie}; ${value}`
      continue
    }
    switch (fieldName(name).role) {
      case HOST:
        if (host !== undefined) return problem(400, 'two Host')
        host = value
        continue
      case CONTENT_LENGTH:
        if (length !== undefined) return problem(400, 'several Content-Length')
        length = value
        break
      case EXPECT:
        if (!/^100-continue$/i.test(value)) return problem(417, 'Expect other than 100-continue')
        expect = value
        break
      case IMPOSTOR:
        return problem(400, `${name}, which some servers take for a framing field`)
      case FORWARDING:
        hasForwarding = true
    }
    headers.push(name, value)
  }
  if (method === undefined || !METHOD.test(method)) return problem(400, 'no method, or one that is none')
  if (method === 'CONNECT') return problem(501, 'CONNECT is not supported')
  if (scheme !== 'http' && scheme !== 'https')
    return problem(400, 'no scheme, or one that is neither http nor https')
  if (path === undefined || path === '') return problem(400, 'no path')
  if (path.length > limits.targetBytes) return problem(414, 'request target too long')
  if (path === '*' ? method !== 'OPTIONS' : !PATH.test(path)) return problem(400, 'malformed path')

  // §8.3.1: `:authority` stands for Host; two that differ are two readings.
  const named = parseAuthority(authority ?? host ?? '')
  if (named === undefined || named.host === '') return problem(400, 'no authority, or a malformed one')
  if (authority !== undefined && host !== undefined && parseAuthority(host)?.authority !== named.authority)
    return problem(400, 'Host that is not the authority')

  const framing = framingOf(length, isEnded)
  if (framing.kind === 'problem') return framing
  headers.unshift('host', named.authority)
  if (cookie !== undefined) headers.push('cookie', cookie)
  const mark = path.indexOf('?')
  return {
    method,
    target: path,
    path: mark === -1 ? path : path.slice(0, mark),
    query: mark === -1 ? '' : path.slice(mark + 1),
    authority: named.authority,
    host: named.host,
    minor: 1,
    protocol: 'HTTP/2.0',
    headers,
    raw: `${method} ${path} HTTP/1.1\r\n${serialiseHeaders(headers)}`,
    framing,
    keepAlive: true,
    expectContinue: expect !== undefined && framing.kind !== 'none',
    nominated: [],
    hasForwarding,
    upgrade: undefined,
  }
}

/** A body without a length is passed on in chunks. */
function framingOf(length: string | undefined, isEnded: boolean): Framing | WireProblem {
  if (length === undefined) return isEnded ? { kind: 'none' } : { kind: 'chunked' }
  if (!/^\d{1,15}$/.test(length)) return problem(400, 'Content-Length that is not a number')
  const bytes = Number(length)
  if (isEnded && bytes > 0) return problem(400, 'Content-Length of a body that does not come')
  return { kind: 'length', bytes }
}

/** Trailers as they may pass on; undefined where they are malformed. */
export function parseHttp2Trailers(fields: HeaderList): HeaderList | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    if (!isToken(name) || /[A-Z]/.test(name) || !isFieldValue(fields[i + 1]!)) return undefined
    const { role } = fieldName(name)
    if (CONNECTION_FIELDS.has(name) || role === HOST || role === CONTENT_LENGTH || role === IMPOSTOR)
      return undefined
  }
  return fields
}
