import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CidrSet } from '../../base/cidr.ts'
import { parseRequestHead } from '../../wire/http1/request-parser.ts'
import type { RequestHead } from '../../wire/http1/message.ts'
import type { ForwardedFrom } from './claims.ts'
import { addHopFields, isLoop, loopMark, type ForwardedMode } from './hop.ts'
import { Peer } from './peer.ts'

const LIMITS = { headBytes: 32_768, targetBytes: 8192, headerCount: 100 }

function head(...lines: string[]): RequestHead {
  const text = ['GET /a HTTP/1.1', 'Host: example.org', ...lines].map((line) => `${line}\r\n`).join('')
  const bytes = Buffer.from(`${text}\r\n`, 'latin1')
  const parsed = parseRequestHead(bytes, 0, bytes.length, LIMITS)
  assert.equal(parsed.kind, 'head')
  return (parsed as { head: RequestHead }).head
}

interface Around {
  readonly address?: string
  readonly trusted?: readonly string[]
  readonly from?: ForwardedFrom
  readonly mode?: ForwardedMode
  readonly scheme?: 'http' | 'https'
}

const TRUSTED = ['10.0.0.0/8', '2001:db8::/32']

function peerOf({ address = '10.0.0.1', trusted = TRUSTED, from = 'either', scheme = 'http' }: Around): Peer {
  return new Peer({ address, port: 5, scheme, localPort: 8080 }, { trusted: CidrSet.of(trusted), from })
}

/** `address:port scheme host` of who is believed to ask. */
function asked(lines: readonly string[], around: Around = {}): string {
  const client = peerOf(around).clientOf(head(...lines))
  return `${client.address} ${client.port} ${client.scheme} ${client.forwardedHost ?? '-'}`
}

test('the client of a trusted proxy is read from right to left, up to the first that is not trusted', () => {
  const cases: readonly (readonly [lines: readonly string[], asked: string])[] = [
    [[], '10.0.0.1 5 http -'],
    [['X-Forwarded-For: 192.0.2.1'], '192.0.2.1 0 http -'],
    [['X-Forwarded-For: 6.6.6.6, 192.0.2.1'], '192.0.2.1 0 http -'],
    [['X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.1.1.1'], '192.0.2.1 0 http -'],
    [['X-Forwarded-For: 6.6.6.6', 'X-Forwarded-For: 192.0.2.1 ,10.1.1.1'], '192.0.2.1 0 http -'],
    [['X-Forwarded-For: 10.3.3.3, 10.2.2.2'], '10.3.3.3 0 http -'],
    [['X-Forwarded-For: 192.0.2.1:4711'], '192.0.2.1 4711 http -'],
    [['X-Forwarded-For: [2001:db9::1]:4711, 2001:db8::7'], '2001:db9::1 4711 http -'],
    [['X-Forwarded-For: ::ffff:192.0.2.1'], '192.0.2.1 0 http -'],
    [['X-Forwarded-For: 192.0.2.1, garbage'], '10.0.0.1 5 http -'],
    [['X-Forwarded-For: 192.0.2.1, garbage, 10.1.1.1'], '10.1.1.1 0 http -'],
    [['X-Forwarded-For: '], '10.0.0.1 5 http -'],
    [
      ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: HTTPS', 'X-Forwarded-Host: Shop.example:443'],
      '192.0.2.1 0 https shop.example:443',
    ],
    [['X-Forwarded-For: 6.6.6.6, 192.0.2.1', 'X-Forwarded-Proto: http, https'], '192.0.2.1 0 https -'],
    [['X-Forwarded-For: 192.0.2.1, 10.1.1.1', 'X-Forwarded-Proto: https, http'], '192.0.2.1 0 https -'],
    [
      ['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: gopher', 'X-Forwarded-Host: a b'],
      '192.0.2.1 0 http -',
    ],
    [['X-Forwarded-Proto: https'], '10.0.0.1 5 https -'],
    [['Forwarded: for=192.0.2.1;proto=https;host=a.example'], '192.0.2.1 0 https a.example'],
    [
      ['Forwarded: for=6.6.6.6;proto=https, for="[2001:db9::1]:80";proto=http, for=10.1.1.1'],
      '2001:db9::1 80 http -',
    ],
    [['Forwarded: for=_hidden;proto=https'], '10.0.0.1 5 https -'],
    [['Forwarded: for=192.0.2.1;for=6.6.6.6'], '10.0.0.1 5 http -'],
    [['Forwarded: for=6.6.6.6', 'X-Forwarded-For: 192.0.2.1'], '192.0.2.1 0 http -'],
  ]
  for (const [lines, expected] of cases) assert.equal(asked(lines), expected, lines.join(' | '))
})

