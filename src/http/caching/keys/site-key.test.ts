import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as v from 'valibot'
import { SiteCache } from '../../../config/cache-schema.ts'
import { parseAuthority } from '../../../wire/http1/authority.ts'
import { Client } from '../../client.ts'
import { SiteKey } from './site-key.ts'
import { compileUnkeyed } from './unkeyed.ts'

const http = new Client({ address: '192.0.2.1', port: 1, scheme: 'http' })
const https = new Client({ address: '192.0.2.1', port: 1, scheme: 'https' })

const siteKey = (key: object = {}, sharedAs?: string) =>
  new SiteKey(v.parse(SiteCache, { key }).key, sharedAs)

interface Asked {
  readonly client?: Client
  readonly host?: string
  readonly target?: string
  readonly headers?: readonly string[]
  readonly mark?: string
  readonly own?: string
}

function keyOf(key: SiteKey, asked: Asked = {}): string {
  const { client = http, host = 'example.org', target = '/a', headers = [], mark = '', own } = asked
  return key.of(client, { ...parseAuthority(host)!, target, headers }, mark, own)
}

test('host and port are written in one way: lower case, no dot at the end, no port of the scheme', () => {
  const key = siteKey()
  for (const [client, host, expected] of [
    [http, 'Example.ORG', 'http://example.org/a'],
    [http, 'example.org.', 'http://example.org/a'],
    [http, 'example.org:80', 'http://example.org/a'],
    [http, 'example.org.:80', 'http://example.org/a'],
    [http, 'example.org:', 'http://example.org/a'],
    [http, 'example.org:0080', 'http://example.org/a'],
    [http, 'example.org:443', 'http://example.org:443/a'],
    [https, 'example.org:443', 'https://example.org/a'],
    [https, 'example.org:80', 'https://example.org:80/a'],
    [http, 'example.org:8080', 'http://example.org:8080/a'],
    [http, '[2001:DB8::1]', 'http://[2001:db8::1]/a'],
    [http, '[2001:db8::1]:80', 'http://[2001:db8::1]/a'],
    [http, '[2001:db8::1]:81', 'http://[2001:db8::1]:81/a'],
  ] as const)
    assert.equal(keyOf(key, { client, host }), expected, host)
})

test('the bytes of a path are kept as they came', () => {
  const key = siteKey({ query: 'none', sortQuery: true })
  for (const target of ['/a%2fb', '/a%2Fb', '/a/../b', '//a', '/a/', '/%61', '/A', '/a;b=c', '/\xe9'])
    assert.equal(keyOf(key, { target }), `http://example.org${target}`)
})

test('a query tells answers apart as it is configured', () => {
  const cases: readonly (readonly [object, string, string])[] = [
    [{}, '/a?b=1&&a=2&', '/a?b=1&&a=2&'],
    [{ query: 'none' }, '/a?b=1', '/a'],
    [{ query: { only: ['page'] } }, '/a?page=2&utm_source=x&page=3', '/a?page=2&page=3'],
    [{ query: { only: ['page'] } }, '/a?x=1', '/a'],
    [{ query: { only: ['filter[*'] } }, '/a?filter%5Ba%5D=1&b=2', '/a?filter%5Ba%5D=1'],
    [{ query: { only: ['a b'] } }, '/a?a+b=1&a%20b=2', '/a?a+b=1&a%20b=2'],
    [{ query: { except: ['utm_*', 'fbclid'] } }, '/a?utm_source=x&id=7&fbclid=y', '/a?id=7'],
    [{ query: { except: ['utm_*'] } }, '/a?%75tm_source=x&id=7', '/a?id=7'],
    [{ query: { except: ['*'] } }, '/a?x', '/a'],
    // What cannot be decoded stands for itself.
    [{ query: { only: ['%zz'] } }, '/a?%zz=1', '/a?%zz=1'],
    [{ sortQuery: true }, '/a?b=2&a=1&b=1', '/a?a=1&b=2&b=1'],
    [{ sortQuery: true, query: { except: ['b'] } }, '/a?c&b=2&a=1', '/a?a=1&c'],
    [{ sortQuery: true }, '/a', '/a'],
  ]
  for (const [key, target, expected] of cases) {
    const made = siteKey(key)
    assert.equal(keyOf(made, { target }), `http://example.org${expected}`, target)
    assert.equal(made.targetOf(target), expected, 'the origin is asked for the same')
  }
})

test('another separator than & hides nothing from the key: what is left out goes out whole', () => {
  const key = siteKey({ query: { except: ['utm_source'] } })
  assert.equal(key.targetOf('/a?utm_source=x;admin=1&id=7'), '/a?id=7')
  assert.equal(key.targetOf('/a?id=7;utm_source=x'), '/a?id=7;utm_source=x')
})

