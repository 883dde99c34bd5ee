/** A site that is files in a folder. */
import * as v from 'valibot'

const ROOT_EXPECTED = 'expected a folder such as "./public"'
const Root = v.pipe(v.string(ROOT_EXPECTED), v.minLength(1, ROOT_EXPECTED))

const NAME_EXPECTED = 'expected the name of a file such as "index.html"'
const FileName = v.pipe(v.string(NAME_EXPECTED), v.regex(/^[^/\0.][^/\0]*$/, NAME_EXPECTED))

const VALUE_EXPECTED = 'expected text of one line'
const FieldValue = v.pipe(
  v.string(VALUE_EXPECTED),
  v.regex(/^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/, VALUE_EXPECTED),
)

/** What the answer itself decides. */
const OWN_FIELDS =
  /^(?:content-(?:length|range|encoding|type)|transfer-encoding|connection|etag|last-modified|accept-ranges|date)$/
const FIELD_EXPECTED = 'expected the name of a header that does not describe the file itself'
const FieldName = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.regex(/^[!#$%&'*+.^_`|~\w-]+$/, FIELD_EXPECTED),
  v.check((name) => !OWN_FIELDS.test(name), FIELD_EXPECTED),
)

const ENDING_EXPECTED = 'expected an ending such as ".m3u8"'
const Ending = v.pipe(v.string(), v.toLowerCase(), v.regex(/^\.[^./]+$/, ENDING_EXPECTED))

const ENCODINGS_EXPECTED = 'expected true, false, or a list of "br", "zstd" and "gzip"'

const StaticObject = v.strictObject({
  /** The folder, from the configuration file's own. What lies outside of it is never served, also not by way of a link. */
  root: Root,
  /** What stands for a folder, the first that is there. */
  index: v.optional(v.array(FileName, 'expected a list such as ["index.html"]'), ['index.html']),
  /** Serve `FILE.br`, `FILE.zst` and `FILE.gz` beside a file to those who take them. True: all three. */
  precompressed: v.optional(
    v.pipe(
      v.union(
        [v.boolean(), v.array(v.picklist(['br', 'zstd', 'gzip'], ENCODINGS_EXPECTED))],
        ENCODINGS_EXPECTED,
      ),
      v.transform((given) =>
        given === true ? (['br', 'zstd', 'gzip'] as const) : given === false ? [] : given,
      ),
    ),
    false,
  ),
  /** `Cache-Control` of files. */
  cacheControl: v.optional(FieldValue),
  /** More headers of files, by name. */
  headers: v.optional(v.record(FieldName, FieldValue), {}),
  /** Media types by ending, before those that are known. */
  types: v.optional(v.record(Ending, FieldValue), {}),
})

export const Static = v.pipe(
  v.union([Root, StaticObject], `${ROOT_EXPECTED}, or an object with \`root\``),
  v.transform((given) => (typeof given === 'string' ? v.parse(StaticObject, { root: given }) : given)),
)

export type StaticConfig = v.InferOutput<typeof Static>
