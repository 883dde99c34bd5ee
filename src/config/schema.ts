/**
 * The configuration, described once: from here come its type, its check and its defaults.
 *
 * After the check, times are milliseconds and sizes are bytes, and every default is filled in.
 */
import { hostname } from 'node:os'
import * as v from 'valibot'
import { AccessLogs } from './access-log-schema.ts'
import { Acme } from './acme.ts'
import { SharedCache, SiteCache } from './cache-schema.ts'
import { Dns } from './dns-schema.ts'
import { Bans, Geo, Limits, LimitsRedis, Packet } from './limit-schema.ts'
import { Hsts, Listen, ListenList, RedirectHttps } from './listen.ts'
import { Origin, Timeouts } from './origin-schema.ts'
import { plainHost } from './site-claims.ts'
import { RedisSource } from './source-schema.ts'
import { Static } from './static-schema.ts'
import { StoreSchema } from './store-schema.ts'
import { Compress } from './compression.ts'
import { Telemetry } from './telemetry-schema.ts'
import { count, duration, network, requestPath, share, size } from './units.ts'

/** A name (`tv.example.com`), an address, all names below one (`*.example.com`), or `*`. */
const HOST_EXPECTED = 'expected a host such as "tv.example.com", "*.example.com" or "*", without a port'

const Host = v.pipe(
  v.string(HOST_EXPECTED),
  v.regex(/^(?:\*|(?:\*\.)?[\w-]+(?:\.[\w-]+)*\.?|\[[0-9a-fA-F:.]+\])$/, HOST_EXPECTED),
  // As requests have it: `example.org.` is `example.org`.
  v.transform(plainHost),
)

const SITE_NAME_EXPECTED = 'expected a name such as "tv" or "tv.example.com", at most 253 characters'

const Site = v.strictObject({
  /** How the site is called in commands, metrics and logs; the first of its hosts where none is given. A site with `paths` needs one. */
  name: v.optional(
    v.pipe(
      v.string(SITE_NAME_EXPECTED),
      v.regex(/^[A-Za-z0-9*[_][A-Za-z0-9._:*\]-]{0,252}$/, SITE_NAME_EXPECTED),
    ),
  ),
  /** Names, `*.example.com` for all names below one, or `*` for the rest. Sites with the same host differ in `paths`. */
  hosts: v.optional(
    v.pipe(
      v.array(Host, 'expected a list such as ["tv.example.com"]'),
      v.minLength(1, 'expected at least one host'),
    ),
    ['*'],
  ),
  /**
   * Paths of these hosts that the site answers for, as units name them: exact (`/live.m3u8`), or all that start so (`/hls/*`). The closest host
   * counts first, then the exact path, then the longest start.
   */
  paths: v.optional(
    v.pipe(
      v.array(requestPath(), 'expected a list such as ["/hls/*"]'),
      v.minLength(1, 'expected at least one path'),
      v.maxLength(1000, 'expected at most 1000 paths'),
    ),
    ['/*'],
  ),
  /** What stands behind the site. Each site has an `origin` or is `static`. */
  origin: v.optional(Origin),
  /** Files in a folder, instead of an origin; a text is its `root`. */
  static: v.optional(Static),
  /** WebSockets and other upgrades pass. Without, such a request is answered like any other. */
  upgrades: v.optional(v.boolean(), true),
  /**
   * Which fields tell the origin about the client: `x-forwarded` (`X-Forwarded-For`, `-Proto`, `-Host`, `-Port`), `rfc7239`
   * (`Forwarded`), `both` or `none`.
   */
  forwarded: v.optional(
    v.picklist(
      ['x-forwarded', 'rfc7239', 'both', 'none'],
      'expected "x-forwarded", "rfc7239", "both" or "none"',
    ),
    'x-forwarded',
  ),
  /** Sends requests over HTTP to HTTPS. */
  redirectHttps: v.optional(RedirectHttps, false),
  /** `Strict-Transport-Security` on answers over HTTPS. */
  hsts: v.optional(Hsts),
  /** Answers of the origin are kept. */
  cache: v.optional(SiteCache),
  /** Of requests to this site, instead of `edge.accessLog`; `false` for none. */
  accessLog: v.optional(AccessLogs),
  /** Bodies are compressed for clients that take it. `true`: with the defaults. */
  compress: v.optional(Compress),
  /** How much is taken from whom. */
  limits: v.optional(Limits, []),
})