test('of two families that disagree, the one that proxies are said to write counts', () => {
  const both = ['Forwarded: for=192.0.2.1', 'X-Forwarded-For: 6.6.6.6']
  assert.equal(asked(both, { from: 'rfc7239' }), '192.0.2.1 0 http -')
  assert.equal(asked(both, { from: 'x-forwarded' }), '6.6.6.6 0 http -')
  assert.equal(asked(['Forwarded: for=6.6.6.6'], { from: 'x-forwarded' }), '10.0.0.1 5 http -')
  assert.equal(asked(['X-Forwarded-For: 6.6.6.6'], { from: 'rfc7239' }), '10.0.0.1 5 http -')
})

test('whoever is not trusted names nobody, and nobody reads what he wrote', () => {
  const peer = peerOf({ address: '198.51.100.9' })
  const forged = head(
    'X-Forwarded-For: 127.0.0.1',
    'Accept: */*',
    'FORWARDED: for=127.0.0.1',
    'x-real-ip: 127.0.0.1',
    'X-Forwarded-Prefix: /admin',
    'X_Forwarded_For: 127.0.0.1',
    'X-Real_IP: 127.0.0.1',
    'CDN-Loop: other',
  )
  assert.equal(peer.clientOf(forged).address, '198.51.100.9')
  const believed = peer.believed(forged)
  assert.deepEqual(believed.headers, ['host', 'example.org', 'accept', '*/*', 'cdn-loop', 'other'])
  assert.equal(believed.raw, 'GET /a HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\nCDN-Loop: other\r\n')
})

test('nobody says in underscores who asks, a trusted proxy neither', () => {
  const peer = peerOf({ address: '10.0.0.1' })
  const passed = head('X-Forwarded-For: 192.0.2.1', 'X_Forwarded_For: 127.0.0.1', 'X_Other: 1')
  assert.equal(peer.clientOf(passed).address, '192.0.2.1')
  const believed = peer.believed(passed)
  assert.deepEqual(believed.headers, ['host', 'example.org', 'x-forwarded-for', '192.0.2.1', 'x_other', '1'])
  assert.equal(
    believed.raw,
    'GET /a HTTP/1.1\r\nHost: example.org\r\nX-Forwarded-For: 192.0.2.1\r\nX_Other: 1\r\n',
  )
  const plain = head('X-Forwarded-For: 192.0.2.1')
  assert.equal(peer.believed(plain), plain)
})

test('a dual-stack socket and a link-local one show the address itself', () => {
  assert.equal(peerOf({ address: '::ffff:10.0.0.7' }).client.address, '10.0.0.7')
  assert.ok(peerOf({ address: '::ffff:10.0.0.7' }).isTrusted)
  assert.equal(peerOf({ address: 'fe80::1%eth0' }).client.address, 'fe80::1')
})

test('requests that repeat the fields of the one before are judged once, and each keeps its own target', () => {
  const peer = peerOf({ address: '198.51.100.9' })
  const first = head('X-Forwarded-For: 6.6.6.6')
  const again = { ...first, target: '/b', path: '/b', raw: first.raw.replace('/a', '/b') }
  assert.equal(peer.believed(again).headers, peer.believed(first).headers)
  assert.equal(peer.believed(again).raw, 'GET /b HTTP/1.1\r\nHost: example.org\r\n')
  const trusted = peerOf({})
  assert.equal(trusted.clientOf(first), trusted.clientOf(again))
})

const MARK = loopMark('0123')

/** The fields that are added for the origin, `name: value` in order. */
function onward(lines: readonly string[], around: Around = {}, isEdited = false, isKeyed = false): string[] {
  const peer = peerOf(around)
  const received = head(...lines)
  const believed = received.hasForwarding ? peer.believed(received) : received
  const client = received.hasForwarding ? peer.clientOf(received) : peer.client
  const list = addHopFields([...believed.headers], {
    head: believed,
    peer,
    client,
    mode: around.mode ?? 'x-forwarded',
    loopMark: MARK,
    isEdited,
    isKeyed,
  })
  return list.flatMap((text, i) => (i % 2 === 0 && i > 0 ? [`${text}: ${list[i + 1]}`] : []))
}

