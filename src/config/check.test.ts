import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConfig } from './check.ts'

const problemsOf = (input: unknown): string[] => {
  const result = checkConfig(input)
  return result.kind === 'problems' ? result.problems.map(({ path, message }) => `${path}: ${message}`) : []
}

const ORIGIN = 'http://127.0.0.1:9000'
const ENDPOINT = 'expected "http://HOST:PORT" or "https://HOST:PORT", without a path'
const LISTEN = 'expected "ADDRESS:PORT", such as "127.0.0.1:8080"'

/** Each bad configuration, with all that is said about it. */
const bad: readonly (readonly [name: string, input: unknown, problems: readonly (string | RegExp)[]])[] = [
  [
    'a misspelt key is named once, with the nearest known one and the list of known ones',
    { sites: [{ orgin: ORIGIN }] },
    [
      'sites[0].orgin: unknown key `orgin`; did you mean `origin`? (known here: `name`, `hosts`, `paths`, `origin`, `static`, `upgrades`, `forwarded`, `redirectHttps`, `hsts`, `cache`, `accessLog`, `compress`, `limits`)',
    ],
  ],
  [
    'an unknown key far from all known ones gets the list alone',
    { upstreams: [] },
    [
      'upstreams: unknown key `upstreams` (known here: `edge`, `control`, `store`, `node`, `telemetry`, `limits`, `geo`, `bans`, `packet`, `dns`, `sites`, `sources`)',
    ],
  ],
  [
    'a source is told what it lacks, and its password is not shown',
    {
      sources: [
        { url: 'redis://127.0.0.1' },
        { kind: 'mongo', url: 'redis://127.0.0.1' },
        { kind: 'redis', url: 'http://:hidden@127.0.0.1', password: 5, everySeconds: 0 },
      ],
    },
    [
      /^sources\[0\]\.kind: missing; expected "redis"$/,
      /^sources\[1\]\.kind: expected "redis", got "mongo"$/,
      /^sources\[2\]\.url: expected "redis:\/\/10\.0\.0\.7:6379", or a list of them$/,
      'sources[2].everySeconds: expected a number of seconds from 0.1 to 86400, got 0',
      /^sources\[2\]\.password: expected text$/,
    ],
  ],
  [
    'two sources of one name are told',
    {
      sources: [
        { kind: 'redis', url: 'redis://:a@10.0.0.7' },
        { kind: 'redis', url: 'redis://:b@10.0.0.7:6379/0' },
        { kind: 'redis', url: 'redis://10.0.0.7/1' },
        { kind: 'redis', url: 'redis://10.0.0.7', set: 'others' },
      ],
    },
    ['sources[1].name: sources[0] is called "10.0.0.7:6379/coding_units" already'],
  ],
  [
    'every unknown key is told, at every depth, also behind a union',
    { nod: {}, edg: {}, sites: [{ origin: { endpoints: [ORIGIN], timeouts: { conect: '1s' }, tsl: {} } }] },
    [
      /^nod: .*`node`/,
      /^edg: .*`edge`/,
      /^sites\[0\]\.origin\.timeouts\.conect: .*`connect`/,
      /^sites\[0\]\.origin\.tsl: .*`tls`/,
    ],
  ],
  [
    'a site without an origin is told what an origin is',
    { sites: [{ hosts: ['*'] }] },
    [
      'sites[0].origin: missing; expected "http://HOST:PORT", or an object with `endpoints`; or `static` with a folder of files',
    ],
  ],
  [
    'an origin object is read as one: its own problems are told',
    { sites: [{ origin: { connectionsMax: 0 } }] },
    [
      'sites[0].origin.endpoints: missing; expected a list such as ["http://127.0.0.1:9000"]',
      'sites[0].origin.connectionsMax: expected a whole number from 1, got 0',
    ],
  ],
  [
    'an origin of another kind is told both forms',
    { sites: [{ origin: 9000 }] },
    ['sites[0].origin: expected "http://HOST:PORT", or an object with `endpoints`, got 9000'],
  ],
  [
    'an origin with a path is refused',
    { sites: [{ origin: `${ORIGIN}/app` }] },
    [`sites[0].origin: ${ENDPOINT}, got "${ORIGIN}/app"`],
  ],
  [
    'an origin with a name and password is refused',
    { sites: [{ origin: 'http://a:b@c' }] },
    [`sites[0].origin: ${ENDPOINT}, got "http://a:b@c"`],
  ],
  [
    'a bad endpoint is named by its place',
    { sites: [{ origin: { endpoints: [ORIGIN, 'ftp://b', 7] } }] },
    [
      `sites[0].origin.endpoints[1]: ${ENDPOINT}, got "ftp://b"`,
      `sites[0].origin.endpoints[2]: ${ENDPOINT}, or an object with \`url\`, got 7`,
    ],
  ],
  [
    'an empty list of endpoints is refused',
    { sites: [{ origin: { endpoints: [] } }] },
    ['sites[0].origin.endpoints: expected at least one endpoint, got an empty list'],
  ],
  [
    'a time without a unit is refused',
    { edge: { limits: { idle: 5 } } },
    ['edge.limits.idle: expected a time such as "5s" (ms, s, m, h, d), got 5'],
  ],
  [
    'a size with an unknown unit is refused',
    { edge: { limits: { headBytes: '4 pages' } } },
    ['edge.limits.headBytes: expected a size such as "64mb" (b, kb, mb, gb, tb), got "4 pages"'],
  ],
  [
    'a listen address without a port is refused',
    { edge: { listen: '127.0.0.1' } },
    [`edge.listen: ${LISTEN}, got "127.0.0.1"`],
  ],
  ['a port above 65535 is refused', { edge: { listen: '127.0.0.1:70000' } }, [/^edge\.listen: /]],
  [
    'a bad address in a list is named by its place',
    { edge: { listen: ['127.0.0.1:1', 2] } },
    [`edge.listen[1]: ${LISTEN}, or an object with \`address\`, got 2`],
  ],
  [
    'a listen object of another shape is told the known keys',
    { edge: { listen: { port: 80 } } },
    [/^edge\.listen\.port: unknown key `port`/, `edge.listen.address: missing; ${LISTEN}`],
  ],
  [
    'a certificate without its key is refused by its place',
    { edge: { listen: [{ address: '127.0.0.1:0', tls: { certificates: [{ cert: 'a.pem' }] } }] } },
    ['edge.listen[0].tls.certificates[0].key: missing; expected the path of a PEM file'],
  ],
  [
    'a misspelt key of a listener in a list is named with the nearest one',
    { edge: { listen: [{ address: '127.0.0.1:0', tsl: {} }] } },
    [/^edge\.listen\[0\]\.tsl: unknown key `tsl`; did you mean `tls`\?/],
  ],
  [
    'HTTPS is not redirected to HTTPS',
    {
      edge: {
        listen: {
          address: '127.0.0.1:0',
          tls: { certificates: [{ cert: 'a', key: 'b' }] },
          redirectHttps: true,
        },
      },
    },
    [/^edge\.listen\[0\]\.redirectHttps: would send HTTPS to itself/],
  ],
  [
    'ACME is told what it lacks',
    { edge: { acme: {} }, sites: [{ origin: ORIGIN }] },
    [/^edge\.acme\.names: missing; no site has a host/, /^edge\.acme: needs a listener with `tls`/],
  ],
  [
    'half a worker is refused',
    { edge: { workers: 1.5 } },
    ['edge.workers: expected a whole number from 1 to 256, got 1.5'],
  ],
  [
    'too many workers are refused',
    { edge: { workers: 1000 } },
    ['edge.workers: expected a whole number from 1 to 256, got 1000'],
  ],
  [
    'a store has the keys of its kind',
    { store: { kind: 'replica', controll: 'http://a:8081', url: 'x' } },
    [
      'store.controll: unknown key `controll`; did you mean `control`? (known here: `kind`, `control`, `token`, `tokenFile`, `ca`, `path`, `log`)',
      'store.url: unknown key `url` (known here: `kind`, `control`, `token`, `tokenFile`, `ca`, `path`, `log`)',
    ],
  ],
  [
    'a store of an unknown kind is refused',
    { store: { kind: 'mongo' } },
    ['store.kind: expected "embedded", "redis", "etcd" or "replica", got "mongo"'],
  ],
  [
    'a token that no header can carry is refused, and not shown',
    { control: { token: 'a b' } },
    ['control.token: expected visible ASCII characters without spaces'],
  ],
  [
    'a host with a port is refused',
    { sites: [{ hosts: ['a.example:80'], origin: ORIGIN }] },
    [/^sites\[0\]\.hosts\[0\]: expected a host such as .* without a port, got "a\.example:80"/],
  ],
  [
    'a wildcard in the middle of a host is refused',
    { sites: [{ hosts: ['a.*.example'], origin: ORIGIN }] },
    [/^sites\[0\]\.hosts\[0\]: expected a host/],
  ],
  [
    'a host that two sites claim is refused',
    {
      sites: [
        { hosts: ['a.example', '*'], origin: ORIGIN },
        { hosts: ['A.example'], origin: ORIGIN },
      ],
    },
    ['sites[1].hosts[0]: the host "a.example" stands at sites[0].hosts[0] already'],
  ],
  [
    'a path that two sites of a host claim is refused, however it is written',
    {
      sites: [
        { name: 'a', hosts: ['a.example', 'b.example'], paths: ['/x', '/api/*'], origin: ORIGIN },
        { name: 'b', hosts: ['b.example'], paths: ['/%61pi//*'], origin: ORIGIN },
        { name: 'c', hosts: ['c.example'], paths: ['/api/*'], origin: ORIGIN },
      ],
    },
    ['sites[1].paths[0]: the host "b.example" with the path "/api/*" stands at sites[0].paths[1] already'],
  ],
  [
    'all paths are claimed by a site without any, and by one that says so',
    { sites: [{ origin: ORIGIN }, { name: 'b', paths: ['/x', '/*'], origin: ORIGIN }] },
    ['sites[1].paths[1]: the host "*" stands at sites[0].hosts[0] already'],
  ],
  [
    'a slice is an object that may be kept',
    { sites: [{ origin: ORIGIN, cache: { slice: '32mb' } }] },
    [
      'sites[0].cache.slice: is larger than an object may be that is kept; expected 16777216 bytes at most, or a larger `objectBytes`',
    ],
  ],
  [
    'a disk that could not even hold an index is refused, in both forms',
    {
      edge: { cache: { disk: { size: '0b' } } },
      sites: [{ origin: ORIGIN, cache: { disk: '255kb' } }],
    },
    [
      'edge.cache.disk.size: expected a size of at least "256kb", got 0',
      'sites[0].cache.disk: expected a size of at least "256kb", got 261120',
    ],
  ],
  [
    'a path that is none is refused',
    { sites: [{ name: 'a', paths: ['hls', '/a*b', '/x?y', '/é', 1], origin: ORIGIN }] },
    [
      'sites[0].paths[0]: expected a path that starts with "/", got "hls"',
      'sites[0].paths[1]: expected "*" at the end alone, got "/a*b"',
      'sites[0].paths[2]: expected a path without a query or fragment, got "/x?y"',
      'sites[0].paths[3]: expected a path as it is sent, percent-encoded, got "/é"',
      'sites[0].paths[4]: expected a path such as "/live.m3u8" or "/hls/*", got 1',
    ],
  ],
  [
    'a site that has a part of its hosts alone needs a name',
    { sites: [{ hosts: ['a.example'], paths: ['/x'], origin: ORIGIN }] },
    [/^sites\[0\]\.name: missing; a site with `paths` needs a name/],
  ],
  [
    'a site that is not an object is refused',
    { sites: ['http://a'] },
    ['sites[0]: expected an object, got "http://a"'],
  ],
  ['a list instead of a configuration is refused', [], [': expected an object, got an empty list']],
  ['nothing instead of a configuration is refused', null, [': expected an object, got null']],
  ['a key that every object has is no known key', { constructor: 1 }, [/^constructor: unknown key/]],
]

