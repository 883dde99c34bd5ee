/** The name of one request, for logs of all who handle it: 32 hexadecimal digits, or what a trusted proxy calls it. */
import { randomFillSync } from 'node:crypto'
import { headerValue } from '../wire/http1/message.ts'
import type { Exchange } from './exchange.ts'

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
export function requestIdOf(exchange: Exchange): string {
  if (exchange.id !== undefined) return exchange.id
  const isTrusted = exchange.connection.peer?.isTrusted === true
  const given = isTrusted ? headerValue(exchange.head.headers, 'x-request-id') : undefined
  exchange.id = given !== undefined && WELL_FORMED.test(given) ? given : randomHex(16)
  return exchange.id
}
