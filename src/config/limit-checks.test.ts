/** What is said of limits that cannot be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConfig, checkSite } from './check.ts'

const problemsOf = (limit: object, more: object = {}): string[] => {
  const result = checkConfig({ limits: [{ name: 'a', rate: '10/s', ...limit }], ...more })
  return result.kind === 'problems' ? result.problems.map(({ path, message }) => `${path}: ${message}`) : []
}

const bad: readonly (readonly [name: string, limit: object, problems: readonly string[]])[] = [
  [
    'an unknown kind is told with the known ones',
    { kind: 'rates' },
    ['limits[0].kind: expected "rate", "concurrency" or "bandwidth", got "rates"'],
  ],
  [
    'a burst belongs to what has one',
    { algorithm: 'sliding-log', burst: 3 },
    [
      'limits[0].burst: belongs to "token-bucket", "leaky-bucket" and "gcra", and `algorithm` is "sliding-log"',
    ],
  ],
  [
    'a bucket holds something',
    { burst: 0 },
    ['limits[0].burst: expected a whole number from 1 for "token-bucket"'],
  ],
  [
    'a queue belongs to what lets wait',
    { queue: 3 },
    ['limits[0].queue: belongs to "leaky-queue" and "shaper", and `algorithm` is "token-bucket"'],
  ],
  [
    'a window before belongs to the sliding window',
    { startFull: true },
    ['limits[0].startFull: belongs to "sliding-window", and `algorithm` is "token-bucket"'],
  ],
  [
    'a sketch is for windows',
    { store: 'sketch', algorithm: 'gcra' },
    [
      'limits[0].store: "sketch" counts what fell into a window, for "fixed-window" and "sliding-window", and `algorithm` is "gcra"',
    ],
  ],
  [
    'a cell counts no further than it can, at no prefix',
    { store: 'sketch', algorithm: 'fixed-window', rate: '60/s', sketch: { cellBits: 8 }, key: 'address' },
    [
      'limits[0].prefixes.v6[2]: a cell of 8 bits counts to 255, and 960 would never be reached; expected less, more bits, or "exact"',
    ],
  ],
  [
    'a sketch has time to be cleared',
    { store: 'sketch', algorithm: 'sliding-window', rate: '5/50ms' },
    ['limits[0].rate: a sketch is cleared in each window; expected one of 100 ms or more, or "exact"'],
  ],
  [
    'what cannot be counted exactly is refused with what could be',
    { rate: '999999937/2591999999ms' },
    [
      'limits[0].rate: is too much to be counted exactly: expected 1737499 at most, a shorter time, or rounder numbers',
    ],
  ],
  [
    'a log does not remember without end',
    { algorithm: 'sliding-log', rate: '4097/s' },
    [
      'limits[0].rate: "sliding-log" remembers each request; expected 4096 in the window at most, or "sliding-window"',
    ],
  ],
  [
    'a request that costs more than there ever is would be refused for ever',
    { cost: 11 },
    ['limits[0].cost: one request takes 11, and `rate` never holds more than 10: nobody would be allowed'],
  ],
  [
    'prefixes go from the longest to the shortest',
    { key: 'address', prefixes: { v6: [48, 64], v4: [32, 32] } },
    [
      'limits[0].prefixes.v4[1]: 32 stands there already; expected the longest prefix first, as in [64, 56, 48]',
      'limits[0].prefixes.v6[1]: stands behind 48; expected the longest prefix first, as in [64, 56, 48]',
    ],
  ],
  [
    'prefixes belong to addresses',
    { key: 'path', prefixes: { v4: [24] } },
    ['limits[0].prefixes: belongs to a `key` of "address": nothing else has prefixes'],
  ],
  [
    'settling is for what others count, too',
    { mode: 'batched' },
    ['limits[0].mode: "batched" belongs to `scope` "cluster"; what is counted on one node needs no settling'],
  ],
  [
    'who waits does so on one node',
    { algorithm: 'shaper', scope: 'cluster' },
    [
      'limits[0].scope: "cluster" needs to know where all nodes count: `edge.limitsRedis` with the URL of a Redis',
      'limits[0].scope: requests that "shaper" lets wait do so in the memory of one node; expected "node", or another `algorithm`',
    ],
  ],
  [
    'a log is not kept in batches',
    { algorithm: 'sliding-log', scope: 'cluster', mode: 'batched' },
    [
      'limits[0].scope: "cluster" needs to know where all nodes count: `edge.limitsRedis` with the URL of a Redis',
      'limits[0].mode: "sliding-log" keeps the moment of each request, which a share set aside does not have; expected "exact", or "sliding-window"',
    ],
  ],
  [
    'a window in Redis counts no further than is exact',
    { algorithm: 'sliding-window', scope: 'cluster', rate: '10000000/30d' },
    [
      'limits[0].scope: "cluster" needs to know where all nodes count: `edge.limitsRedis` with the URL of a Redis',
      'limits[0].rate: is too much for a sliding window in Redis: expected 1737499 at most, or "token-bucket"',
      'limits[0].prefixes.v6[1]: is too much for a sliding window in Redis: expected 1737499 at most, or "token-bucket"',
      'limits[0].prefixes.v6[2]: is too much for a sliding window in Redis: expected 1737499 at most, or "token-bucket"',
    ],
  ],
  [
    'a cluster counts somewhere',
    { scope: 'cluster' },
    [
      'limits[0].scope: "cluster" needs to know where all nodes count: `edge.limitsRedis` with the URL of a Redis',
    ],
  ],
  [
    'networks are looked up in a table',
    { key: ['asn', 'path'] },
    ['limits[0].key: "asn" needs a table of networks: `geo.asn` with the path of a MaxMind file'],
  ],
]

for (const [name, limit, problems] of bad) {
  test(name, () => assert.deepEqual(problemsOf(limit), problems))
}

test('what a kind lacks is told in the words of that kind', () => {
  const result = checkConfig({
    limits: [
      { name: 'a', kind: 'concurrency' },
      { name: 'b', kind: 'bandwidth' },
    ],
  })
  assert.ok(result.kind === 'problems')
  assert.deepEqual(
    result.problems.map(({ path, message }) => `${path}: ${message}`),
    [
      'limits[0].key: missing; expected "address", "pair", "path", "host", "asn", "all", "header:NAME", "cookie:NAME", or a list of them',
      'limits[0].max: missing; expected a whole number from 1 to 1000000',
      'limits[1].bytesPerSecond: missing; expected a size such as "64mb" (b, kb, mb, gb, tb)',
    ],
  )
})

test('a list of nothing is told what it would be for', () => {
  assert.deepEqual(
    [{ key: [] }, { paths: [] }, { methods: [] }].flatMap((limit) => problemsOf(limit)),
    [
      'limits[0].key: expected "address", "pair", "path", "host", "asn", "all", "header:NAME", "cookie:NAME", or a list of them, got an empty list',
      'limits[0].paths: expected a list such as ["/login", "/api/*"], or none for all paths, got an empty list',
      'limits[0].methods: expected a list such as ["POST"], or none for all methods, got an empty list',
    ],
  )
})

test('the time of a rate is whole milliseconds', () => {
  for (const rate of ['10/0.5ms', '10/1.5ms', '1/1.0005s']) assert.equal(problemsOf({ rate }).length, 1, rate)
  for (const rate of ['10/1.5s', '10/1.1s', '10/0.5m', '1/2.0ms'])
    assert.deepEqual(problemsOf({ rate }), [], rate)
})

test('two limits of one list have other names', () => {
  const limit = { name: 'login', rate: '10/s' }
  const result = checkConfig({
    limits: [limit],
    sites: [{ origin: 'http://127.0.0.1:9000', limits: [limit, limit] }],
  })
  assert.deepEqual(result.kind === 'problems' && result.problems, [
    { path: 'sites[0].limits[1].name', message: 'sites[0].limits[0] is called "login" already' },
  ])
})

test('requests in flight are counted by something', () => {
  const result = checkConfig({ limits: [{ name: 'a', kind: 'concurrency', max: 3 }] })
  assert.deepEqual(result.kind === 'problems' && result.problems, [
    {
      path: 'limits[0].key',
      message:
        'missing; expected "address", "pair", "path", "host", "asn", "all", "header:NAME", "cookie:NAME", or a list of them',
    },
  ])
})

test('a site by itself may count with all nodes: where, stands in the configuration of each', () => {
  const limits = [{ name: 'a', rate: '10/s', scope: 'cluster', key: 'asn' }]
  assert.equal(checkSite({ origin: 'http://127.0.0.1:9000', limits }).kind, 'site')
})

test('a limit bans for a time that a ban may have', () => {
  assert.deepEqual(problemsOf({ ban: { after: 5, within: '0s', for: '367d' } }), [
    'limits[0].ban.within: expected a time from "1ms" to "30d"',
    'limits[0].ban.for: expected a time from "1s" to "366d"',
  ])
  assert.deepEqual(problemsOf({ ban: { after: 1, within: '1ms', for: '1s' } }), [])
})

test('every algorithm stands by itself, windows on a sketch, and large numbers where they are round', () => {
  const good: readonly object[] = [
    ...['token-bucket', 'leaky-bucket', 'leaky-queue', 'fixed-window', 'sliding-window', 'sliding-log'].map(
      (algorithm) => ({ algorithm, key: 'address' }),
    ),
    { algorithm: 'gcra', burst: 0 },
    { algorithm: 'shaper', queue: 100 },
    { algorithm: 'sliding-window', store: 'sketch', startFull: true, key: 'address' },
    { algorithm: 'fixed-window', rate: '999999937/2591999999ms' },
    { rate: '1000000000/30d' },
    { rate: '1/1ms' },
    { key: 'header:x-api-key', prefixes: { v4: [32, 24], v6: [64, { length: 48, rate: '50/s' }] } },
  ]
  for (const limit of good) assert.deepEqual(problemsOf(limit), [])
})

test('the Redis of limits has a prefix without braces, and times within reason', () => {
  const limitsRedis = { url: 'redis://127.0.0.1', prefix: 'a{b}', timeout: '0ms', settle: '1m' }
  const result = checkConfig({ sites: [], edge: { limitsRedis } })
  assert.deepEqual(result.kind === 'problems' && result.problems, [
    {
      path: 'edge.limitsRedis.prefix',
      message: 'expected a prefix without braces: in a Cluster they say which server has a key, got "a{b}"',
    },
    { path: 'edge.limitsRedis.timeout', message: 'expected a time from "1ms" to "10s", got "0ms"' },
    { path: 'edge.limitsRedis.settle', message: 'expected a time from "10ms" to "10s", got "1m"' },
  ])
})