const FETCH_SITE_EXPECTED = 'expected "HOST", "HOST:PORT" or "*.example.com"'

const FetchSite = v.pipe(
  v.string(FETCH_SITE_EXPECTED),
  v.regex(/^(?:(?:\*\.)?[\w-]+(?:\.[\w-]+)*|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/, FETCH_SITE_EXPECTED),
  v.transform((site) => site.toLowerCase()),
)

const Fetch = v.strictObject({
  /** True lets units reach private addresses, this machine included. */
  allowPrivate: v.optional(v.boolean(), false),
  /** Hosts that units may reach though their addresses are private: `HOST`, `HOST:PORT`, or `*.example.com` for all names below one. */
  sites: v.optional(v.array(FetchSite, 'expected a list such as ["api.internal:8080"]'), []),
  /** Fetches that one invocation of a unit may make, redirects included. */
  requestsMax: v.optional(count(10_000), 50),
  /** Bytes of bodies that one invocation may send and read by `fetch`, together. What it passes on unread does not count. */
  bytesMax: v.optional(size(), '16mb'),
  timeouts: v.optional(Timeouts, {}),
  /** Path of a PEM file with the authorities to trust instead of the public ones and those of the system. */
  ca: v.optional(v.string()),
})

const Edge = v.strictObject({
  /** Where clients connect: an address, an object with `address` and how it is served, or a list of them. */
  listen: v.optional(ListenList, '127.0.0.1:8080'),
  /** Certificates that the node gets and renews by itself, for all listeners with `tls`. */
  acme: v.optional(Acme),
  /** How often the keys change that TLS sessions are resumed with. */
  ticketsRotate: v.optional(duration(), '8h'),
  /** Processes that share the addresses, each with its share of the cache's memory and sandboxes of its own. */
  workers: v.optional(count(256), 1),
  limits: v.optional(
    v.strictObject({
      /** Request line and headers together. */
      headBytes: v.optional(size(), '32kb'),
      /** The request target alone; longer is 414. */
      targetBytes: v.optional(size(), '8kb'),
      /** Header fields of a request; more is 431. */
      headerCount: v.optional(count(), 100),
      /** Body of a request; longer is 413. */
      bodyBytes: v.optional(size(), '1gb'),
      /** Body that a `content` unit may read whole. */
      unitBodyBytes: v.optional(size(), '1mb'),
      /** A kept connection without a request. */
      idle: v.optional(duration(), '60s'),
      /** From the first byte of a head to its last. */
      head: v.optional(duration(), '10s'),
      /** Between two pieces of a body, in either direction. */
      body: v.optional(duration(), '30s'),
      /** How long a drain waits for what is in flight. */
      drain: v.optional(duration(), '30s'),
      /** Connections of one worker, at most. */
      connections: v.optional(count(), 50_000),
      /** From a TLS connection accepted to its handshake done. */
      handshake: v.optional(duration(), '10s'),
      /** TLS handshakes under way in one worker, at most; more are refused. */
      handshakes: v.optional(count(), 5000),
      /** Requests at once on one HTTP/2 connection. */
      streams: v.optional(count(1000), 128),
      /** Connections of one worker that were upgraded (WebSockets), at most; more are 503. */
      upgrades: v.optional(count(), 10_000),
      /** An upgraded connection without a byte in either direction. */
      upgradeIdle: v.optional(duration(), '5m'),
    }),
    {},
  ),
  /** Each request has an id: that of a trusted proxy (`X-Request-Id`), or a new one. */
  requestId: v.optional(
    v.strictObject({
      /** Origins get it as `X-Request-Id`. */
      origin: v.optional(v.boolean(), true),
      /** Clients get it with every answer. */
      client: v.optional(v.boolean(), false),
    }),
    {},
  ),
  /**
   * Takes part in traces (`traceparent`): continues those of trusted proxies, begins others. Without, and without `telemetry`, the
   * field passes as it came.
   */
  trace: v.optional(
    v.strictObject({
      /** The share of the traces begun here that is marked as sampled, 0 to 1. */
      sample: v.optional(share(), 1),
    }),
  ),
  /**
   * Proxies before this node, by address or prefix: from them `X-Forwarded-For` (or `Forwarded`) is read, from right to left. What others say
   * there is taken out of their requests.
   */
  trustedProxies: v.optional(v.array(network(), 'expected a list such as ["10.0.0.0/8"]'), []),
  /**
   * What those proxies write: `x-forwarded`, `rfc7239`, or `either`: `X-Forwarded-For` where it is there, else `Forwarded`. Name the one if
   * they pass on the other as clients sent it.
   */
  forwardedFrom: v.optional(
    v.picklist(['either', 'x-forwarded', 'rfc7239'], 'expected "either", "x-forwarded" or "rfc7239"'),
    'either',
  ),
  /** Memory of one sandbox process, at most. */
  sandboxMemory: v.optional(size(), '512mb'),
  /** What units may `fetch`. */
  fetch: v.optional(Fetch, {}),
  /** What one namespace of `edge.kv` may hold; more is refused. */
  kv: v.optional(
    v.strictObject({
      /** Keys, at most. */
      keysMax: v.optional(count(), 100_000),
      /** Bytes of keys and values together, at most. */
      bytesMax: v.optional(size(), '64mb'),
      /** One key, in UTF-8. */
      keyBytesMax: v.optional(size(), '512b'),
      /** One value. */
      valueBytesMax: v.optional(size(), '1mb'),
    }),
    {},
  ),
  /** One store for the answers of all sites whose `cache` gives neither `ram` nor `disk`. */
  cache: v.optional(SharedCache),
  /** What one unit may keep in `edge.cache`; what was written longest ago makes room. */
  unitCache: v.optional(
    v.strictObject({
      /** Keys, at most. */
      keysMax: v.optional(count(), 10_000),
      /** Bytes of keys and values together, at most. */
      bytesMax: v.optional(size(), '16mb'),
      /** One key, in UTF-8. */
      keyBytesMax: v.optional(size(), '512b'),
      /** One value. */
      valueBytesMax: v.optional(size(), '1mb'),
    }),
    {},
  ),
  /** Where limits with `scope: "cluster"` are counted. */
  limitsRedis: v.optional(LimitsRedis),
  /** A request whose `orla-debug` header holds this gets the list of what ran. */
  debugToken: v.optional(v.string()),
  /** Where requests are noted: a path, an object as below, or a list of them. */
  accessLog: v.optional(AccessLogs, false),
})

const KEY_EXPECTED = 'expected a public key as `orla keys new` prints it, such as "ed25519:…="'
const TrustedKey = v.pipe(v.string(KEY_EXPECTED), v.regex(/^ed25519:[A-Za-z0-9+/]{43}=$/, KEY_EXPECTED))

const Control = v.strictObject({
  /** Where the admin API and `/metrics` are. Not for the open network: it speaks HTTP without TLS. */
  listen: v.optional(Listen, '127.0.0.1:8081'),
  /** The bearer token; where none is given, one is made and kept in `control.token` in the data directory. */
  token: v.optional(
    v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/, 'expected visible ASCII characters without spaces')),
  ),
  /** Names by which it may be called beside its address, as when a proxy stands before it. Checked where it listens on this machine alone. */
  hosts: v.optional(v.array(v.string()), []),
  /** What one token may ask; more is 429. */
  requests: v.optional(
    v.strictObject({
      /** Requests a second that it may go on with. */
      perSecond: v.optional(count(), 100),
      /** Requests at once, before that counts. */
      burst: v.optional(count(), 1000),
    }),
    {},
  ),
  /**
   * Keeps the type checker ready from the start on, which takes about 150 MB. Without, it starts with the first deploy, which takes a
   * second longer then: for small machines, and for nodes to which nobody deploys.
   */
  warmChecker: v.optional(v.boolean(), true),
  /** Whose units this node runs: see `orla keys` and `orla deploy --sign`. */
  units: v.optional(
    v.strictObject({
      /** Public keys, as `orla keys new` prints them. What is signed at all has to be signed by one of them. */
      trustedKeys: v.optional(v.array(TrustedKey, 'expected a list of keys such as "ed25519:…"'), []),
      /** Refuses units that nobody signed, at a deploy and when they are read from the store. */
      requireSignature: v.optional(v.boolean(), false),
    }),
    {},
  ),
})

