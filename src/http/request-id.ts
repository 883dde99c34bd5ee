/** The name of one request, for logs of all who handle it: 32 hexadecimal digits, or what a trusted proxy calls it. */
import { randomFillSync } from 'node:crypto'
import { headerValue } from '../wire/http1/message.ts'
import type { LoggedRequest } from './access-log/logged-request.ts'

/** Who is told the id of a request. */
export interface RequestIdUse {
  readonly origin: boolean
  readonly client: boolean
}

/** Asking the system for each would cost a microsecond. */
const pool = Buffer.allocUnsafeSlow(4096)
let used = pool.length

/** So many random bytes, as text. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}

/** What may stand in a log and in a header without being quoted. */
const WELL_FORMED = /^[\w.:;=+/@~-]{1,128}$/

/** The id that a trusted proxy gave, if it is well-formed; else a new one. Always the same for a request. */
export function requestIdOf(request: Pick<LoggedRequest, 'connection' | 'head' | 'id'>): string {
  if (request.id !== undefined) return request.id
  const { connection, head } = request
  const given = head && connection.peer?.isTrusted ? headerValue(head.headers, 'x-request-id') : undefined
  request.id = given !== undefined && WELL_FORMED.test(given) ? given : randomHex(16)
  return request.id
}