const HOP = ['via: 1.1 orla', 'cdn-loop: orla; node=0123']

test('the origin is told of the client in the fields that the site chose', () => {
  const plain = { address: '192.0.2.1' }
  const xForwarded = [
    'x-forwarded-for: 192.0.2.1',
    'x-forwarded-proto: http',
    'x-forwarded-host: example.org',
    'x-forwarded-port: 8080',
  ]
  const forwarded = 'forwarded: for=192.0.2.1;host=example.org;proto=http'
  assert.deepEqual(onward([], plain), [...xForwarded, ...HOP])
  assert.deepEqual(onward([], { ...plain, mode: 'both' }), [...xForwarded, forwarded, ...HOP])
  assert.deepEqual(onward([], { ...plain, mode: 'rfc7239' }), [forwarded, ...HOP])
  assert.deepEqual(onward([], { ...plain, mode: 'none' }), HOP)
  const lies = [
    'X-Forwarded-For: 6.6.6.6',
    'Forwarded: for=6.6.6.6',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Port: 1',
  ]
  assert.deepEqual(onward(lies, { ...plain, mode: 'both' }), [...xForwarded, forwarded, ...HOP])
  assert.deepEqual(onward(lies, { ...plain, mode: 'none' }), HOP)
})

test('an IPv6 address stands in brackets and quotes in Forwarded, and bare in X-Forwarded-For', () => {
  const fields = onward([], { address: '2001:db9::1', mode: 'both', scheme: 'https' })
  assert.ok(fields.includes('x-forwarded-for: 2001:db9::1'))
  assert.ok(fields.includes('forwarded: for="[2001:db9::1]";host=example.org;proto=https'))
})

test('the origin of a site with a cache is told host and port as the key has them', () => {
  const told = (lines: readonly string[], around: Around = {}) =>
    onward(lines, { address: '192.0.2.1', mode: 'both', ...around }, false, true)
  assert.deepEqual(told([]), [
    'x-forwarded-for: 192.0.2.1',
    'x-forwarded-proto: http',
    'x-forwarded-host: example.org',
    'x-forwarded-port: 80',
    'forwarded: for=192.0.2.1;host=example.org;proto=http',
    ...HOP,
  ])
  assert.ok(told([], { scheme: 'https' }).includes('x-forwarded-port: 443'))
  const behind = told(['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: https'], { address: '10.0.0.1' })
  assert.ok(behind.includes('x-forwarded-port: 443'))
})

test('a chain of trusted proxies grows by one hop', () => {
  const chain = [
    'X-Forwarded-For: 192.0.2.1',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: shop.example',
    'X-Forwarded-Port: 443',
    'Via: 2 front',
  ]
  assert.deepEqual(onward(chain), [
    'via: 2 front',
    'x-forwarded-for: 192.0.2.1, 10.0.0.1',
    'x-forwarded-proto: https',
    'x-forwarded-host: shop.example',
    'x-forwarded-port: 443',
    ...HOP,
  ])
  assert.deepEqual(onward(['Forwarded: for=192.0.2.1;proto=https'], { mode: 'rfc7239' }), [
    'forwarded: for=192.0.2.1;proto=https, for=10.0.0.1;host=example.org;proto=http',
    ...HOP,
  ])
})

test('what a proxy says in one family is told in the other', () => {
  const [own] = onward(['X-Forwarded-For: 192.0.2.1', 'X-Forwarded-Proto: https'], { mode: 'rfc7239' })
  assert.equal(own, 'forwarded: for=192.0.2.1;proto=https, for=10.0.0.1;host=example.org;proto=http')
  const fields = onward(['Forwarded: for=192.0.2.1;proto=https;host=shop.example'])
  assert.deepEqual(fields.slice(0, 4), [
    'x-forwarded-for: 192.0.2.1, 10.0.0.1',
    'x-forwarded-proto: https',
    'x-forwarded-host: shop.example',
    'x-forwarded-port: 443',
  ])
})

test('a request that has been at this node is a loop, and at another one is not', () => {
  const looped = ['cdn-loop', 'fastly, orla; node=0123;x=1']
  assert.ok(isLoop(looped, MARK))
  assert.ok(!isLoop(looped, loopMark('9999')))
  assert.ok(!isLoop(['via', '1.1 orla'], MARK))
  const fields = onward(['CDN-Loop: fastly'])
  assert.deepEqual(fields[0], 'cdn-loop: fastly')
  assert.deepEqual(fields.slice(-2), HOP)
})
