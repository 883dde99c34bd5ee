/**
 * What units changed, as lines of text (see `sandbox/protocol.ts`), read and checked.
 *
 * The lines come from untrusted code through an untrusted process. What the guest's runtime would never send (a name
 * that is no token, a line break in a value, a framing header) makes the whole set invalid, and its unit fail.
 */
import { isFieldValue, isToken } from '../wire/http1/characters.ts'
import type { HeaderList } from '../wire/http1/message.ts'
import { isOwnKey } from './caching/keys/site-key.ts'

export interface RequestEdits {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly query: string | undefined
  readonly headers: readonly HeaderEdit[]
  /** In `origin`: the endpoint to ask. */
  readonly endpoint: string | undefined
}

export interface HeaderEdit {
  readonly kind: 'set' | 'append' | 'delete'
  /** In lower case. */
  readonly name: string
  /** The name as it goes out: on a response as the unit wrote it, since there are clients that look for that. */
  readonly spelling: string
  readonly value: string
}

export interface Edits {
  readonly request: RequestEdits | undefined
  /** On the response. */
  readonly status: number | undefined
  /** In `originResponse`: for how many seconds the response is fresh. */
  readonly ttlSeconds: number | undefined
  /** In `rewrite` and `access`: what the answer is kept under, behind scheme and host. */
  readonly cacheKey: string | undefined
  readonly headers: readonly HeaderEdit[]
  /** The header lines to add where all that is asked is to append: the common case, without touching what is there. */
  readonly appended: string | undefined
}

