/** `sites[].compress`: what a site compresses, and how. */
import * as v from 'valibot'
import { size } from './units.ts'

const TYPE_EXPECTED = 'expected a content type such as "text/html" or "text/*"'

const ContentType = v.pipe(
  v.string(TYPE_EXPECTED),
  v.regex(/^[\w!#$&^.+-]+\/(?:\*|[\w!#$&^.+-]+)$/, TYPE_EXPECTED),
  v.transform((type) => type.toLowerCase()),
)

const LEVEL_EXPECTED = 'expected a whole number from 1 to 19'

const CompressObject = v.strictObject({
  /** Content types that are compressed: a type, or `text/*`, which leaves out `text/event-stream`. */
  types: v.optional(v.array(ContentType, 'expected a list such as ["text/*"]'), [
    'text/*',
    'application/atom+xml',
    'application/dash+xml',
    'application/graphql-response+json',
    'application/javascript',
    'application/json',
    'application/ld+json',
    'application/manifest+json',
    'application/problem+json',
    'application/rss+xml',
    'application/vnd.apple.mpegurl',
    'application/wasm',
    'application/x-javascript',
    'application/x-mpegurl',
    'application/xhtml+xml',
    'application/xml',
    'font/otf',
    'font/ttf',
    'image/bmp',
    'image/svg+xml',
    'image/vnd.microsoft.icon',
    'image/x-icon',
  ]),
  /** Shorter bodies go as they are. */
  minBytes: v.optional(size(), '1kb'),
  /** What is offered; where a client likes several as much, the first of them. */
  algorithms: v.optional(
    v.pipe(
      v.array(v.picklist(['zstd', 'br', 'gzip'], 'expected "zstd", "br" or "gzip"')),
      v.minLength(1, 'expected at least one of "zstd", "br" and "gzip"'),
    ),
    ['zstd', 'br', 'gzip'],
  ),
  /** From 1 (fast) to 19 (small); gzip goes to 9, brotli to 11. Without one: gzip 5, brotli 4, zstd 3. */
  level: v.optional(
    v.pipe(
      v.number(LEVEL_EXPECTED),
      v.integer(LEVEL_EXPECTED),
      v.minValue(1, LEVEL_EXPECTED),
      v.maxValue(19, LEVEL_EXPECTED),
    ),
  ),
})

export const Compress = v.pipe(
  v.union(
    [v.boolean(), CompressObject],
    'expected true, false, or an object such as { "types": ["text/*"] }',
  ),
  v.transform((compress) => {
    if (typeof compress !== 'boolean') return compress
    return compress ? v.parse(CompressObject, {}) : undefined
  }),
)