for (const [name, input, expected] of bad) {
  test(name, () => {
    const found = problemsOf(input)
    assert.equal(found.length, expected.length, found.join('\n'))
    for (const [index, problem] of expected.entries()) {
      if (typeof problem === 'string') assert.equal(found[index], problem)
      else assert.match(found[index]!, problem)
    }
  })
}

test('unknown keys and bad values of one file are all told at once', () => {
  const found = problemsOf({
    edge: { workers: 0, limits: { idle: '5', foo: 1, bar: 2 } },
    sites: [{ orgin: 'x' }, { origin: 4 }],
  })
  assert.deepEqual(found.map((problem) => problem.slice(0, problem.indexOf(':'))).toSorted(), [
    'edge.limits.bar',
    'edge.limits.foo',
    'edge.limits.idle',
    'edge.workers',
    'sites[0].orgin',
    'sites[1].origin',
  ])
})

test('ACME needs no names where the file has no sites: those that are set live bring them', () => {
  const listen = ['127.0.0.1:0', { address: '127.0.0.1:0', tls: {} }]
  assert.deepEqual(problemsOf({ edge: { listen, acme: {} } }), [])
  const [problem] = problemsOf({ edge: { listen, acme: { names: [] } } })
  assert.match(problem!, /^edge\.acme\.names: missing/)
})

