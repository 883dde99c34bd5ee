/** Messages to text, and which fields may pass on. Text is Latin-1: write it with that encoding. */
import type { HeaderList } from './message.ts'

/** RFC 9110 §15 and the IANA registry. */
const STATUS_TEXTS: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  207: 'Multi-Status',
  208: 'Already Reported',
  226: 'IM Used',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  305: 'Use Proxy',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  418: "I'm a teapot",
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  511: 'Network Authentication Required',
}

/** The reason phrase of a status; empty where none is registered. */
export function statusText(status: number): string {
  return STATUS_TEXTS[status] ?? ''
}

/** `name: value CRLF` for each field. The names and values were checked by whoever made the list. */
export function serialiseHeaders(headers: HeaderList): string {
  let text = ''
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`
  return text
}

export function serialiseRequestLine(method: string, target: string, minor: 0 | 1 = 1): string {
  return `${method} ${target} HTTP/1.${minor}\r\n`
}

export function serialiseStatusLine(status: number, reason = statusText(status)): string {
  return `HTTP/1.1 ${status} ${reason}\r\n`
}

/** A whole head, the empty line included. */
export function serialiseRequestHead(method: string, target: string, headers: HeaderList): string {
  return `${serialiseRequestLine(method, target)}${serialiseHeaders(headers)}\r\n`
}

/** A whole head, the empty line included. */
export function serialiseResponseHead(status: number, headers: HeaderList, reason?: string): string {
  return `${serialiseStatusLine(status, reason)}${serialiseHeaders(headers)}\r\n`
}

/** The line before a chunk of that many bytes; CRLF follows the chunk. */
export function serialiseChunkSize(bytes: number): string {
  return `${bytes.toString(16)}\r\n`
}

/** What ends a chunked body. */
export function serialiseLastChunk(trailers: HeaderList = []): string {
  return trailers.length === 0 ? '0\r\n\r\n' : `0\r\n${serialiseHeaders(trailers)}\r\n`
}

/**
 * Fields that speak to the next hop alone (RFC 9110 §7.6.1), and those of proxy authentication (§11.7), whose credentials are not for
 * the origin. `Trailer` stays: trailers are passed on. `Content-Length` stays: it describes HEAD answers too.
 */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
])

/** Is the (lower-case) name that of a field that never passes on? */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name)
}

/** A new list with what may pass on: neither hop-by-hop nor nominated by `Connection`. */
export function endToEndHeaders(headers: HeaderList, nominated: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (HOP_BY_HOP.has(name)) continue
    if (nominated.length > 0 && nominated.includes(name)) continue
    kept.push(name, headers[i + 1]!)
  }
  return kept
}
