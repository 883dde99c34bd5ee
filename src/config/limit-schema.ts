/** `sites[].limits`, `limits`, `edge.limitsRedis`, `bans` and `packet`: how much is taken from whom, and who is kept out. */
import * as v from 'valibot'
import { parseDuration } from '../base/quantity.ts'
import {
  ALGORITHM_NAMES,
  KEYS_MAX,
  QUEUE_MAX,
  type Rate,
  RATE_COUNT_MAX,
  RATE_WINDOW_MAX_MS,
} from '../base/rate.ts'
import { redisUrls, TlsFiles } from './store-schema.ts'
import { count, duration, network, requestPath, size } from './units.ts'

const RATE_EXPECTED =
  'expected a rate such as "10/s", "100/1m" or "5/200ms": a whole number from 1, and a time'

/** `10/s` and `10/1s` are the same; undefined where the text is no rate. */
export function parseRate(text: string): Rate | undefined {
  const [, digits, time] = /^([1-9]\d{0,9})\/(.+)$/.exec(text) ?? []
  if (digits === undefined || time === undefined) return undefined
  const windowMs = parseDuration(/^\d/.test(time) ? time : `1${time}`)
  // It is rounded to milliseconds: with half of one it would be another rate than was written.
  if (!isWholeMs(time)) return undefined
  const rate = { count: Number(digits), windowMs: windowMs ?? 0 }
  const isRate =
    rate.count <= RATE_COUNT_MAX &&
    Number.isInteger(rate.windowMs) &&
    rate.windowMs >= 1 &&
    rate.windowMs <= RATE_WINDOW_MAX_MS
  return isRate ? rate : undefined
}

function isWholeMs(time: string): boolean {
  const [, amount, unit] = /^(\d+\.\d+)\s*([a-z]+)$/i.exec(time) ?? []
  if (amount === undefined) return true
  const ms = Number(amount) * (parseDuration(`1${unit}`) ?? 0)
  return Math.abs(ms - Math.round(ms)) < 1e-6
}

const rate = () =>
  v.pipe(
    v.string(RATE_EXPECTED),
    v.check((text) => parseRate(text) !== undefined, RATE_EXPECTED),
    v.transform((text) => parseRate(text)!),
  )

const KEY_EXPECTED =
  'expected "address", "pair", "path", "host", "asn", "all", "header:NAME", "cookie:NAME", or a list of them'
const KEY_PART = /^(?:address|pair|path|host|asn|all|header:[\w!#$%&'*+.^`|~-]+|cookie:[\w!#$%&'*+.^`|~-]+)$/

const LimitKeyPart = v.pipe(v.string(KEY_EXPECTED), v.regex(KEY_PART, KEY_EXPECTED))

const LimitKey = v.pipe(
  v.union(
    [
      LimitKeyPart,
      v.pipe(v.array(LimitKeyPart), v.minLength(1, KEY_EXPECTED), v.maxLength(8, 'expected 8 parts at most')),
    ],
    KEY_EXPECTED,
  ),
  v.transform((key): readonly string[] => (typeof key === 'string' ? [key] : key)),
)

const levelOf = (bits: number) => {
  const expected = `expected a prefix length from 1 to ${bits}, or an object with \`length\` and \`rate\``
  return v.union(
    [
      v.pipe(
        count(bits),
        v.transform((length) => ({ length })),
      ),
      v.strictObject({
        length: count(bits),
        /** Where none is given: the limit's own rate for the longest prefix, and four times as much for each shorter one. */
        rate: v.optional(rate()),
        /** As `burst`; where none is given it grows with the rate. */
        burst: v.optional(count(RATE_COUNT_MAX)),
      }),
    ],
    expected,
  )
}

const Prefixes = v.strictObject({
  /** Prefix lengths for IPv4. */
  v4: v.optional(v.pipe(v.array(levelOf(32)), v.minLength(1), v.maxLength(8)), [32]),
  /** Prefix lengths for IPv6. */
  v6: v.optional(v.pipe(v.array(levelOf(128)), v.minLength(1), v.maxLength(8)), [64, 56, 48]),
})

const Sketch = v.strictObject({
  /** Cells of a row, 16 to 2^24; rounded up to a power of two. Where none is given: 524,288, and behind a table an eighth of `keysMax`. */
  width: v.optional(count(2 ** 24, 16)),
  /** Rows, each with a hash of its own. */
  depth: v.optional(count(8), 3),
  /** Bits of a cell of a limit's own sketch: 8 count to 255, 16 to 65,535, 32 to 4,294,967,295. */
  cellBits: v.optional(v.picklist([8, 16, 32], 'expected 8, 16 or 32'), 16),
})

const LimitBan = v.strictObject({
  /** Refusals within `within` after which the address is banned. */
  after: count(1_000_000),
  /** In which they are counted, 1 ms to 30 days. */
  within: v.optional(duration(), '1m'),
  /** How long, a second to 366 days. */
  for: v.optional(duration(), '10m'),
})

const Method = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z-]+$/, 'expected a method such as "POST"'),
  v.transform((method) => method.toUpperCase()),
)