test('a slice may be as large as the disk takes one, be it the own one of the site or the one that it shares', () => {
  const cache = { slice: '32mb' }
  assert.deepEqual(problemsOf({ sites: [{ origin: ORIGIN, cache: { ...cache, disk: '10gb' } }] }), [])
  const edge = { cache: { disk: '10gb' } }
  assert.deepEqual(problemsOf({ edge, sites: [{ origin: ORIGIN, cache }] }), [])
  // One with memory of its own does not go there.
  const [problem] = problemsOf({ edge, sites: [{ origin: ORIGIN, cache: { ...cache, ram: '64mb' } }] })
  assert.match(problem!, /^sites\[0\]\.cache\.slice: is larger than/)
})

test('an empty configuration has every default filled in', () => {
  const result = checkConfig({})
  assert.equal(result.kind, 'config')
  const { edge, control, store, sites, node } = result.config
  assert.deepEqual(
    edge.listen.map(({ address }) => address),
    ['127.0.0.1:8080'],
  )
  assert.equal(edge.workers, 1)
  assert.equal(edge.limits.headBytes, 32 * 1024)
  assert.equal(edge.limits.idle, 60_000)
  assert.equal(control.listen, '127.0.0.1:8081')
  assert.equal(store.kind, 'embedded')
  assert.notEqual(node.name, '')
  assert.deepEqual(sites, [])
})

