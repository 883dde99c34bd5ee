/**
 * What is to go from caches, wherever they are: in the memory of workers, on the disk of a node, on every edge.
 *
 * A purge that an operator, a program or a unit asks for is an entry of the log (`purge/ID`), so that every node hears of it in order, whenever it is
 * there. What a request makes out of date (RFC 9111 §4.4, RFC 9875) stays on its node, and is no entry.
 *
 * On a node every purge has a number, by the order in which its supervisor hands them out, also over restarts. Whatever is kept knows up to which number
 * it was checked: so a purge beats an answer that was asked for before it.
 */
import type { StoreView } from './store.ts'

/** Lists are of what it means together: a URL, or a prefix, or a tag of them is enough. */
export interface PurgeScope {
  /** Absolute, as clients write them; see `normalUrl`. */
  readonly urls?: readonly string[] | undefined
  /** What absolute URLs begin with. */
  readonly prefixes?: readonly string[] | undefined
  /** Of `Cache-Tag`, `Surrogate-Key`, `Cache-Groups` and units. */
  readonly tags?: readonly string[] | undefined
}

export interface Purge extends PurgeScope {
  /** Only of what these sites keep; absent: of all. Where nothing else is named, it is all of that. */
  readonly sites?: readonly string[] | undefined
  /** What it means is stale from now on, and not gone: good for revalidation, and for where the origin allows stale answers. */
  readonly soft: boolean
  /** Milliseconds since 1970, on the clock of who asked. */
  readonly at: number
}

/** A purge on its way to what keeps something on a node. */
export interface NumberedPurge {
  readonly number: number
  readonly purge: Purge
}

/**
 * What keeps answers beside the workers' memory: the disk tier. It is told before the workers are, so that nobody reads from it what was purged,
 * once it has resolved; what is written to it later, and was checked up to a smaller number, is checked against these purges then.
 */
export interface PurgedTier {
  /** Objects of each, in the order given; each once where several mean it. */
  purge(purges: readonly NumberedPurge[]): Promise<readonly number[]>
  /** Up to which purge of the log it had got when it was closed or killed; undefined where it is new, and holds nothing. */
  readonly purgedTo: PurgedTo | undefined
  /** That far it is now. Durable soon, and never before the purges are. */
  reached(position: PurgedTo): void
}

export interface PurgedTo {
  readonly log: string
  readonly id: number
}

/** What one purge names at most, all lists together. */
export const PURGE_ITEMS_MAX = 10_000
/** Characters of a URL, a prefix or a tag. */
export const PURGE_TEXT_MAX = 8192
/** How long purges are kept in the state of the log, for nodes that were away. */
export const PURGE_KEPT_MS = 7 * 24 * 3600 * 1000
/** So many of them at most, and so many characters together. */
export const PURGES_KEPT_MAX = 10_000
export const PURGES_KEPT_CHARACTERS = 32 * 1024 * 1024

const PREFIX = 'purge/'
/** The id of the last purge that was let go of: whoever stands before it has missed something. */
export const PURGE_FLOOR_KEY = 'settings/purge-floor'

/** The id in the log is the name, so that they lie in order. */
export const purgeKey = (id: number): string => PREFIX + String(id).padStart(16, '0')
export const purgeIdOf = (key: string): number | undefined =>
  key.startsWith(PREFIX) ? Number(key.slice(PREFIX.length)) : undefined

/** Keys of the log that are about purges alone: what runs on nodes is the same before and after them. */
export const isPurgeKey = (key: string): boolean => key.startsWith(PREFIX) || key === PURGE_FLOOR_KEY

export const listPurges = (store: StoreView): readonly (readonly [id: number, text: string])[] =>
  store.list(PREFIX).map(([key, text]) => [purgeIdOf(key)!, text] as const)

/** Undefined for what another program wrote, which names what is not known here. */
export function parsePurge(text: string): Purge | undefined {
  try {
    const given = JSON.parse(text) as Partial<Purge> | null
    if (typeof given !== 'object' || given === null || typeof given.at !== 'number') return undefined
    return { ...given, soft: given.soft === true, at: given.at }
  } catch {
    return undefined
  }
}

/** It names nothing but sites, or nothing at all: then it means all of theirs, or all. */
export const isWhole = ({ urls, prefixes, tags }: PurgeScope): boolean =>
  urls === undefined && prefixes === undefined && tags === undefined

/** By what it says what is meant, for metrics: `url`, `prefix`, `tag`, `site` or `everything`. */
export function purgeKind(purge: Purge): 'url' | 'prefix' | 'tag' | 'site' | 'everything' {
  if (purge.urls !== undefined) return 'url'
  if (purge.prefixes !== undefined) return 'prefix'
  if (purge.tags !== undefined) return 'tag'
  return purge.sites === undefined ? 'everything' : 'site'
}

/** Everything that is kept may be from before purges that nobody knows any more. */
export const purgeOfAll = (soft: boolean, at: number): Purge => ({ soft, at })

/**
 * An absolute URL as keys of answers hold it: scheme and host in lower case, without the port that goes without saying, path and query byte for byte as
 * a client sends them. Undefined where it is none: without http or https, with a user, a fragment, a blank or a control character.
 */
export function normalUrl(text: string): string | undefined {
  const [, scheme, authority, rest] = /^(https?):\/\/([^/?#\s]+)([^\s#]*)$/i.exec(text) ?? []
  // What a request line cannot hold is in no key.
  if (scheme === undefined || authority === undefined || /[\u0000-\u0020\u007f]/.test(text)) return undefined
  const parsed = URL.parse(`${scheme}://${authority}/`)
  if (parsed === null || parsed.username !== '' || parsed.password !== '') return undefined
  const target = rest === undefined || rest === '' ? '/' : rest
  const path = target.startsWith('/') ? target : `/${target}`
  // A client sends what is not ASCII as bytes of UTF-8, with percent signs.
  const sent = path.replaceAll(/[^\u0021-\u007e]+/g, (other) => encodeURI(other.toWellFormed()))
  return `${parsed.protocol}//${parsed.host}${sent}`
}

/** The same for what URLs begin with: a `*` at the end says so, and is not a part of it. The host is whole. */
export const normalPrefix = (text: string): string | undefined => normalUrl(text.replace(/\*$/, ''))

/** Scheme and authority: `https://example.com`. */
export const originOf = (url: string): string => {
  const end = url.indexOf('/', url.indexOf('://') + 3)
  return end === -1 ? url : url.slice(0, end)
}

/** Without blanks around it, as tags are read in headers; undefined where the text is none: it holds no comma and no control character. */
export function normalTag(text: string): string | undefined {
  const tag = text.trim()
  return /^[^\p{Cc},]+$/u.test(tag) ? tag : undefined
}

/**
 * The name of a group of one origin (RFC 9875 §2) among tags: groups of two origins are not the same, though they are called the same. No tag that a
 * header or an operator gives can hold a line break.
 */
export const groupTag = (origin: string, group: string): string => `${origin}\n${group}`
