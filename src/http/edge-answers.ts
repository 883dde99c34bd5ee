/** Answers that the edge gives by itself: errors in words that the client's developer understands. */
import type { ErrorCode } from '../base/error-codes.ts'
import { statusText } from '../wire/http1/serialise.ts'

/** The body of an error: the status in words, and what happened. */
export function edgeErrorText(status: number, detail: string): string {
  return `${status} ${statusText(status)}: ${detail}\n`
}

/** The whole message that refuses what could not be read as a request. The connection closes after it. */
export function refusalMessage(status: number, reason: string, withBody: boolean): string {
  const text = edgeErrorText(status, reason)
  return (
    `HTTP/1.1 ${status} ${statusText(status)}\r\ncontent-type: text/plain; charset=utf-8\r\n` +
    `content-length: ${text.length}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n` +
    (withBody ? text : '')
  )
}

/** The error types of RFC 9209 §2.3 for what goes wrong with origins; the client learns what, but no address. */
const PROXY_ERRORS: Partial<Record<ErrorCode, string>> = {
  'origin-refused': 'connection_refused',
  'origin-unreachable': 'destination_unavailable',
  'origin-closed': 'connection_terminated',
  'origin-garbage': 'http_protocol_error',
  'origin-timeout-connect': 'connection_timeout',
  'origin-timeout-response': 'http_response_timeout',
  'origin-tls': 'tls_protocol_error',
  'loop-detected': 'proxy_loop_detected',
  'origin-down': 'destination_unavailable',
  'origin-left-alone': 'destination_unavailable',
  'origin-unresolved': 'dns_error',
  'origin-busy': 'connection_limit_reached',
}

/** `Proxy-Status: orla; error=connection_refused`. */
export function proxyStatusField(code: ErrorCode): string {
  return `proxy-status: orla; error=${PROXY_ERRORS[code] ?? 'proxy_internal_error'}\r\n`
}
