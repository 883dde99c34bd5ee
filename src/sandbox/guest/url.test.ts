/** The guest's URL and URLSearchParams beside Node's own, which follow the same standard. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { URL as GuestURL } from './url.ts'
import { URLSearchParams as GuestParams } from './search-params.ts'

const FIELDS = [
  'href',
  'origin',
  'protocol',
  'username',
  'password',
  'host',
  'hostname',
  'port',
  'pathname',
  'search',
  'hash',
] as const

function read(URLClass: typeof URL | typeof GuestURL, input: string, base: string | undefined): unknown {
  let url: URL | GuestURL
  try {
    url = new URLClass(input, base)
  } catch {
    return 'refused'
  }
  return { ...Object.fromEntries(FIELDS.map((field) => [field, url[field]])), params: [...url.searchParams] }
}

function same(input: string, base?: string): void {
  assert.deepEqual(read(GuestURL, input, base), read(URL, input, base), `${JSON.stringify(input)} on ${base}`)
}

/** A small generator of good quality, so that a failure can be run again by its seed. */
function mulberry32(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const WHOLE = [
  'http://example.org',
  'HTTP://EXAMPLE.org:80/',
  'https://user:pa%20ss@example.org:8443/a/b?c=d&e#f',
  'http://user@@host/',
  'http://a:b@/x',
  'http://example.org:99999/',
  'http://example.org:/x',
  'http:/example.org/x',
  'http:example.org',
  'http:\\\\example.org\\a\\b',
  'http://example.org/a/./b/../c/%2e%2E/d',
  'http://example.org/../../x',
  'http://example.org/a b"<>`{}^|\\x',
  'http://example.org/é?é=ü#ö',
  'http://example.org/?a=\'b\'&c="d"',
  'http://example.org/a?b#c#d',
  'http://example.org?x',
  'http://example.org#x',
  '  http://example.org/\t\nx  ',
  'http://[::1]/',
  'http://[1:0:0:2:0:0:0:3]:81/',
  'http://[::ffff:192.168.0.1]/',
  'http://[1::2::3]/',
  'http://[::1',
  'http://[1:2:3:4:5:6:7:8:9]/',
  'http://[1:2:3:4:5:6:7]/',
  'http://[12345::]/',
  'http://127.1/',
  'http://0x7f.0.0.1/',
  'http://017700000001/',
  'http://256.0.0.1/',
  'http://1.2.3.4.5/',
  'http://1.2.3/',
  'http://4294967295/',
  'http://4294967296/',
  'http://1.2.3.4./',
  'http://a.0x/',
  'http://a.1b/',
  'http://ex%61mple.org/',
  'http://ex ample.org/',
  'http://ex%00ample.org/',
  'http://exa<mple.org/',
  'http:///x',
  'http://?x',
  'mailto:someone@example.org',
  'data:text/plain,hello world  ?q#f',
  'javascript:alert(1)',
  'foo://host/a/../b?q',
  'foo://host:80/',
  'foo:/a/../..//b',
  'foo:a/../b',
  'foo://',
  'foo:///x',
  'foo://:80/x',
  'foo://ho%st/\\x',
  'foo:',
  'file:///etc/passwd',
  'file://localhost/etc',
  'file://host/x',
  'file:x',
  'ws://example.org:80/',
  'wss://example.org:443/',
  '',
  '//example.org',
  'example.org',
  '1http://x',
]

const RELATIVE = [
  '',
  '?x',
  '#y',
  'z',
  './z',
  '../z',
  '../../../z',
  '/z',
  '//other/z',
  '\\z',
  '\\\\other\\z',
  'http:z',
  'http://x',
  'https:z',
  'foo:z',
  '.',
  '..',
  './',
  '../?q',
  'z/..',
  ':x',
  'é',
]

const BASES = [
  'http://example.org/a/b/c?q#f',
  'https://u:p@example.org:8443/',
  'foo://host/a/b',
  'foo:/a/b',
  'foo:opaque',
  'file:///a/b',
]

test('URLs read as Node reads them', () => {
  for (const input of WHOLE) same(input)
})

test('relative references resolve as Node resolves them', () => {
  for (const base of BASES) for (const input of RELATIVE) same(input, base)
})

test('random URLs read as Node reads them', () => {
  const seed = Date.now() % 2 ** 31
  const random = mulberry32(seed)
  const parts = [
    ...':/?#@[]\\.%&=+ -_~!$()*,;|^`{}<>"\'0129azAZ',
    'http',
    'foo:',
    '//',
    '::',
    '%2e',
    '%41',
    '..',
    '0x',
    'é',
    '😀',
  ]
  for (let round = 0; round < 20_000; round++) {
    let input =
      random(3) === 0 ? '' : ['http://', 'https://h/', 'foo://', 'foo:', 'http://h?', 'http://h:'][random(6)]!
    for (let i = random(8); i >= 0; i--) input += parts[random(parts.length)]
    const base = random(3) === 0 ? BASES[random(BASES.length)] : undefined
    // Names outside ASCII, which we refuse, and drive letters of `file:`, which we do not know.
    if (/[^\0-\x7f]/.test(input) || input.includes('xn--') || base?.startsWith('file:')) continue
    try {
      same(input, base)
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  }
})

test('a host outside ASCII is refused: write it in punycode', () => {
  assert.throws(() => new GuestURL('http://bücher.example/'), /is not a URL/)
  assert.equal(new GuestURL('http://xn--bcher-kva.example/').host, 'xn--bcher-kva.example')
})

test('setters change what Node changes', () => {
  const values: Partial<Record<(typeof FIELDS)[number], string[]>> = {
    protocol: ['https', 'https:', 'foo', 'file:', '1x', 'ws:x'],
    username: ['a b', ''],
    password: ['p:w', ''],
    host: ['x.org:99', 'x.org', 'x.org:', 'x.org:abc', '[::1]:8', 'a/b', '', ':80', 'x@y', 'ex ample'],
    hostname: ['y.org', 'y.org:8', '', '127.1'],
    port: ['81', '80', '', '8x', 'x', '99999', '443'],
    pathname: ['/a?b#c', 'x', '', '../y', '/a b'],
    search: ['?a=b#', 'x y', '', '?'],
    hash: ['#a b', 'x', '', '#'],
    href: ['http://z/', 'foo:bar'],
  }
  for (const start of [
    'http://u:p@example.org:8080/p?q#f',
    'https://h/',
    'foo://h/p',
    'foo:x',
    'file:///x',
  ]) {
    for (const [field, list] of Object.entries(values)) {
      for (const value of list) {
        const [ours, nodes] = [new GuestURL(start), new URL(start)]
        Object.assign(ours, { [field]: value })
        Object.assign(nodes, { [field]: value })
        assert.equal(ours.href, nodes.href, `${start} ${field}=${value}`)
      }
    }
  }
  const url = new GuestURL('http://h/')
  assert.throws(() => (url.href = 'nonsense'), TypeError)
})

test('searchParams and search are two views of one query', () => {
  const url = new GuestURL('http://h/?a=1&b=2')
  const params = url.searchParams
  params.append('c', 'x y')
  assert.equal(url.href, 'http://h/?a=1&b=2&c=x+y')
  url.search = '?d=%41'
  assert.equal(params.get('d'), 'A')
  params.delete('d')
  assert.equal(url.href, 'http://h/')
})

test('queries are read and written as Node does', () => {
  const queries = [
    '',
    'a',
    'a=',
    '=a',
    '=',
    '&&a=b&&',
    'a=b=c',
    'a+b=c+d',
    '%61=%C3%A9',
    'a=%',
    'a=%zz',
    'a=%C3',
    'x=é&y=😀',
    '?a=b',
    'a=1&a=2&b=3',
  ]
  for (const query of queries) {
    const [ours, nodes] = [new GuestParams(query), new URLSearchParams(query)]
    // One by one first: `get` scans before the list is made.
    for (const name of ['a', 'b', 'a b', '', 'a=b', 'é', 'x', 'A', 'a&b']) {
      assert.equal(new GuestParams(query).get(name), nodes.get(name), `${query} get ${name}`)
      assert.deepEqual(ours.getAll(name), nodes.getAll(name), `${query} getAll ${name}`)
      assert.equal(ours.has(name), nodes.has(name))
    }
    assert.deepEqual([...ours], [...nodes])
    assert.equal(ours.toString(), nodes.toString())
    assert.equal(ours.size, nodes.size)
  }
})

test('parameters change as Node changes them', () => {
  const play = (params: URLSearchParams | GuestParams) => {
    const log: unknown[] = []
    params.append('b', '1')
    params.append('a', '~!*()\'"é😀 +%&=')
    params.append('b', '2')
    params.set('c', '\ud800')
    params.sort()
    log.push(params.toString(), params.has('b', '2'), params.has('b', '3'))
    params.delete('b', '2')
    log.push(params.toString())
    params.set('b', '9')
    params.append('b', '10')
    params.set('b', '11')
    log.push([...params.keys()], [...params.values()])
    params.delete('b')
    params.delete('a')
    params.delete('c')
    params.append('z', '')
    params.forEach((value: string, name: string) => log.push(name, value))
    return log
  }
  assert.deepEqual(play(new GuestParams()), play(new URLSearchParams()))
  for (const init of [
    { a: '1', b: '2' },
    [
      ['a', '1'],
      ['a', '2'],
    ],
    new Map([['m', 'n']]),
  ]) {
    assert.equal(
      new GuestParams(init).toString(),
      new URLSearchParams(init as Record<string, string>).toString(),
    )
  }
  assert.equal(new GuestParams(new GuestParams('a=1')).toString(), 'a=1')
  assert.throws(() => new GuestParams([['a']]), TypeError)
})
