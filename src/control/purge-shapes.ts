/** What the admin API takes and gives about purges of caches. */
import * as v from 'valibot'
import { normalPrefix, normalTag, normalUrl, PURGE_ITEMS_MAX, PURGE_TEXT_MAX } from '../contract/purge.ts'
import { ChangeShape, WaitBody } from './shapes.ts'

const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text)

/** Its own message names what was given: among ten thousand one would look for it in vain. */
const absolute = (what: string, normal: (text: string) => string | undefined, example: string) =>
  v.pipe(
    v.string('expected a string'),
    v.maxLength(PURGE_TEXT_MAX, `expected at most ${PURGE_TEXT_MAX} characters`),
    v.check(
      (text) => normal(text) !== undefined,
      ({ input }) => `"${shorten(String(input))}" is no absolute ${what}; expected one such as "${example}"`,
    ),
    v.transform((text) => normal(text)!),
  )

const list = <T extends v.GenericSchema>(item: T, what: string) =>
  v.pipe(
    v.array(item, `expected a list of ${what}`),
    v.minLength(1, `expected a list of ${what} that is not empty`),
    v.maxLength(PURGE_ITEMS_MAX, `expected ${PURGE_ITEMS_MAX} at most; send several requests`),
  )

/** Without blanks around it, as tags are read in headers. */
const Tag = v.pipe(
  v.string('expected a string'),
  v.trim(),
  v.minLength(1, 'expected a tag'),
  v.maxLength(PURGE_TEXT_MAX, `expected at most ${PURGE_TEXT_MAX} characters`),
  v.check(
    (text) => normalTag(text) !== undefined,
    ({ input }) => `"${shorten(String(input))}" is no tag: a tag holds no comma and no control character`,
  ),
)

const Url = absolute('URL', normalUrl, 'https://example.com/news/1')
const Prefix = absolute('URL to begin with', normalPrefix, 'https://example.com/news/*')

const { wait, timeoutMs, edges } = WaitBody.entries

export const PurgeBody = v.pipe(
  v.strictObject({
    /** Absolute URLs, as clients write them: with all variants of each. */
    urls: v.optional(list(Url, 'absolute URLs')),
    /** What absolute URLs begin with; a `*` at the end is understood. */
    prefixes: v.optional(list(Prefix, 'what absolute URLs begin with')),
    /** Of `Cache-Tag`, `Surrogate-Key`, `Cache-Groups` and units. */
    tags: v.optional(list(Tag, 'tags')),
    /** Only of what this site keeps; alone, it is all of that. */
    site: v.optional(v.pipe(v.string('expected the name of a site'), v.minLength(1), v.maxLength(255))),
    /** All that is kept of all sites. */
    everything: v.optional(v.literal(true, 'expected true, or nothing')),
    /** It is stale from now on, and not gone. */
    soft: v.optional(v.boolean('expected true or false'), false),
    wait,
    timeoutMs,
    edges,
  }),
  v.check(
    ({ urls, prefixes, tags, site, everything }) =>
      (urls ?? prefixes ?? tags ?? site ?? everything) !== undefined,
    'expected at least one of `urls`, `prefixes`, `tags`, `site` and `everything`',
  ),
  v.check(
    ({ urls, prefixes, tags, site, everything }) =>
      everything === undefined || (urls ?? prefixes ?? tags ?? site) === undefined,
    '`everything` stands alone: without it, what is named is purged',
  ),
  v.check(
    ({ urls = [], prefixes = [], tags = [] }) =>
      urls.length + prefixes.length + tags.length <= PURGE_ITEMS_MAX,
    `expected ${PURGE_ITEMS_MAX} URLs, prefixes and tags together at most; send several requests`,
  ),
)

/** Of an edge, for a unit that runs there. */
export const EdgePurgeBody = v.strictObject({
  urls: v.optional(list(Url, 'absolute URLs')),
  prefixes: v.optional(list(Prefix, 'what absolute URLs begin with')),
  tags: v.optional(list(Tag, 'tags')),
  sites: v.optional(v.array(v.string())),
  soft: v.boolean(),
})

export const PurgeShape = v.strictObject({
  /** Its position in the log. */
  id: v.number(),
  soft: v.boolean(),
  /** Objects that went, or became stale, in the memory of workers and on disks, of all nodes that were waited for. */
  objects: v.number(),
  live: ChangeShape.entries.live,
  edges: ChangeShape.entries.edges,
  ms: v.number(),
})
export type PurgeResult = v.InferOutput<typeof PurgeShape>
