/**
 * What of a header that answers vary by tells them apart.
 *
 * `Accept-Encoding` comes in hundreds of spellings, and an origin knows three codings: as it comes, each spelling would have a
 * copy of its own. So it is reduced to those of the site's codings that the client takes, and the origin is asked for just these:
 * it cannot answer to what the cache did not compare. `Accept-Language` is reduced to the best of the site's languages, where these
 * are known; else only what means nothing is passed over (RFC 9111 §4.1): case, space, and the order of languages that are as
 * welcome (RFC 9110 §12.5.4).
 */
import { normalised } from './normalised.ts'
import { copyText } from './text.ts'

/** Undefined: the header is not there. */
export type Reduce = (value: string | undefined) => string | undefined

export interface VaryRules {
  /** How values of this header are compared. */
  of(name: string): Reduce
  /** The headers of a request as its origin is to see them; `headers` itself where nothing changes. */
  forOrigin(headers: readonly string[]): readonly string[]
  /** Answers of one address, at most. */
  readonly variantsMax: number
}

export interface VarySettings {
  readonly encodings: readonly string[]
  readonly languages: readonly string[]
  readonly variantsMax: number
}

export function varyRules({ encodings, languages, variantsMax }: VarySettings): VaryRules {
  const encoding: Reduce =
    encodings.length === 0 ? plain : memoised((value) => reduceEncodings(value, encodings))
  const language: Reduce = memoised(
    languages.length === 0 ? orderLanguages : (value) => bestLanguage(value, languages),
  )
  const sent = new Map<string, Reduce>()
  if (encodings.length > 0) sent.set('accept-encoding', encoding)
  if (languages.length > 0) sent.set('accept-language', language)
  return {
    variantsMax,
    of: (name) => {
      if (name === 'accept-encoding') return encoding
      if (name === 'accept-language') return language
      return NO_LISTS.has(name) ? asItIs : plain
    },
    forOrigin: (headers) => (sent.size === 0 ? headers : replaced(headers, sent)),
  }
}

/** RFC 9111 §4.1 has equal what a field's syntax has: in these a comma separates nothing, and space around it is part of the value. */
const NO_LISTS = new Set(['authorization', 'cookie', 'from', 'origin', 'referer', 'user-agent'])

const asItIs: Reduce = (value) => value

const plain: Reduce = (value) => (value === undefined ? undefined : normalised(value))

/** For a cache that nobody told anything: what the RFC has equal is equal. */
export const PLAIN_VARY: VaryRules = varyRules({ encodings: [], languages: [], variantsMax: 32 })

/** Values that are remembered for each header; a site's clients share a few dozen. */
const REMEMBERED_MAX = 256
/** What is longer is nobody's preference. */
const VALUE_LENGTH_MAX = 1024

function memoised(reduce: (value: string) => string | undefined): Reduce {
  const remembered = new Map<string, string | undefined>()
  return (value) => {
    if (value === undefined) return undefined
    if (value.length > VALUE_LENGTH_MAX) return normalised(value)
    const known = remembered.get(value)
    if (known !== undefined || remembered.has(value)) return known
    const reduced = reduce(value)
    if (remembered.size >= REMEMBERED_MAX) remembered.clear()
    remembered.set(copyText(value), reduced === undefined ? undefined : copyText(reduced))
    return reduced
  }
}

interface Preference {
  /** In lower case. */
  readonly name: string
  /** 0 to 1: how welcome it is (RFC 9110 §12.4.2). */
  readonly weight: number
}

const PREFERENCE = /^([\w!#$%&'*+.^`|~-]+)(?:[ \t]*;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i

/** Undefined where it is no list of preferences. */
function parsePreferences(value: string): readonly Preference[] | undefined {
  const preferences: Preference[] = []
  for (const member of value.split(',')) {
    const text = member.trim()
    if (text === '') continue
    const match = PREFERENCE.exec(text)
    if (match === null) return undefined
    preferences.push({ name: match[1]!.toLowerCase(), weight: Number(match[2] ?? 1) })
  }
  return preferences
}

/** RFC 9110 §12.5.3. Weights are left out: of two codings that are welcome the origin takes the better. */
function reduceEncodings(value: string, encodings: readonly string[]): string | undefined {
  const preferences = parsePreferences(value)
  if (preferences === undefined) return normalised(value)
  const weights = new Map(preferences.map(({ name, weight }) => [name.replace(/^x-/, ''), weight]))
  const others = weights.get('*')
  // Who does not take plain bodies has to be heard.
  if ((weights.get('identity') ?? others) === 0) return normalised(value)
  const welcome = encodings.filter((name) => (weights.get(name) ?? others ?? 0) > 0)
  return welcome.length === 0 ? undefined : welcome.join(', ')
}

function orderLanguages(value: string): string | undefined {
  const preferences = parsePreferences(value)
  if (preferences === undefined) return normalised(value)
  return byWeight(preferences, (a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, weight }) => (weight === 1 ? name : `${name};q=${weight}`))
    .join(',')
}

/** RFC 4647 §3.4, look-up: a range is cut from its end until it is one of the site's; or else one of these goes on from it. */
function bestLanguage(value: string, languages: readonly string[]): string | undefined {
  const preferences = parsePreferences(value)
  if (preferences === undefined) return undefined
  const refused = new Set(preferences.filter(({ weight }) => weight === 0).map(({ name }) => name))
  const known = languages.filter((language) => !refused.has(language.toLowerCase()))
  for (const { name, weight } of byWeight(preferences, () => 0)) {
    if (weight === 0 || name === '*') continue
    for (let range = name; range !== ''; range = range.slice(0, Math.max(0, range.lastIndexOf('-')))) {
      const exact = known.find((language) => language.toLowerCase() === range)
      if (exact !== undefined) return exact
    }
    const narrower = known.find((language) => language.toLowerCase().startsWith(`${name}-`))
    if (narrower !== undefined) return narrower
  }
  return undefined
}

const byWeight = (
  preferences: readonly Preference[],
  otherwise: (a: Preference, b: Preference) => number,
): readonly Preference[] => preferences.toSorted((a, b) => b.weight - a.weight || otherwise(a, b))

function replaced(headers: readonly string[], sent: ReadonlyMap<string, Reduce>): readonly string[] {
  const values = new Map<string, string>()
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (!sent.has(name)) continue
    const before = values.get(name)
    values.set(name, before === undefined ? headers[i + 1]! : `${before}, ${headers[i + 1]!}`)
  }
  if (values.size === 0) return headers
  const result: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = values.get(name)
    if (value === undefined) {
      if (!sent.has(name)) result.push(name, headers[i + 1]!)
      continue
    }
    values.delete(name)
    // The edge itself asks for plain bodies with `identity`.
    const reduced = value === 'identity' ? value : sent.get(name)!(value)
    if (reduced !== undefined) result.push(name, reduced)
  }
  return result
}
