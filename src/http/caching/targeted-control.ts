/**
 * Who is told what of caching a response (RFC 9213): `Orla-Cache-Control` is for this cache alone and wins, then
 * `CDN-Cache-Control`, for all caches that work for the origin; where neither can be read, `Cache-Control` and `Expires`.
 *
 * Of these fields one counts, and whole: lifetimes are not put together from several (§2.2).
 */
import { headerValue, headerValues, type HeaderList } from '../../wire/http1/message.ts'
import { parseDictionary, type Member } from '../../wire/structured-fields.ts'
import { fieldNames, NOTHING, parseCacheControl, type CacheControl } from './cache-control.ts'
import { SECONDS_MAX } from './text.ts'

/** For this cache alone: it goes no further. */
export const OWN_FIELD = 'orla-cache-control'
/** The closest first. */
const TARGETED = [OWN_FIELD, 'cdn-cache-control']

export interface ResponseControl extends CacheControl {
  /** A targeted field said it: then `Expires` is not looked at. */
  readonly isTargeted: boolean
}

const UNTARGETED_NOTHING: ResponseControl = { ...NOTHING, isTargeted: false }

export function responseControl(headers: HeaderList): ResponseControl {
  for (const name of TARGETED) {
    if (headerValue(headers, name) === undefined) continue
    const control = parseTargeted(headerValues(headers, name)!)
    if (control !== undefined) return control
  }
  const text = headerValues(headers, 'cache-control')
  return text === undefined ? UNTARGETED_NOTHING : { ...parseCacheControl(text), isTargeted: false }
}

/** §2.1: undefined where it is empty or no dictionary: then it is as if it were not there. */
function parseTargeted(text: string): ResponseControl | undefined {
  const members = parseDictionary(text)
  if (members === undefined || members.size === 0) return undefined
  const said = (name: string): boolean => isSaid(members.get(name))
  const seconds = (name: string): number | undefined => secondsOf(members.get(name))
  const withheld: string[] = []
  /** Of the whole response. */
  const isWhole = (name: string): boolean => {
    const member = members.get(name)
    const names = fieldNamesOf(member)
    if (names === undefined) return isSaid(member)
    withheld.push(...names)
    return false
  }
  return {
    ...NOTHING,
    isTargeted: true,
    noStore: said('no-store'),
    noCache: isWhole('no-cache'),
    private: isWhole('private'),
    public: isTrue(members.get('public')),
    mustRevalidate: said('must-revalidate'),
    proxyRevalidate: said('proxy-revalidate'),
    mustUnderstand: isTrue(members.get('must-understand')),
    noTransform: said('no-transform'),
    maxAge: seconds('max-age'),
    sMaxAge: seconds('s-maxage'),
    staleWhileRevalidate: seconds('stale-while-revalidate'),
    staleIfError: seconds('stale-if-error'),
    withheld,
  }
}

/** What restricts is heard with any value but `?0`; §2.1 has the type of a value decide for the others. */
function isSaid(member: Member | undefined): boolean {
  return member !== undefined && !(member.kind === 'item' && member.item.value === false)
}

function isTrue(member: Member | undefined): boolean {
  return member?.kind === 'item' && member.item.value === true
}

/** §2.1: a number of another type, or a string with digits in it, is not consumed. */
function secondsOf(member: Member | undefined): number | undefined {
  if (member?.kind !== 'item' || member.item.type !== 'integer') return undefined
  return Math.min(Math.max(member.item.value, 0), SECONDS_MAX)
}

function fieldNamesOf(member: Member | undefined): readonly string[] | undefined {
  return member?.kind === 'item' && member.item.type === 'string' ? fieldNames(member.item.value) : undefined
}