test('an origin in short is one endpoint with the defaults of the long form', () => {
  const result = checkConfig({ sites: [{ origin: ORIGIN }] })
  assert.equal(result.kind, 'config')
  const [site] = result.config.sites
  assert.deepEqual(site!.hosts, ['*'])
  assert.deepEqual(site!.origin!.endpoints, [{ url: ORIGIN, name: ORIGIN, weight: 1, backup: false }])
  assert.equal(site!.origin!.timeouts.connect, 2000)
})

test('hosts are compared in lower case, and addresses may be hosts', () => {
  const result = checkConfig({
    sites: [{ hosts: ['TV.Example.com', '*.example.com', '10.0.0.1', '[::1]'], origin: ORIGIN }],
  })
  assert.equal(result.kind, 'config')
  assert.deepEqual(result.config.sites[0]!.hosts, ['tv.example.com', '*.example.com', '10.0.0.1', '[::1]'])
})

test('listen takes one address or a list, IPv6 in brackets', () => {
  for (const [listen, read] of [
    ['0.0.0.0:0', ['0.0.0.0:0']],
    [
      ['127.0.0.1:80', '[::1]:80'],
      ['127.0.0.1:80', '[::1]:80'],
    ],
  ]) {
    const result = checkConfig({ edge: { listen } })
    assert.equal(result.kind, 'config')
    assert.deepEqual(
      result.config.edge.listen.map(({ address }) => address),
      read,
    )
  }
})
