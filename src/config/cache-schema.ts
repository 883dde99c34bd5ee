/** `sites[].cache` and `edge.cache`: what is kept of origins' answers, where, under which key, and for how long. */
import * as v from 'valibot'
import { count, duration, share, size } from './units.ts'

/** A tier that is smaller could not even hold an index. */
const DISK_SIZE_MIN = v.minValue<number, number, string>(256 * 1024, 'expected a size of at least "256kb"')

const DiskObject = v.strictObject({
  /** Bytes of bodies and index together, at least 256 KiB. */
  size: v.pipe(size(), DISK_SIZE_MIN),
  /** A folder of its own for this tier; in the data directory where none is given. */
  path: v.optional(v.pipe(v.string(), v.minLength(1, 'expected a path'))),
  /** One object larger than this is not stored on disk. */
  objectBytes: v.optional(size(), '1gb'),
  /** What is replaced when it is full. */
  policy: v.optional(v.picklist(['sieve', 'fifo', 'lru'], 'expected "sieve", "fifo" or "lru"'), 'sieve'),
  /** What comes in: all, or what is asked for the second time. */
  admission: v.optional(v.picklist(['all', 'second-sight'], 'expected "all" or "second-sight"'), 'all'),
})

const Disk = v.pipe(
  v.union(
    [v.pipe(size(), DISK_SIZE_MIN), DiskObject],
    'expected a size such as "10gb", or an object with `size`',
  ),
  v.transform((disk) => (typeof disk === 'number' ? v.parse(DiskObject, { size: `${disk}b` }) : disk)),
)

/** Where answers are kept. */
const tiers = {
  /** Memory for bodies and heads, over all workers of the node. 64 MiB where nothing is said. */
  ram: v.optional(size()),
  /** A tier on disk behind it, which all workers share and a restart keeps. */
  disk: v.optional(Disk),
  /** What is replaced when memory is full. */
  policy: v.optional(
    v.picklist(
      ['lru', 'lfu', 'plain-lfu', 'fifo', 'random', 'clock', 'sieve', 's3-fifo', 'arc', 'w-tinylfu', 'gdsf'],
      'expected "lru", "lfu", "plain-lfu", "fifo", "random", "clock", "sieve", "s3-fifo", "arc", "w-tinylfu" or "gdsf"',
    ),
    's3-fifo',
  ),
  /** What comes into memory. */
  admission: v.optional(
    v.picklist(
      ['all', 'second-sight', 'tinylfu', 'size-probability'],
      'expected "all", "second-sight", "tinylfu" or "size-probability"',
    ),
    'all',
  ),
}

/** One store for all sites that give no sizes of their own. */
export const SharedCache = v.strictObject({ ...tiers })

