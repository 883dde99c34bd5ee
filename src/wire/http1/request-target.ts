/** The four forms of a request target (RFC 9112 §3.2), brought to one: path and query. */
import { parseAuthority, type Authority } from './authority.ts'
import type { WireProblem } from './message.ts'
import { problem } from './problems.ts'

export interface Target {
  readonly kind: 'target'
  /** In origin form, or `*`. */
  readonly target: string
  /** Of a target in absolute form: it stands in for `Host`. */
  readonly authority: Authority | undefined
}

const BAD_FORM = problem(400, 'request target that is neither a path nor an absolute URL')
const BAD_AUTHORITY = problem(400, 'request target with a malformed authority')
const USERINFO = problem(400, 'request target with user information')
const LONE_ASTERISK = problem(400, 'request target * with a method other than OPTIONS')
/** RFC 9110 §9.3.6: an edge is not a tunnel, whatever the destination, so the method as such is not implemented. */
const NO_CONNECT = problem(501, 'CONNECT is not supported')

/** Takes a target whose characters were checked. Targets that begin with `/` need no parsing and do not come here. */
export function parseTarget(method: string, target: string): Target | WireProblem {
  if (method === 'CONNECT') {
    return /:\d+$/.test(target) && parseAuthority(target)?.host ? NO_CONNECT : BAD_AUTHORITY
  }
  if (target === '*') {
    return method === 'OPTIONS' ? { kind: 'target', target, authority: undefined } : LONE_ASTERISK
  }
  const match = /^https?:\/\/([^/?]*)(.*)$/i.exec(target)
  if (match === null) return BAD_FORM
  const [, text = '', rest = ''] = match
  if (text.includes('@')) return USERINFO
  const authority = parseAuthority(text)
  // RFC 9110 §4.2.1: an http URL with an empty host is invalid.
  if (authority === undefined || authority.host === '') return BAD_AUTHORITY
  // RFC 9112 §3.2.4: `OPTIONS http://host` asks about the server as a whole.
  if (rest === '' && method === 'OPTIONS') return { kind: 'target', target: '*', authority }
  return { kind: 'target', target: rest.startsWith('/') ? rest : `/${rest}`, authority }
}
