/**
 * The configuration, described once: from here come its type, its check and its defaults.
 *
 * After the check, times are milliseconds and sizes are bytes, and every default is filled in.
 */
import * as v from 'valibot'
import { duration, size } from './units.ts'

const Listen = v.pipe(
  v.string(),
  v.regex(/^(?:\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'expected "ADDRESS:PORT", such as "127.0.0.1:8080"'),
  v.check(
    (text) => Number(text.slice(text.lastIndexOf(':') + 1)) < 65_536,
    'expected a port from 0 to 65535',
  ),
)

const ListenList = v.pipe(
  v.union([Listen, v.pipe(v.array(Listen), v.minLength(1, 'expected at least one'))]),
  v.transform((value): readonly string[] => (typeof value === 'string' ? [value] : value)),
)

const EndpointUrl = v.pipe(
  v.string(),
  v.check(
    (text) => /^https?:\/\/[^/\s]+\/?$/.test(text) && URL.canParse(text),
    'expected "http://HOST:PORT" or "https://HOST:PORT", without a path',
  ),
)

const Timeouts = v.strictObject({
  /** Time to connect, TLS handshake included. */
  connect: v.optional(duration(), '2s'),
  /** Time from the request sent to the head of the answer, and between two pieces of its body. */
  response: v.optional(duration(), '30s'),
  /** How long an unused connection is kept. */
  idle: v.optional(duration(), '30s'),
})

const OriginObject = v.strictObject({
  endpoints: v.pipe(v.array(EndpointUrl), v.minLength(1, 'expected at least one endpoint')),
  timeouts: v.optional(Timeouts, {}),
  /** Connections to one endpoint from one worker, at most. */
  connectionsMax: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 1024),
  tls: v.optional(
    v.strictObject({
      /** Path of a PEM file with the authorities to trust instead of the system's. */
      ca: v.optional(v.string()),
      /** Name to ask for and check, where it is not the endpoint's. */
      serverName: v.optional(v.string()),
      /** False accepts any certificate. For tests alone. */
      verify: v.optional(v.boolean(), true),
    }),
    {},
  ),
})

const Origin = v.pipe(
  v.union([EndpointUrl, OriginObject]),
  v.transform((origin) =>
    typeof origin === 'string' ? v.parse(OriginObject, { endpoints: [origin] }) : origin,
  ),
)

const Site = v.strictObject({
  /** Exact names, `*.example.com`, or `*`. */
  hosts: v.optional(v.array(v.string()), ['*']),
  origin: Origin,
  cache: v.optional(
    v.strictObject({
      /** Memory for bodies and heads, over all workers of the node. */
      ram: v.optional(size(), '64mb'),
      /** One object larger than this is not stored. */
      objectBytes: v.optional(size(), '16mb'),
    }),
  ),
})

const Edge = v.strictObject({
  listen: v.optional(ListenList, '127.0.0.1:8080'),
  workers: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256)), 1),
  limits: v.optional(
    v.strictObject({
      /** Request line and headers together. */
      headBytes: v.optional(size(), '32kb'),
      /** The request target alone; longer is 414. */
      targetBytes: v.optional(size(), '8kb'),
      headerCount: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 100),
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
      connections: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 50_000),
    }),
    {},
  ),
  /** Memory of one sandbox process, at most. */
  sandboxMemory: v.optional(size(), '512mb'),
  /** A request whose `orla-debug` header holds this gets the list of what ran. */
  debugToken: v.optional(v.string()),
})

const Control = v.strictObject({
  listen: v.optional(Listen, '127.0.0.1:8081'),
  /** The bearer token; one is made and printed where none is given. */
  token: v.optional(v.pipe(v.string(), v.minLength(1))),
})

const StoreConfig = v.strictObject({
  kind: v.optional(v.picklist(['embedded'], 'expected "embedded"'), 'embedded'),
  path: v.optional(v.string(), './data'),
})

const NodeConfig = v.strictObject({
  name: v.optional(v.string()),
  groups: v.optional(v.array(v.string()), []),
})

export const ConfigSchema = v.strictObject({
  edge: v.optional(Edge, {}),
  control: v.optional(Control, {}),
  store: v.optional(StoreConfig, {}),
  node: v.optional(NodeConfig, {}),
  sites: v.optional(v.array(Site), []),
})

/** What a person writes. */
export type ConfigInput = v.InferInput<typeof ConfigSchema>
/** What the program reads: checked, defaults filled in, times in milliseconds, sizes in bytes. */
export type Config = v.InferOutput<typeof ConfigSchema>
export type SiteConfig = Config['sites'][number]
export type OriginConfig = SiteConfig['origin']