test('headers and cookies are absent, empty or something, and each is another key', () => {
  const key = siteKey({ headers: ['X-Tenant'], cookies: ['lang'] })
  const keys = [
    [],
    ['x-tenant', ''],
    ['x-tenant', 'a'],
    ['x-tenant', 'a', 'x-tenant', 'b'],
    ['cookie', 'lang'],
    ['cookie', 'lang='],
    ['cookie', 'other=1; lang=de'],
    ['cookie', 'lang=de; lang=en'],
    ['cookie', 'lang=en; lang=de'],
    ['cookie', 'lang=de,en'],
  ].map((headers) => keyOf(key, { headers }))
  assert.equal(new Set(keys).size, keys.length, keys.join('\n'))
  assert.equal(keys[0], 'http://example.org/a h:x-tenant c:lang')
  assert.equal(keys[6], 'http://example.org/a h:x-tenant c:lang=de')
  assert.equal(keyOf(key, { headers: ['cookie', 'a=1', 'cookie', 'lang=de'] }), keys[6])
  assert.equal(keyOf(key, { headers: ['cookie', 'xlang=de; Lang=de'] }), keys[0])
})

test('no value makes the key of another request', () => {
  const key = siteKey({ headers: ['x-a', 'x-b'], device: true })
  const forged = keyOf(key, { headers: ['x-a', '1 h:x-b=2 d:phone', 'x-b', '3'] })
  const honest = keyOf(key, { headers: ['x-a', '1', 'x-b', '2'] })
  assert.equal(honest, 'http://example.org/a h:x-a=1 h:x-b=2 d:desktop')
  assert.notEqual(forged, honest)
  assert.equal(forged.split(' ').length, honest.split(' ').length)
  for (const value of ['%20', ' ', '\t', '=', ',', '#', '\xff', 'a\xa0b']) {
    const made = keyOf(key, { headers: ['x-a', value] })
    assert.equal(made.split(' ').length, 4, value)
    assert.match(made, /^[!-~ ]+$/)
  }
})

test('a value of 64 KiB takes the room of its hash, and is told apart by its last byte', () => {
  const key = siteKey({ headers: ['x-a'], cookies: ['c'] })
  const long = (end: string) =>
    keyOf(key, { headers: ['x-a', 'x'.repeat(65_535) + end, 'cookie', `c=${'y'.repeat(65_535)}${end}`] })
  assert.ok(long('1').length < 200)
  assert.notEqual(long('1'), long('2'))
  // A short value cannot pretend to be a hash.
  const [, hash = ''] = /h:x-a=(#\S+)/.exec(long('1'))!
  assert.ok(!keyOf(key, { headers: ['x-a', hash] }).includes(`=${hash}`))
})

test('clients of a new version, of another host behind a proxy and of a shared store have keys of their own, plain part first', () => {
  const proxied = new Client({
    address: '192.0.2.1',
    port: 1,
    scheme: 'https',
    forwardedHost: 'shop.example',
  })
  const key = siteKey({ device: true }, 'shop')
  const made = keyOf(key, { client: proxied, mark: 'page@2' })
  assert.equal(made, 'shop https://example.org/a d:desktop f:shop.example page@2')
  assert.equal(key.plainPartOf(made), 'shop https://example.org/a')
  assert.equal(key.plainOf(proxied, parseAuthority('example.org')!, '/a'), 'shop https://example.org/a')
})

test("a unit's key stands behind scheme and host, in place of all that is configured", () => {
  const key = siteKey({ headers: ['x-a'], query: 'none' })
  assert.equal(keyOf(key, { own: '/mine?x' }), 'http://example.org/mine?x u')
  assert.equal(keyOf(key, { own: '/mine', mark: 'page@2' }), 'http://example.org/mine u page@2')
  assert.notEqual(keyOf(siteKey(), { own: '/a' }), keyOf(siteKey()))
})

test('a URL as a person writes it leads to what its keys begin with', () => {
  const key = siteKey({ query: { except: ['utm_*'] } }, 'shop')
  const cases: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['HTTPS://Example.org:443/A?b=1', ['https://example.org/A?b=1']],
    ['http://example.org.', ['http://example.org/']],
    ['http://example.org?x=1', ['http://example.org/?x=1']],
    [
      'http://example.org/a?utm_x=1&b=2#part',
      ['http://example.org/a?b=2', 'http://example.org/a?utm_x=1&b=2'],
    ],
    ['http://example.org/%2f/../ü b', ['http://example.org/%2f/../%C3%BC%20b']],
    ['http://[2001:DB8::1]:80/', ['http://[2001:db8::1]/']],
    ['ftp://example.org/', undefined],
    ['/a', undefined],
    ['http:///a', undefined],
    ['http://user@example.org/', undefined],
  ]
  for (const [url, keys] of cases) assert.deepEqual(key.purgeKeysOf(url), keys, url)
})

test('what a client cannot say reaches no origin unless the site says so', () => {
  const isUnkeyed = compileUnkeyed(
    v.parse(SiteCache, {
      key: { headers: ['X-Host'] },
      unkeyedHeaders: ['x-forwarded-prefix', 'orla-device'],
    }),
  )
  for (const name of [
    'x-original-url',
    'x_original_url',
    'x_host',
    'accept_language',
    'x-http-method-override',
    'forwarded',
    'orla-device',
  ])
    assert.ok(isUnkeyed(name), name)
  for (const name of ['x-host', 'x-forwarded-prefix', 'x-forwarded-for', 'x_own', 'cookie', 'authorization'])
    assert.ok(!isUnkeyed(name), name)
})