const NAME_EXPECTED = 'expected a list of names such as ["x-tenant"]'
const HeaderName = v.pipe(
  v.string(NAME_EXPECTED),
  v.regex(/^[\w!#$%&'*+.^`|~-]+$/, NAME_EXPECTED),
  v.transform((name) => name.toLowerCase()),
)
const headerNames = () => v.array(HeaderName, NAME_EXPECTED)
const namesSuch = (expected: string) =>
  v.array(v.pipe(v.string(expected), v.minLength(1, expected)), expected)

const QUERY_EXPECTED = 'expected "all", "none", { "only": ["page"] } or { "except": ["utm_*"] }'

const CacheQuery = v.union(
  [
    v.picklist(['all', 'none'], QUERY_EXPECTED),
    v.pipe(
      v.strictObject({
        /** These and no others. */
        only: v.optional(namesSuch('expected a list of names such as ["page"]')),
        /** All but these. */
        except: v.optional(namesSuch('expected a list of names such as ["utm_*"]')),
      }),
      v.check(({ only, except }) => (only === undefined) !== (except === undefined), QUERY_EXPECTED),
    ),
  ],
  QUERY_EXPECTED,
)

const CacheKey = v.strictObject({
  /** Which parameters of the query tell answers apart: `all`, `none`, or as said below; `*` at the end of a name stands for any rest. The origin is asked for these alone. */
  query: v.optional(CacheQuery, 'all'),
  /** The order of parameters does not matter: they are sorted by name, also for the origin. */
  sortQuery: v.optional(v.boolean(), false),
  /** Headers of the request whose values tell answers apart. They may then reach the origin. */
  headers: v.optional(headerNames(), []),
  /** Cookies of the request, likewise. */
  cookies: v.optional(namesSuch('expected a list of names such as ["lang"]'), []),
  /** Answers for phones, tablets and the rest are told apart (`Orla-Device` tells the origin: `phone`, `tablet` or `desktop`). */
  device: v.optional(v.boolean(), false),
})

const CacheVary = v.strictObject({
  /** Answers of one address that differ by `Vary`, at most; the oldest makes room. */
  variantsMax: v.optional(count(10_000), 32),
  /**
   * The codings that `Accept-Encoding` is reduced to, best first, for the key and towards the origin. Empty: it is compared as it comes.
   */
  encodings: v.optional(
    v.array(
      v.picklist(['zstd', 'br', 'gzip'], 'expected "zstd", "br" or "gzip"'),
      'expected a list such as ["br", "gzip"]',
    ),
    ['zstd', 'br', 'gzip'],
  ),
  /** The languages that the site has: `Accept-Language` is reduced to the best of them. Empty: it is compared as it comes. */
  languages: v.optional(v.array(v.string(), 'expected a list such as ["en", "pt-BR"]'), []),
})

const CacheStale = v.strictObject({
  /** A stale answer goes out while it is refreshed in the background, for so long, where the origin does not say how long. */
  whileRevalidate: v.optional(duration(), '0s'),
  /** A stale answer goes out when the origin fails, for so long, where the origin does not say how long. */
  ifError: v.optional(duration(), '0s'),
})

export const SiteCache = v.strictObject({
  ...tiers,
  /** One object larger than this is not kept in memory. */
  objectBytes: v.optional(size(), '16mb'),
  /** What tells answers apart, beside scheme, host and path. */
  key: v.optional(CacheKey, {}),
  /** What `Vary` may do. */
  vary: v.optional(CacheVary, {}),
  /** Stale answers, where the origin says nothing of them. */
  stale: v.optional(CacheStale, {}),
  /** Large objects are fetched and kept in slices of this size. */
  slice: v.optional(
    v.pipe(
      size(),
      v.minValue(64 * 1024, 'expected a size of at least "64kb"'),
      v.maxValue(256 * 1024 * 1024, 'expected a size of at most "256mb"'),
    ),
  ),
  /** Answers that set a cookie may be kept, cookie and all, where their headers allow it: for origins that set the same one for everybody. */
  setCookie: v.optional(v.boolean(), false),
  /** Headers that are not in the key, change what many origins answer, and are taken out for that reason: these may pass all the same. */
  unkeyedHeaders: v.optional(headerNames(), []),
  /** How long a request waits for another one's answer before it asks the origin itself. */
  wait: v.optional(duration(), '10s'),
  /** `Cache-Status` tells clients what the cache did; `"key"`: and what the answer is kept under, which else only who brings the `edge.debugToken` is told. */
  statusHeader: v.optional(v.union([v.boolean(), v.literal('key')], 'expected true, false, or "key"'), true),
  /** The share of hits that are counted for the list of the most wanted objects. */
  topSample: v.optional(share(), 0.05),
})

export type SiteCacheConfig = v.InferOutput<typeof SiteCache>
export type SharedCacheConfig = v.InferOutput<typeof SharedCache>
export type DiskTierConfig = NonNullable<SharedCacheConfig['disk']>
export type PolicyName = SharedCacheConfig['policy']
export type AdmissionName = SharedCacheConfig['admission']
