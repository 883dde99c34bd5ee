/** The origin of a site: its endpoints, how one is chosen, when one is left out, and how often a request is tried. */
import * as v from 'valibot'
import { count, duration, share, statuses } from './units.ts'

const URL_EXPECTED = 'expected "http://HOST:PORT" or "https://HOST:PORT", without a path'

const EndpointUrl = v.pipe(
  v.string(URL_EXPECTED),
  v.check((text) => /^https?:\/\/[^/\s@?#]+\/?$/.test(text) && URL.canParse(text), URL_EXPECTED),
)

const EndpointObject = v.strictObject({
  /** `http://HOST:PORT` or `https://HOST:PORT`. Every address of a name is an endpoint. */
  url: EndpointUrl,
  /** How it is called in logs, metrics and units, where that is not its URL. */
  name: v.optional(v.pipe(v.string(), v.minLength(1, 'expected a name'))),
  /** Its share of the requests, beside the others'. */
  weight: v.optional(count(1000), 1),
  /** Asked only while no other endpoint is available. */
  backup: v.optional(v.boolean(), false),
})

const Endpoint = v.pipe(
  v.union([EndpointUrl, EndpointObject], `${URL_EXPECTED}, or an object with \`url\``),
  v.transform((given) => {
    const endpoint = typeof given === 'string' ? v.parse(EndpointObject, { url: given }) : given
    const url = endpoint.url.replace(/\/$/, '')
    return { ...endpoint, url, name: endpoint.name ?? url }
  }),
)

export const Timeouts = v.strictObject({
  /** Time to connect, TLS handshake included. */
  connect: v.optional(duration(), '2s'),
  /** Time from the request sent to the head of the answer, and between two pieces of its body. */
  response: v.optional(duration(), '30s'),
  /** How long an unused connection is kept. */
  idle: v.optional(duration(), '30s'),
})

const HASH_EXPECTED = 'expected "path", "url", "client", "header:NAME" or "cookie:NAME"'

const HashOn = v.pipe(
  v.string(HASH_EXPECTED),
  v.check((text) => /^(?:path|url|client|(?:header|cookie):[!#$%&'*+.^_`|~\w-]+)$/.test(text), HASH_EXPECTED),
)

/** Each worker makes its own: see docs/decisions/0010-each-worker-checks.md. */
const Health = v.strictObject({
  /** What is asked for with GET. */
  path: v.optional(
    v.pipe(v.string(), v.regex(/^\/[\x21-\x7e]*$/, 'expected a path such as "/healthz"')),
    '/',
  ),
  /** The `Host` of a check, where it is not the endpoint's. */
  host: v.optional(
    v.pipe(v.string(), v.regex(/^[\x21-\x7e]+$/, 'expected a host such as "www.example.com"')),
  ),
  /** Time between two checks, give or take a tenth. */
  every: v.optional(duration(), '5s'),
  /** A check that takes longer has failed. */
  timeout: v.optional(duration(), '2s'),
  /** Checks in a row that must succeed until an endpoint that was down is up. */
  healthy: v.optional(count(1000), 2),
  /** Checks in a row that must fail until an endpoint is down. The first check after the start decides alone. */
  unhealthy: v.optional(count(1000), 3),
  /** Statuses that are a success. */
  status: v.optional(statuses(), ['200-399']),
  /** True asks the endpoints all the same when every one is down; false answers 503 at once. */
  failOpen: v.optional(v.boolean(), false),
})

/** What the answers to requests say of an endpoint: one that only fails is left out for a while. */
const Passive = v.strictObject({
  /** Failures in a row, from one worker, until the endpoint is ejected. */
  failures: v.optional(count(1000), 5),
  /** Failures further apart than this are not in a row. */
  window: v.optional(duration(), '10s'),
  /** How long it is left out the first time; twice as long each time it fails again at once. */
  eject: v.optional(duration(), '10s'),
  /** The longest it is left out. */
  ejectMax: v.optional(duration(), '5m'),
  /** Answers that count as failures, beside connections that fail, break or time out. */
  status: v.optional(statuses(), ['502-504']),
  /** Where less than this share of the endpoints would be left, nobody is left out: the rest would drown. */
  panic: v.optional(share(), 0.2),
})

/** When the origin as a whole is left alone, so that it can recover. Each worker counts its own requests. */
const CircuitBreaker = v.strictObject({
  /** The share of the requests that has to fail, after all tries, for it to open. */
  failures: v.optional(share(), 0.5),
  /** With fewer requests than this in the window it stays closed. */
  requests: v.optional(count(1_000_000), 20),
  /** How far back requests count. */
  window: v.optional(duration(), '10s'),
  /** How long requests are answered with 503 at once; then one goes, and decides. Twice as long each time that it fails. */
  open: v.optional(duration(), '5s'),
  /** The longest that it is open. */
  openMax: v.optional(duration(), '1m'),
  /** Answers that count as failures, beside requests that are not answered. */
  status: v.optional(statuses(), ['502-504']),
})

const RETRY_EXPECTED = 'expected "connect", "closed", "timeout", or a status from 400 to 599'

const Retries = v.strictObject({
  /** How often one request is tried again, at most. 0: never. */
  max: v.optional(count(100, 0), 3),
  /** Retries beside requests over the last ten seconds, at most. Where no connection was made nothing was asked, and it is not counted. */
  budget: v.optional(share(), 0.2),
  /** What is tried again: `connect` no connection could be made, `closed` it closed before an answer began, `timeout` none came in time, or a status. */
  on: v.optional(
    v.array(
      v.union(
        [
          v.picklist(['connect', 'closed', 'timeout'], RETRY_EXPECTED),
          v.pipe(
            v.number(RETRY_EXPECTED),
            v.integer(RETRY_EXPECTED),
            v.minValue(400, RETRY_EXPECTED),
            v.maxValue(599, RETRY_EXPECTED),
          ),
        ],
        RETRY_EXPECTED,
      ),
      'expected a list such as ["connect", "closed", 503]',
    ),
    ['connect', 'closed'],
  ),
})

const RESOLVER_EXPECTED = 'expected "ADDRESS:PORT" of a DNS server, such as "127.0.0.1:53"'

const BALANCE_EXPECTED = 'expected "round-robin", "least-connections", "random-two" or "consistent-hash"'

const OriginObject = v.strictObject({
  /** Servers that hold the same: `http://HOST:PORT` or `https://HOST:PORT`, or objects. */
  endpoints: v.pipe(
    v.array(Endpoint, 'expected a list such as ["http://127.0.0.1:9000"]'),
    v.minLength(1, 'expected at least one endpoint'),
    v.check(
      (list) => new Set(list.map(({ name }) => name)).size === list.length,
      'expected each endpoint once; `weight` gives one a larger share, `name` tells two apart',
    ),
    v.check(
      (list) => list.length === 0 || list.some(({ backup }) => !backup),
      'expected at least one endpoint that is not a backup',
    ),
  ),
  /** How an endpoint is chosen. */
  balance: v.optional(
    v.picklist(['round-robin', 'least-connections', 'random-two', 'consistent-hash'], BALANCE_EXPECTED),
    'round-robin',
  ),
  /** What `consistent-hash` goes by: `path`, `url` (with the query), `client` (its address), `header:NAME` or `cookie:NAME`. Where it is missing, the client. */
  hashOn: v.optional(HashOn, 'path'),
  timeouts: v.optional(Timeouts, {}),
  /** Connections to one endpoint from one worker, at most. */
  connectionsMax: v.optional(count(), 1024),
  /** Requests that wait for a connection to one endpoint, at most; more are 503 at once. Four times `connectionsMax` where it is not given. */
  pendingMax: v.optional(count(Number.MAX_SAFE_INTEGER, 0)),
  /** Requests under way at one endpoint from one worker, those that wait included; more are 503 at once. */
  requestsMax: v.optional(count()),
  /** Checks that are made whether or not there are requests. Absent: none. */
  health: v.optional(Health),
  /** False leaves nobody out because of failed requests. */
  passive: v.optional(
    v.union([v.literal(false), Passive], 'expected an object such as { "failures": 5 }, or false'),
    {},
  ),
  /** Leaves the origin as a whole alone while too much of what it is asked fails. Absent: never. */
  circuitBreaker: v.optional(CircuitBreaker),
  /** An endpoint that comes back takes its share little by little over this time. */
  slowStart: v.optional(duration()),
  retries: v.optional(Retries, {}),
  /** A DNS server to ask for names instead of the system's, `ADDRESS:PORT`. */
  resolver: v.optional(
    v.pipe(
      v.string(RESOLVER_EXPECTED),
      v.regex(/^(?:\[[0-9a-fA-F:.]+\]|\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/, RESOLVER_EXPECTED),
    ),
  ),
  tls: v.optional(
    v.strictObject({
      /** Path of a PEM file with the authorities to trust instead of the public ones and those of the system. */
      ca: v.optional(v.string()),
      /** Name to ask for and check, where it is not the endpoint's. */
      serverName: v.optional(v.string()),
      /** False accepts any certificate. For tests alone. */
      verify: v.optional(v.boolean(), true),
    }),
    {},
  ),
})

export const Origin = v.pipe(
  v.union([EndpointUrl, OriginObject], 'expected "http://HOST:PORT", or an object with `endpoints`'),
  v.transform((origin) =>
    typeof origin === 'string' ? v.parse(OriginObject, { endpoints: [origin] }) : origin,
  ),
)

/** Of a checked origin. */
export type OriginConfig = v.InferOutput<typeof Origin>
export type EndpointConfig = OriginConfig['endpoints'][number]
