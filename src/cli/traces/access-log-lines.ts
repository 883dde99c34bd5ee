/**
 * Lines of access logs as traces: our own in JSON, whatever fields it has, and `common` and `combined` as Apache, nginx
 * and we write them.
 *
 * An object is host, path and query, as in the cache's key. What the cache has no say in is put aside: methods other than GET,
 * answers of units and of the edge itself, failures, and what the cache was told not to touch. The size of an object is the
 * largest body that was sent of it: see `TraceBuilder`.
 */
import { BAD, type LineFormat, SILENT, type TraceLine } from '../../cache/sim/trace-lines.ts'
import { CACHE_HITS } from '../../contract/cache-outcome.ts'

export interface LogFilter {
  /** Of these sites alone, by name. Only logs in JSON know of sites. */
  readonly sites?: readonly string[] | undefined
  /** Of these hosts alone, in lower case. */
  readonly hosts?: readonly string[] | undefined
}

/** How often the log itself says that the cache was asked, and how often it had the answer. */
export interface LoggedHits {
  asked: number
  hits: number
}

interface LoggedRequest {
  readonly method: string | undefined
  readonly host: string
  readonly target: string | undefined
  readonly status: number | undefined
  readonly bytes: number | undefined
  readonly site?: string | undefined
  readonly source?: string | undefined
  readonly cache?: string | undefined
  readonly cacheControl?: string | undefined
}

export function jsonLogLines(filter: LogFilter, logged: LoggedHits): LineFormat {
  return {
    name: 'json',
    expected:
      'a line of an access log in JSON with `target`, or `path` and `query`: {"host":"example.org","target":"/a?b","status":200,"bytesSent":512}',
    read: (line) => {
      if (line.trim() === '') return SILENT
      const fields = parsed(line)
      const request = fields && requestOf(fields)
      return request === undefined ? BAD : traceLine(request, filter, logged)
    },
  }
}

type Fields = Readonly<Record<string, unknown>>

function parsed(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isFields(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Names of ours first, then those that other servers write. */
function requestOf(fields: Fields): LoggedRequest | undefined {
  // Caddy has what was asked for in an object of its own.
  const asked = isFields(fields['request']) ? fields['request'] : fields
  const path = text(asked, 'path')
  const query = text(asked, 'query')
  const whole = text(asked, 'target', 'uri', 'request_uri', 'url')
  const target = whole ?? (path === undefined ? undefined : query === undefined ? path : `${path}?${query}`)
  const status = number(fields, 'status')
  // What was refused before it could be read has no target, and is a line of a log all the same.
  if (target === undefined && status === undefined) return undefined
  return {
    method: text(asked, 'method', 'request_method'),
    host: (text(asked, 'host', 'http_host') ?? '').toLowerCase(),
    target,
    status,
    bytes: number(fields, 'bodyBytesSent', 'bytesSent', 'body_bytes_sent', 'bytes_sent', 'size', 'bytes'),
    site: text(fields, 'site'),
    source: text(fields, 'source'),
    cache: text(fields, 'cache'),
    cacheControl: text(fields, 'response:cache-control'),
  }
}

function text(fields: Fields, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = fields[name]
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}

function number(fields: Fields, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = fields[name]
    // nginx writes numbers in quotes where its format has them so.
    const read = typeof value === 'string' && value !== '' ? Number(value) : value
    if (typeof read === 'number' && read >= 0 && Number.isFinite(read)) return read
  }
  return undefined
}

/** `[HOST[:PORT] ]CLIENT IDENT USER [TIME] "METHOD TARGET[ PROTOCOL]" STATUS BYTES …`; quotes in texts are escaped. */
const COMMON =
  /^(?:(\S+) )?\S+ \S+ \S+ \[[^\]]*\] "(?:([A-Z]+) ((?:[^"\\ ]|\\.)+)(?: HTTP\/[\d.]+)?|(?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: |$)/

export function commonLogLines(filter: LogFilter, logged: LoggedHits): LineFormat {
  return {
    name: 'common',
    expected:
      'a line as Apache and nginx write it (common or combined): 192.0.2.1 - - [26/Nov/2026:10:54:40 +0000] "GET /a?b HTTP/1.1" 200 512',
    read: (line) => {
      if (line.trim() === '') return SILENT
      const match = COMMON.exec(line)
      if (match === null) return BAD
      const [, host = '', method, target, status, bytes] = match
      const request = {
        method,
        host: host.toLowerCase().replace(/:80$|:443$/, ''),
        target,
        status: Number(status),
        bytes: bytes === '-' ? 0 : Number(bytes),
      }
      return traceLine(request, filter, logged)
    },
  }
}

/** Answers that caches keep, or that say that a cache has it: the heuristic statuses of RFC 9110 §15.1, 206, 302, 304 and 307. */
const KEPT = new Set([200, 203, 204, 206, 300, 301, 302, 304, 307, 308, 404, 405, 410, 414, 501])

/** Words of `orla_cache_requests_total` for requests that the cache was not to answer. */
const NOT_ASKED = new Set([
  'method',
  'head',
  'body',
  'no-store',
  'stream',
  'range',
  'precondition',
  'bypass',
  'unsatisfiable',
])
/** And for those that no origin was waited for. */
const ANSWERED: ReadonlySet<string> = new Set(CACHE_HITS)

function traceLine(request: LoggedRequest, { sites, hosts }: LogFilter, logged: LoggedHits): TraceLine {
  const { method, host, target, status, bytes, site, source, cache, cacheControl } = request
  if (sites !== undefined && (site === undefined || !sites.includes(site))) return aside('of another site')
  if (hosts !== undefined && !hosts.includes(host)) return aside('of another host')
  if (target === undefined) return aside('no request that could be read')
  if (method !== undefined && method !== 'GET') return aside('another method than GET')
  if (source !== undefined && source !== 'cache' && source !== 'origin')
    return aside('answered by a unit or the edge itself')
  if (cache !== undefined && NOT_ASKED.has(cache)) return aside('not for the cache to answer')
  if (status !== undefined && !KEPT.has(status)) return aside('a status that is not kept')
  if (cacheControl !== undefined && /\b(?:no-store|private)\b/i.test(cacheControl))
    return aside('not to be kept, says the origin')
  if (cache !== undefined) {
    logged.asked += 1
    if (ANSWERED.has(cache)) logged.hits += 1
  }
  // In absolute form, as proxies are asked, the host is in the target.
  const absolute = /^https?:\/\/(.*)$/i.exec(target)?.[1]
  // A part tells no size, but that the whole is no smaller; the largest counts.
  return { kind: 'request', key: absolute ?? `${host}${target}`, bytes: status === 304 ? undefined : bytes }
}

const ASIDE = new Map<string, TraceLine>()

/** The same few again and again. */
function aside(why: string): TraceLine {
  let line = ASIDE.get(why)
  if (line === undefined) {
    line = { kind: 'aside', why }
    ASIDE.set(why, line)
  }
  return line
}
