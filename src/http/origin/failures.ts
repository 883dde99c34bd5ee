/** What went wrong with an origin, in words: which endpoint, and at what point. */
import { EdgeError } from '../../base/errors.ts'
import type { ReaderState } from './response-reader.ts'

/** How far a new connection had come. */
export type ConnectStage = 'tcp' | 'tls'

export function connectFailure(endpoint: string, stage: ConnectStage, error: Error | undefined): EdgeError {
  const code = errorCode(error)
  const cause = { cause: error }
  if (stage === 'tls') {
    return new EdgeError('origin-tls', `${endpoint}: TLS handshake failed: ${tlsReason(error)}`, cause)
  }
  if (code === 'ECONNREFUSED')
    return new EdgeError('origin-refused', `${endpoint} refused the connection`, cause)
  if (code === 'ETIMEDOUT')
    return new EdgeError('origin-timeout-connect', `${endpoint} did not accept the connection`, cause)
  return new EdgeError('origin-unreachable', `${endpoint} cannot be reached: ${code}`, cause)
}

/** Without what OpenSSL says of its own source, and without Node's advice on how it were to be started. */
function tlsReason(error: (Error & { readonly reason?: unknown }) | undefined): string {
  if (error === undefined) return 'the connection was closed'
  if (typeof error.reason === 'string' && error.reason !== '') return error.reason
  return error.message.replace(/; if the root CA is installed locally.*$/s, '') || errorCode(error)
}

/** The connection ended, in order or by `error`, before the answer did. */
export function earlyEnd(
  endpoint: string,
  state: ReaderState,
  isUntouched: boolean,
  bytesLeft: number,
  error: Error | undefined,
): EdgeError {
  const how = error === undefined ? 'was closed' : `broke (${errorCode(error)})`
  const when =
    state === 'head'
      ? isUntouched
        ? 'before it answered'
        : 'in the middle of the head of its answer'
      : state === 'length'
        ? `${bytesLeft} bytes before the end of its answer`
        : 'in the middle of its answer'
  return new EdgeError('origin-closed', `the connection to ${endpoint} ${how} ${when}`, {
    cause: error,
  })
}

/** A system error's code, else its message. */
function errorCode(error: Error | undefined): string {
  if (error === undefined) return 'the connection was closed'
  // Node tries several addresses of one name; the first failure speaks for all.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return errorCode(error.errors[0])
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