const LIMIT_NAME_EXPECTED = 'expected a name such as "login": letters, digits, ".", "_" and "-", at most 64'

const PATHS_EXPECTED = 'expected a list such as ["/login", "/api/*"], or none for all paths'

/** To which requests a limit applies. */
const LimitScope = {
  /** How it is called in units, metrics and `RateLimit` fields. */
  name: v.pipe(
    v.string(LIMIT_NAME_EXPECTED),
    v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, LIMIT_NAME_EXPECTED),
  ),
  /** Paths it is for: exact, or a start that ends in `*`. */
  paths: v.optional(
    v.pipe(
      v.array(requestPath()),
      v.minLength(1, PATHS_EXPECTED),
      v.maxLength(100, 'expected 100 paths at most'),
    ),
  ),
  /** Methods it is for. `GET` stands for `HEAD` too. */
  methods: v.optional(
    v.pipe(v.array(Method), v.minLength(1, 'expected a list such as ["POST"], or none for all methods')),
  ),
  /** Addresses and prefixes that are not limited. */
  exempt: v.optional(v.array(network(), 'expected a list such as ["10.0.0.0/8"]'), []),
  /** Limits nobody: what it would have done is counted and logged. */
  dryRun: v.optional(v.boolean(), false),
} as const

/** What is counted, and what happens beyond it. */
const LimitCounting = {
  ...LimitScope,
  /**
   * What is counted by: `address` (of the client, by prefixes), `pair` (client and the address it came to), `path`, `host`, `asn`, `header:NAME`,
   * `cookie:NAME`, `all` for one count of everybody, or a list of these. A request without the header or cookie is counted by its address.
   * Without `key` no request is counted by itself: units ask for the limit, with keys of their own.
   */
  key: v.optional(LimitKey),
  /** Status of what is refused. */
  status: v.optional(count(599, 400), 429),
  /** Whoever is refused too often is banned. */
  ban: v.optional(LimitBan),
} as const

const RateLimit = v.strictObject({
  /** What it limits: how often. */
  kind: v.optional(v.literal('rate'), 'rate'),
  ...LimitCounting,
  /** So many in so much time: `10/s`, `100/1m`. */
  rate: rate(),
  /** How it is counted; what each means is in the guide. */
  algorithm: v.optional(
    v.picklist(
      ALGORITHM_NAMES,
      'expected "token-bucket", "leaky-bucket", "leaky-queue", "fixed-window", "sliding-window", "sliding-log", "gcra" or "shaper"',
    ),
    'token-bucket',
  ),
  /** `token-bucket` and `leaky-bucket`: what they hold; `gcra`: how many may come at once beside the one that is due. Where none is given: the count of the rate; for `gcra` one less. */
  burst: v.optional(count(RATE_COUNT_MAX, 0)),
  /** `leaky-queue` and `shaper`: how many may wait; more are refused. Where none is given: the count of the rate. */
  queue: v.optional(count(QUEUE_MAX)),
  /** `sliding-window`: a key that is new starts as if its window before had been full. */
  startFull: v.optional(v.boolean(), false),
  /** What one request takes. */
  cost: v.optional(count(RATE_COUNT_MAX), 1),
  /** For keys with `address`: prefix lengths, each with a limit of its own. Asked from the shortest on; the first that is reached refuses. */
  prefixes: v.optional(Prefixes, {}),
  /** `exact`: a table with a place for each key. `sketch`: cells that keys share, in constant memory; for window algorithms. */
  store: v.optional(v.picklist(['exact', 'sketch'], 'expected "exact" or "sketch"'), 'exact'),
  /**
   * `exact`: keys that have a place. Which one makes room when they are taken, is said by `replacement`; behind it stands a sketch. Where none is given:
   * 100,000, of a `sliding-log` as many as take 128 MiB.
   */
  keysMax: v.optional(count(KEYS_MAX, 64)),
  /** `exact`: who makes room for a new key. */
  replacement: v.optional(v.picklist(['s3-fifo', 'lru'], 'expected "s3-fifo" or "lru"'), 's3-fifo'),
  /** The size of the sketch: the limit's own, or the one behind its table. */
  sketch: v.optional(Sketch, {}),
  /** `node`: one count for all workers of the node. `cluster`: for all nodes, in `edge.limitsRedis`. */
  scope: v.optional(v.picklist(['node', 'cluster'], 'expected "node" or "cluster"'), 'node'),
  /** `cluster`: `exact` asks for every decision; `batched` counts here, and settles with the others. */
  mode: v.optional(v.picklist(['exact', 'batched'], 'expected "exact" or "batched"'), 'exact'),
  /** `RateLimit` and `RateLimit-Policy`: on all answers, on refusals alone, or never. */
  fields: v.optional(
    v.picklist(['always', 'refused', 'never'], 'expected "always", "refused" or "never"'),
    'always',
  ),
})

