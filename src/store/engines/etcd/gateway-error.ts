/** What a member of etcd did not do, and what follows from it: ask another one, log in again, or tell the person. */
import { EdgeError } from '../../../base/errors.ts'
import type { HttpAnswer } from './http-call.ts'

export type Failure =
  /** Another member, or this one a little later, may answer. */
  | { readonly kind: 'unavailable'; readonly detail: string; readonly cause?: unknown }
  /** The token has expired, or was given before users were changed. */
  | { readonly kind: 'token'; readonly detail: string }
  /** Entries of etcd's own history are gone: whoever reads at a revision has to start again. */
  | { readonly kind: 'compacted'; readonly detail: string }
  /** It would be the same everywhere and later. */
  | { readonly kind: 'refused'; readonly detail: string; readonly hint?: string; readonly cause?: unknown }

/** What a member answered with something else than 200, or with 200 and an error inside. Codes are those of gRPC. */
export function failureOf({ status, text }: HttpAnswer): Failure {
  const said = errorIn(text)
  if (said === undefined) {
    const refusal = REFUSALS.find(([pattern]) => pattern.test(`${status} ${text}`))
    if (refusal !== undefined) return { kind: 'refused', detail: refusal[1], hint: refusal[2] }
    return { kind: 'unavailable', detail: `it does not answer as etcd does: ${status} ${excerptOf(text)}` }
  }
  const detail = said.message.replace(/^etcdserver: /, '')
  if (/invalid auth token|revision of auth store is old/.test(detail)) return { kind: 'token', detail }
  if (/has been compacted/.test(detail)) return { kind: 'compacted', detail }
  const hint = HINTS.find(([pattern]) => pattern.test(detail))?.[1]
  if (hint !== undefined) return { kind: 'refused', detail, hint }
  return UNAVAILABLE_CODES.has(said.code) ? { kind: 'unavailable', detail } : { kind: 'refused', detail }
}

/** What the HTTP server in front of the gateway says in plain text. */
const REFUSALS: readonly (readonly [said: RegExp, detail: string, hint: string])[] = [
  [/^404 /, 'it has no gateway at /v3', 'etcd has to be 3.4 or later, and its `--enable-grpc-gateway` on'],
  [
    /^400 CommonName of client/,
    'its gateway takes no client certificate with a common name while etcd has users',
    'show a certificate without a CN in `store.tls`; `store.username` says who asks',
  ],
  [
    /Host header was unrecognized/,
    'it does not know the host in `store.url` for its own',
    'use HTTPS, or name the host in its `--host-whitelist`',
  ],
]

/** Canceled, unknown, deadline exceeded, resource exhausted ("too many requests"), aborted, internal, unavailable ("no leader", "request timed out"). */
const UNAVAILABLE_CODES = new Set([1, 2, 4, 8, 10, 13, 14])

const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /database space exceeded/,
    'compact and defragment etcd or raise its `--quota-backend-bytes`, then `etcdctl alarm disarm`',
  ],
  [/authentication failed/, 'check `store.username` and `store.password`'],
  [/user name is empty/, 'etcd asks for a user: set `store.username` and `store.password`'],
  [/permission denied/, 'grant the user of `store.username` readwrite on all keys with the prefix'],
  [/request is too large/, "raise etcd's `--max-request-bytes` to its default of 1.5 MiB"],
  [/too many operations/, "raise etcd's `--max-txn-ops` to its default of 128"],
]

/** What the system or the TLS layer says where there was no answer. */
export function failureFrom(error: unknown): Failure {
  const { code, message } = error as NodeJS.ErrnoException
  const detail = message || String(code ?? error)
  // Whoever shows a certificate that is not trusted shows it again; and one that wants ours says so with an alert.
  if (code !== undefined && (CERTIFICATE_CODES.test(code) || /alert|^ERR_SSL_/.test(code))) {
    return {
      kind: 'refused',
      detail: `TLS: ${detail}`,
      hint: 'check `store.tls`, and that the certificate of etcd has the name in `store.url`',
      cause: error,
    }
  }
  if (code?.startsWith('HPE_')) {
    return { kind: 'unavailable', detail: `it does not answer as etcd does: ${detail}`, cause: error }
  }
  return { kind: 'unavailable', detail, cause: error }
}

const CERTIFICATE_CODES = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|ERR_TLS_/

export function errorFor(failure: Failure, address: string): EdgeError {
  const detail = `etcd at ${address}: ${failure.detail}`
  const cause = 'cause' in failure && failure.cause !== undefined ? { cause: failure.cause } : {}
  if (failure.kind !== 'refused') return new EdgeError('store-unavailable', detail, cause)
  return new EdgeError('store-refused', detail, {
    ...cause,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
  })
}

/** `{error, message, code}` up to 3.5, `{message, code, details}` later; `{error: {message, grpc_code}}` in streams. */
function errorIn(text: string): { readonly message: string; readonly code: number } | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { error, message, code } = value as Record<string, unknown>
  if (typeof error === 'object' && error !== null) {
    const { message, grpc_code, code } = error as Record<string, unknown>
    return typeof message === 'string' ? { message, code: Number(grpc_code ?? code) } : undefined
  }
  const said = typeof message === 'string' ? message : error
  return typeof said === 'string' ? { message: said, code: Number(code) } : undefined
}

const EXCERPT = 60
const excerptOf = (text: string): string => JSON.stringify(text.slice(0, EXCERPT))
