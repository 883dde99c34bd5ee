/**
 * Who may call what: the token of a request becomes an identity, and its role is held against the route's. What was changed, and what was
 * refused, goes into the audit log.
 */
import type { ErrorCode } from '../base/error-codes.ts'
import { EdgeError } from '../base/errors.ts'
import type { AuditLog } from '../store/audit.ts'
import type { Route } from './routes.ts'
import type { Throttle } from './throttle.ts'
import type { TokenRate } from './token-rate.ts'
import { hasRole, type Identity, type TokenBook } from './tokens.ts'

export interface Access {
  readonly tokens: TokenBook
  readonly throttle: Throttle
  readonly rate: TokenRate
  readonly audit: AuditLog
  /** The last position of the store. */
  position(): number
  /** Somebody has shown a valid token, from there. */
  onValid?(address: string): void
}

export interface Caller {
  /** The value of `Authorization`. */
  readonly header: string | null
  /** Of the connection; empty in tests without a socket. */
  readonly address: string
}

/** Who calls a route that is open, or that this machine may call without a token. */
const NOBODY: Identity = { id: '', name: '', role: 'read', sites: undefined }

/** Somebody has to wait: who sends wrong tokens, or too many requests. */
export class Throttled extends EdgeError {
  readonly retryAfterSeconds: number

  constructor(code: ErrorCode, message: string, waitMs: number) {
    super(code, message)
    this.retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
  }
}

/** The identity behind a call, or an error that says what is missing. */
export function admit(access: Access, route: Route, { header, address }: Caller): Identity {
  if (route.access === 'open') return NOBODY
  if (route.access === 'local' && header === null && isLoopback(address)) return NOBODY
  const given = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1]
  const needed = route.access === 'local' ? 'read' : route.access
  if (given === undefined) {
    throw new EdgeError('unauthorized', 'no token was given', {
      hint: `send \`Authorization: Bearer TOKEN\`, of a token with the role ${needed}`,
    })
  }
  const waitMs = access.throttle.waitMs(address, given)
  if (waitMs > 0) {
    const message = 'wrong tokens came from this address: none is looked at for a while'
    throw new Throttled('too-many-attempts', message, waitMs)
  }
  const who = access.tokens.identify(given)
  if (typeof who === 'string') {
    // Who brings one that was right before guesses nothing: a script with an old token must not lock out the operator beside it.
    if (who === 'unknown') access.throttle.wrong(address)
    const words = {
      unknown: 'the token is not the right one',
      expired: 'the token has expired',
      revoked: 'the token was revoked',
      replaced: 'another token is configured now, and this one is not valid any more',
    }
    const error = new EdgeError('unauthorized', words[who])
    const leftOut = access.throttle.takeNote()
    if (leftOut !== undefined) {
      const more = leftOut === 0 ? '' : `${leftOut} more wrong tokens before were not written down`
      note(access, route, { ...NOBODY, id: who }, address, more, error)
    }
    throw error
  }
  access.throttle.right(address, given)
  access.onValid?.(address)
  // Not written down: it would fill the audit log with what did not happen.
  // Edges may share a token, and all of them say at once that they run what was published.
  const overMs = route.access === 'edge' ? 0 : access.rate.take(who.id)
  if (overMs > 0)
    throw new Throttled('too-many-requests', `the token ${who.name} sends more requests than it may`, overMs)
  const refusal = refusalOf(route, who, needed)
  if (refusal === undefined) return who
  note(access, route, who, address, '', refusal)
  throw refusal
}

function refusalOf(route: Route, who: Identity, needed: Identity['role']): EdgeError | undefined {
  if (!hasRole(who.role, needed)) {
    return new EdgeError(
      'forbidden',
      `this needs the role ${needed}, and the token ${who.name} has the role ${who.role}`,
    )
  }
  if (!who.sites || route.limited === 'may') return undefined
  return new EdgeError(
    'forbidden',
    `this is about the whole node, and the token ${who.name} is limited to ${who.sites.join(', ')}`,
    {
      hint: `use a token with the role ${needed} that is not limited to sites`,
    },
  )
}

/** Writes down what was changed, or refused. */
export function note(
  { audit, position }: Access,
  { method, path }: Route,
  { id, name }: Identity,
  address: string,
  subject: string,
  error?: EdgeError,
): void {
  audit.append({
    who: id,
    name,
    address,
    action: `${method} ${path}`,
    subject: subject.slice(0, 300),
    result: error?.code ?? 'ok',
    position: position(),
  })
}

const isLoopback = (address: string) => /^(?:127\.|::1$|::ffff:127\.)/.test(address)