const ConcurrencyLimit = v.strictObject({
  /** What it limits: requests in flight at once, from their head to the last byte of their answer. */
  kind: v.literal('concurrency'),
  ...LimitCounting,
  /** What is counted by, as with a rate, but never left out. */
  key: LimitKey,
  /** Requests at once. */
  max: count(1_000_000),
  /** Keys that have a place; beyond it some share one, and are allowed less. */
  keysMax: v.optional(count(1_000_000, 64), 100_000),
})

const BANDWIDTH_EXPECTED = 'expected bytes a second such as "2mb", at least "1kb"'

const BandwidthLimit = v.strictObject({
  /** What it limits: bytes a second of the body of an answer. */
  kind: v.literal('bandwidth'),
  ...LimitScope,
  /** Bytes a second of one answer. */
  bytesPerSecond: v.pipe(size(), v.minValue<number, number, string>(1024, BANDWIDTH_EXPECTED)),
  /** Bytes that go out at full speed first. */
  after: v.optional(size(), '0b'),
})

/** Asked in this order, until one refuses. */
export const Limits = v.array(
  v.variant(
    'kind',
    [RateLimit, ConcurrencyLimit, BandwidthLimit],
    'expected "rate", "concurrency" or "bandwidth"',
  ),
  'expected a list such as [{ "name": "login", "rate": "10/1m", "key": "address" }]',
)

/** From so many milliseconds to ten seconds. */
const shortTime = (leastMs: number) => {
  const expected = `expected a time from "${leastMs}ms" to "10s"`
  const isRight = (ms: number | undefined) => ms !== undefined && ms >= leastMs && ms <= 10_000
  return v.pipe(
    v.string(expected),
    v.check((text) => isRight(parseDuration(text)), expected),
    v.transform((text) => parseDuration(text)!),
  )
}

/** Where cluster-wide limits are counted, for the whole node. */
export const LimitsRedis = v.strictObject({
  /** `redis://HOST:PORT`, `rediss://` over TLS, with `/NUMBER` for another database; or some of a Cluster's servers. Redis or Valkey. */
  url: redisUrls,
  /** Of the server's access control. */
  username: v.optional(v.string()),
  password: v.optional(v.string()),
  /** For `rediss://`. */
  tls: v.optional(TlsFiles),
  /** In front of every key. */
  prefix: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[^{}]*$/, 'expected a prefix without braces: in a Cluster they say which server has a key'),
    ),
    'orla:limit:',
  ),
  /** How long a request waits for a decision, 1 ms to 10 s; then it is decided here. */
  timeout: v.optional(shortTime(1), '50ms'),
  /** How often `batched` limits settle, 10 ms to 10 s. */
  settle: v.optional(shortTime(10), '100ms'),
})

/** Who is kept out, and who never is. */
export const Bans = v.strictObject({
  /** Addresses and prefixes that no ban touches, of whatever lies around them. Loopback and whoever controls the node never are. */
  never: v.optional(v.array(network(), 'expected a list such as ["10.0.0.0/8"]'), []),
  /** Bans at once; more are refused. */
  max: v.optional(count(1_000_000), 100_000),
  /**
   * Which units may ban, by `edge.ban` and by `ban` of a limit of their own: a ban is of whole nodes. `unlimited`: those that somebody deployed whose
   * token is not limited to sites.
   */
  units: v.optional(
    v.picklist(['all', 'unlimited', 'none'], 'expected "all", "unlimited" or "none"'),
    'unlimited',
  ),
})

/** Tables about networks, as MaxMind and others give them out (`.mmdb`). */
export const Geo = v.strictObject({
  /** Path of a table of autonomous systems: for limits by `asn`. Followed while the node runs. */
  asn: v.optional(v.pipe(v.string(), v.minLength(1, 'expected a path such as "GeoLite2-ASN.mmdb"'))),
})

/** The packet plane: an XDP program on a network interface. */
export const Packet = v.strictObject({
  /** Name of the network interface, or a list of them. */
  interface: v.pipe(
    v.union([v.string(), v.array(v.string())], 'expected the name of an interface such as "eth0"'),
    v.transform((names): readonly string[] => (typeof names === 'string' ? [names] : names)),
  ),
  /** `native`: in the driver. `generic`: in the network stack, for drivers without. `offload`: on the card. `auto`: native where it can be, else generic. */
  mode: v.optional(
    v.picklist(['auto', 'native', 'generic', 'offload'], 'expected "auto", "native", "generic" or "offload"'),
    'auto',
  ),
  /** Frames that cannot be read are dropped instead of passed. */
  dropUnreadable: v.optional(v.boolean(), false),
})

export type LimitConfig = v.InferOutput<typeof Limits>[number]
export type RateLimitConfig = v.InferOutput<typeof RateLimit>
export type ConcurrencyLimitConfig = v.InferOutput<typeof ConcurrencyLimit>
export type BandwidthLimitConfig = v.InferOutput<typeof BandwidthLimit>
export type LimitsRedisConfig = v.InferOutput<typeof LimitsRedis>
export type GeoConfig = v.InferOutput<typeof Geo>
export type BansConfig = v.InferOutput<typeof Bans>
export type PacketConfig = v.InferOutput<typeof Packet>