const NodeConfig = v.strictObject({
  /** Tells this node from others; the machine's name where none is given. */
  name: v.optional(v.pipe(v.string(), v.minLength(1, 'expected a name')), () => hostname()),
  /** Groups that this node is in: units name them as `group:NAME`. */
  groups: v.optional(v.array(v.string()), []),
})

export const ConfigSchema = v.strictObject({
  edge: v.optional(Edge, {}),
  control: v.optional(Control, {}),
  store: v.optional(StoreSchema, {}),
  node: v.optional(NodeConfig, {}),
  telemetry: v.optional(Telemetry, {}),
  /** Limits over all sites together. Where a site has one of the same name, units that run there ask for the site's. */
  limits: v.optional(Limits, []),
  /** What is known of networks. */
  geo: v.optional(Geo, {}),
  /** Who is kept out: see `orla ban`. */
  bans: v.optional(Bans, {}),
  /** Drops what is banned in the kernel, and counts packets. */
  packet: v.optional(Packet),
  /** Answers DNS, in all workers. */
  dns: v.optional(Dns),
  sites: v.optional(v.array(Site), []),
  /** Where units come from beside the control plane: followed while the node runs. */
  sources: v.optional(v.array(RedisSource, 'expected a list of sources'), []),
})

/** What a person writes. */
export type ConfigInput = v.InferInput<typeof ConfigSchema>
/** What the program reads: checked, defaults filled in, times in milliseconds, sizes in bytes. */
export type Config = v.InferOutput<typeof ConfigSchema>
export type SiteConfig = Config['sites'][number]
export type SiteInput = NonNullable<ConfigInput['sites']>[number]
export type { DnsConfig } from './dns-schema.ts'
export type { AccessLogConfig } from './access-log-schema.ts'
export type { EndpointConfig, OriginConfig } from './origin-schema.ts'
export type { EtcdStoreConfig, RedisStoreConfig, ReplicaStoreConfig, StoreConfig } from './store-schema.ts'
export type { SourceConfig } from './source-schema.ts'
export type { StaticConfig } from './static-schema.ts'
export type { AcmeConfig } from './acme.ts'
export type { DiskTierConfig, SharedCacheConfig, SiteCacheConfig } from './cache-schema.ts'
export type { TelemetryConfig } from './telemetry-schema.ts'
export type {
  BandwidthLimitConfig,
  BansConfig,
  ConcurrencyLimitConfig,
  GeoConfig,
  LimitConfig,
  LimitsRedisConfig,
  PacketConfig,
  RateLimitConfig,
} from './limit-schema.ts'
export type { HstsConfig, ListenerConfig, RedirectConfig } from './listen.ts'