/** Headers that say how the message is framed or routed: ours alone. */
const RESERVED: ReadonlySet<string> = new Set([
  // RFC 8586 §2: whoever could take it out could hide a loop.
  'cdn-loop',
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const NO_HEADERS: readonly HeaderEdit[] = []
export const NO_EDITS: Edits = {
  request: undefined,
  status: undefined,
  ttlSeconds: undefined,
  cacheKey: undefined,
  headers: NO_HEADERS,
  appended: '',
}

let lastText = ''
let lastEdits: Edits | undefined = NO_EDITS

/** The edits, or undefined where the text is not what a guest may say. Units repeat themselves: the last text is kept. */
export function parseEdits(text: string): Edits | undefined {
  if (text === '') return NO_EDITS
  if (text !== lastText) {
    lastEdits = parseLines(text, undefined)
    lastText = text
  }
  return lastEdits
}

/** Those of the phases around the origin, where more may be said than elsewhere. */
export function parseOriginEdits(text: string, phase: 'origin' | 'originResponse'): Edits | undefined {
  return text === '' ? NO_EDITS : parseLines(text, phase)
}

function parseLines(text: string, phase: 'origin' | 'originResponse' | undefined): Edits | undefined {
  let method: string | undefined
  let path: string | undefined
  let query: string | undefined
  let status: number | undefined
  let endpoint: string | undefined
  let ttlSeconds: number | undefined
  let cacheKey: string | undefined
  const onRequest: HeaderEdit[] = []
  const onResponse: HeaderEdit[] = []
  if (!text.endsWith('\n')) return undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const rest = line.slice(2)
    if (line.charCodeAt(1) !== 32 && line !== 'q') return undefined
    switch (line[0]) {
      case 'm':
        if (!isToken(rest) || rest === 'CONNECT') return undefined
        method = rest
        break
      case 'p':
        // RFC 3986 §3.3, as received: anything visible but what would end the path or the request line.
        if (!/^\/[!-"$->@-~\x80-\xff]*$/.test(rest)) return undefined
        path = rest
        break
      case 'q':
        if (!/^[!-"$-~\x80-\xff]*$/.test(rest)) return undefined
        query = rest
        break
      case 'S': {
        status = Number(rest)
        if (!Number.isInteger(status) || status < 200 || status > 599) return undefined
        break
      }
      case 'e':
        if (phase !== 'origin') return undefined
        endpoint = rest
        break
      case 'T':
        ttlSeconds = Number(rest)
        if (phase !== 'originResponse' || !/^\d+(?:\.\d+)?$/.test(rest) || ttlSeconds > 2 ** 31)
          return undefined
        break
      case 'k':
        if (phase !== undefined || !isOwnKey(rest)) return undefined
        cacheKey = rest
        break
      case 'h':
      case 'a':
      case 'd':
      case 'H':
      case 'A':
      case 'D': {
        const edit = parseHeaderEdit(line[0], rest, phase === 'origin')
        if (edit === undefined) return undefined
        ;(line[0] >= 'a' ? onRequest : onResponse).push(edit)
        break
      }
      default:
        return undefined
    }
  }
  const touchesRequest =
    method !== undefined ||
    path !== undefined ||
    query !== undefined ||
    endpoint !== undefined ||
    onRequest.length > 0
  const appendsOnly =
    status === undefined && ttlSeconds === undefined && onResponse.every((edit) => edit.kind === 'append')
  return {
    request: touchesRequest ? { method, path, query, headers: onRequest, endpoint } : undefined,
    status,
    ttlSeconds,
    cacheKey,
    headers: onResponse,
    appended: appendsOnly
      ? onResponse.map((edit) => `${edit.spelling}: ${edit.value}\r\n`).join('')
      : undefined,
  }
}

/** `mayNameHost`: the origin may be told another host than the client asked for. */
function parseHeaderEdit(operation: string, text: string, mayNameHost: boolean): HeaderEdit | undefined {
  const kind =
    operation === 'h' || operation === 'H'
      ? 'set'
      : operation === 'a' || operation === 'A'
        ? 'append'
        : 'delete'
  const colon = kind === 'delete' ? text.length : text.indexOf(': ')
  if (colon < 0) return undefined
  const written = text.slice(0, colon)
  const name = written.toLowerCase()
  const value = text.slice(colon + 2)
  if (!isToken(name) || !isFieldValue(value)) return undefined
  if (mayNameHost && name === 'host' && operation !== 'A' && operation !== 'H' && operation !== 'D') {
    const isHost = kind === 'delete' || (kind === 'set' && /^[!#$%&'*+\-.^_`|~\w:[\]]+$/.test(value))
    return isHost ? { kind, name, spelling: name, value } : undefined
  }
  if (RESERVED.has(name)) return undefined
  // Cache and origin look for the headers of a request by their names in lower case.
  const spelling = operation >= 'a' ? name : written
  return { kind, name, spelling, value }
}

/** The header list, in any case, with the edits applied; the same list where there are none. */
export function editHeaders(headers: HeaderList, edits: readonly HeaderEdit[]): HeaderList {
  if (edits.length === 0) return headers
  let list = [...headers]
  for (const { kind, name, spelling, value } of edits) {
    if (kind !== 'append') list = withoutHeader(list, name)
    if (kind !== 'delete') list.push(spelling, value)
  }
  return list
}

function withoutHeader(list: readonly string[], name: string): string[] {
  const kept: string[] = []
  for (let i = 0; i < list.length; i += 2)
    if (list[i]!.toLowerCase() !== name) kept.push(list[i]!, list[i + 1]!)
  return kept
}

/** Checks and cleans the `Name: value\r\n` lines of a unit's response, spelled as they are; undefined where they are not valid. */
export function parseFields(text: string): HeaderList | undefined {
  const list: string[] = []
  let at = 0
  while (at < text.length) {
    const end = text.indexOf('\r\n', at)
    const colon = text.indexOf(': ', at)
    if (end < 0 || colon < 0 || colon > end) return undefined
    const spelling = text.slice(at, colon)
    const name = spelling.toLowerCase()
    const value = text.slice(colon + 2, end)
    if (!isToken(name) || !isFieldValue(value)) return undefined
    // A unit that builds a Response from another one carries its framing and its date along: ours are what counts.
    if (!RESERVED.has(name) && name !== 'date') list.push(spelling, value)
    at = end + 2
  }
  return list
}
