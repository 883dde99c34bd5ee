/**
 * `Cache-Control`, of requests and responses (RFC 9111 §5.2), read the safe way.
 *
 * Where a field can be read in two ways, the one that caches less wins: what restricts is heard even out of a broken
 * field (`private; max-age=60`, an unclosed quote), what permits is heard only when it is well formed. A lifetime
 * that is no number counts as 0, two lifetimes as the shorter (§4.2.1 asks that such responses be considered stale).
 */
import { copyText, isToken, isTokenChar, parseDeltaSeconds, SECONDS_MAX } from './text.ts'

export interface CacheControl {
  readonly noStore: boolean
  /** Of the whole response: without field names, or with names that cannot be taken out of it. */
  readonly noCache: boolean
  /** Likewise. */
  readonly private: boolean
  /**
   * The fields that `no-cache="…"` and `private="…"` name, in lower case (§5.2.2.4, §5.2.2.7): the response is kept without them,
   * so that they reach nobody but the one who asked.
   */
  readonly withheld: readonly string[]
  readonly public: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  /** The bytes are to reach the client as they are. */
  readonly noTransform: boolean
  readonly onlyIfCached: boolean
  /** Seconds, as all that follow; undefined where it is absent. */
  readonly maxAge: number | undefined
  readonly sMaxAge: number | undefined
  readonly minFresh: number | undefined
  /** 2³¹ where it has no value: however stale. */
  readonly maxStale: number | undefined
  /** RFC 5861 §3, of responses. */
  readonly staleWhileRevalidate: number | undefined
  /** RFC 5861 §4, of responses and requests. */
  readonly staleIfError: number | undefined
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export const NOTHING: CacheControl = {
  noStore: false,
  noCache: false,
  private: false,
  withheld: [],
  public: false,
  mustRevalidate: false,
  proxyRevalidate: false,
  mustUnderstand: false,
  noTransform: false,
  onlyIfCached: false,
  maxAge: undefined,
  sMaxAge: undefined,
  minFresh: undefined,
  maxStale: undefined,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
}

/**
 * What `no-cache` and `private` may name and a response cannot be kept without: what its body is read by, and what says
 * whether, for whom and how long it is good. Where one of them is named, the whole response counts.
 */
const NOT_WITHHELD = new Set([
  'age',
  'cache-control',
  'cdn-cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'orla-cache-control',
  'transfer-encoding',
  'vary',
])

// Origins repeat themselves: a handful of values makes up nearly all the traffic of a site.
const remembered = new Map<string, CacheControl>()
const REMEMBERED_MAX = 64
const REMEMBERED_LENGTH_MAX = 256

/** `text` is all the fields of a message, joined by `, `. Undefined: there was none. */
export function parseCacheControl(text: string | undefined): CacheControl {
  if (text === undefined) return NOTHING
  const known = remembered.get(text)
  if (known !== undefined) return known
  const parsed = read(text)
  if (text.length <= REMEMBERED_LENGTH_MAX) {
    if (remembered.size >= REMEMBERED_MAX) remembered.clear()
    remembered.set(copyText(text), parsed)
  }
  return parsed
}

/**
 * One directive after the other. Between them anything that is no name is skipped, so that what follows a mistake is
 * still heard.
 */
function read(text: string): CacheControl {
  const found: Mutable<CacheControl> = { ...NOTHING }
  let at = 0
  while (at < text.length) {
    const nameStart = at
    while (at < text.length && isTokenChar(text.charCodeAt(at))) at++
    if (at === nameStart) {
      at++
      continue
    }
    const name = text.slice(nameStart, at).toLowerCase()
    if (text[at] !== '=') {
      at = skipSpace(text, at)
      take(found, name, undefined, endsHere(text, at))
      continue
    }
    const isQuoted = text[at + 1] === '"'
    const value = readValue(text, at + 1)
    at = skipSpace(text, value.end)
    const wellFormed = value.closed && endsHere(text, at)
    if (!isQuoted || !wellFormed || !withhold(found, name, value.text))
      take(found, name, value.text, wellFormed)
  }
  return found
}

/** A token or a quoted string: §5.2 asks that both be taken for every directive. */
function readValue(text: string, start: number): { text: string; end: number; closed: boolean } {
  let at = start
  if (text[at] !== '"') {
    while (at < text.length && isTokenChar(text.charCodeAt(at))) at++
    return { text: text.slice(start, at), end: at, closed: true }
  }
  let value = ''
  for (at++; at < text.length; at++) {
    if (text[at] === '"') return { text: value, end: at + 1, closed: true }
    if (text[at] === '\\') at++
    value += text[at] ?? ''
  }
  // Never closed: what it swallowed is read again as directives, since one of them may be `no-store`.
  return { text: '', end: start + 1, closed: false }
}

function skipSpace(text: string, at: number): number {
  while (text[at] === ' ' || text[at] === '\t') at++
  return at
}

function endsHere(text: string, at: number): boolean {
  return at >= text.length || text[at] === ','
}

/** `wellFormed` is false where the directive does not end at a comma: then it may restrict, but not permit. */
function take(
  found: Mutable<CacheControl>,
  name: string,
  value: string | undefined,
  wellFormed: boolean,
): void {
  const plain = wellFormed && value === undefined
  const seconds = wellFormed && value !== undefined ? parseDeltaSeconds(value) : undefined
  switch (name) {
    case 'no-store':
      found.noStore = true
      break
    case 'no-cache':
      found.noCache = true
      break
    case 'private':
      found.private = true
      break
    case 'public':
      if (plain) found.public = true
      break
    case 'must-revalidate':
      // It also permits (§3.5: answers to requests with credentials), so a broken one counts as its weaker sister.
      if (plain) found.mustRevalidate = true
      else found.proxyRevalidate = true
      break
    case 'proxy-revalidate':
      found.proxyRevalidate = true
      break
    case 'no-transform':
      found.noTransform = true
      break
    case 'must-understand':
      if (plain) found.mustUnderstand = true
      break
    case 'only-if-cached':
      found.onlyIfCached = true
      break
    case 'max-age':
      found.maxAge = Math.min(found.maxAge ?? SECONDS_MAX, seconds ?? 0)
      break
    case 's-maxage':
      found.sMaxAge = Math.min(found.sMaxAge ?? SECONDS_MAX, seconds ?? 0)
      break
    case 'min-fresh':
      found.minFresh = Math.max(found.minFresh ?? 0, seconds ?? SECONDS_MAX)
      break
    case 'max-stale':
      found.maxStale = Math.min(found.maxStale ?? SECONDS_MAX, plain ? SECONDS_MAX : (seconds ?? 0))
      break
    case 'stale-while-revalidate':
      found.staleWhileRevalidate = Math.min(found.staleWhileRevalidate ?? SECONDS_MAX, seconds ?? 0)
      break
    case 'stale-if-error':
      found.staleIfError = Math.min(found.staleIfError ?? SECONDS_MAX, seconds ?? 0)
      break
  }
}

/** Whoever names more fields than this means the whole response. */
const WITHHELD_MAX = 64

/**
 * `no-cache` and `private` with names. §5.2.2.4 has the names in quotes: so `private=true` names no field, but speaks of the whole
 * response.
 */
function withhold(found: Mutable<CacheControl>, directive: string, value: string): boolean {
  if (directive !== 'no-cache' && directive !== 'private') return false
  const names = fieldNames(value)
  if (names === undefined || found.withheld.length + names.length > WITHHELD_MAX) return false
  found.withheld = [...found.withheld, ...names]
  return true
}

/** The names in the value of `no-cache` or `private`; undefined where the whole response is meant. */
export function fieldNames(value: string): readonly string[] | undefined {
  const names = value
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  const canBeWithheld = names.every((name) => isToken(name) && !NOT_WITHHELD.has(name))
  return names.length > 0 && canBeWithheld ? names : undefined
}
