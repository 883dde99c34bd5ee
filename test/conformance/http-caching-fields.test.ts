/** Targeted control (RFC 9213), Cache-Status (RFC 9211), and origins that lie, of a running node. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { answerWith, startRawOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'
import { type Case, FUTURE, kept, startLab, type Step } from './http-caching.support.ts'

const FRESH = { 'cache-control': 'max-age=3600' }
const CDN = 'cdn-cache-control'
const OWN = 'orla-cache-control'

const targeted: readonly Case[] = [
  ...(
    [
      ['a lifetime', { [CDN]: 'max-age=60' }, 'cache'],
      ['a lifetime against no-store', { [CDN]: 'max-age=60', 'cache-control': 'no-store' }, 'cache'],
      ['a lifetime against Expires', { [CDN]: 'max-age=60', expires: '0' }, 'cache'],
      ['no lifetime against Expires', { [CDN]: 'max-age=0', expires: FUTURE }, 'origin'],
      ['no lifetime against another', { [CDN]: 'max-age=0', ...FRESH }, 'origin'],
      ['no-store', { [CDN]: 'no-store', ...FRESH }, 'origin'],
      ['private', { [CDN]: 'private', ...FRESH }, 'origin'],
      ['no-cache', { [CDN]: 'no-cache', ...FRESH }, 'origin'],
      ['nothing that is known', { [CDN]: 'foo', ...FRESH }, 'origin'],
      ['what is known among others', { [CDN]: 'foo;a=1, max-age=60;x, bar=(1 2)' }, 'cache'],
      ['an age', { [CDN]: 'max-age=60', age: '61' }, 'origin'],
      ['more than 2³¹', { [CDN]: 'max-age=99999999999' }, 'cache'],
    ] as const
  ).map(([name, answer, from]) => kept('RFC 9213 §2.2', `${CDN}: ${name}`, answer, from)),
  ...(
    [
      ['an empty one', ''],
      ['a name in capitals', 'Max-Age=0'],
      ['a space before =', 'max-age =0'],
      ['a space after =', 'max-age= 0'],
      ['what is no dictionary', 'max-age=0, &&&'],
      ['a comma at its end', 'max-age=0,'],
      ['a number that is too long', 'max-age=0, x=1234567890123456'],
    ] as const
  ).map(([name, value]) =>
    kept('RFC 9213 §2.1', `${name} is ignored whole`, { [CDN]: value, ...FRESH }, 'cache'),
  ),
  ...['"60"', '60.0', '?1', 'x', '(60)', '@60'].map((value) =>
    kept(
      'RFC 9213 §2.1',
      `a lifetime of another type is not consumed: ${value}`,
      { [CDN]: `max-age=${value}`, ...FRESH },
      'origin',
    ),
  ),
  kept('RFC 9213 §2.2', 'several lines are one dictionary', { [CDN]: ['max-age=0', 'max-age=60'] }, 'cache'),
  kept(
    'RFC 9213 §2.2',
    'the closest field counts',
    { [OWN]: 'max-age=60', [CDN]: 'no-store', 'cache-control': 'private' },
    'cache',
  ),
  kept(
    'RFC 9213 §2.2',
    'the closest that is in form',
    { [OWN]: 'max-age=', [CDN]: 'max-age=60', 'cache-control': 'private' },
    'cache',
  ),
  kept('RFC 9213 §2.2', 'of others nothing is heard', { [OWN]: 'max-age=0', [CDN]: 'max-age=60' }, 'origin'),
  {
    section: 'RFC 9213 §3.1',
    name: 'CDN-Cache-Control is for caches before us, too; Orla-Cache-Control is not',
    steps: [
      {
        answer: { [OWN]: 'max-age=60', [CDN]: 'max-age=5', 'cache-control': 'no-store' },
        from: 'origin',
        expect: { [OWN]: null, [CDN]: 'max-age=5', 'cache-control': 'no-store' },
      },
      { from: 'cache', expect: { [OWN]: null, [CDN]: 'max-age=5', 'cache-control': 'no-store' } },
    ],
  },
]

const says = (member: string | RegExp): NonNullable<Step['expect']> => ({ 'cache-status': member })
const STALE = { 'cache-control': 'max-age=60', age: '120', etag: '"a"' }

const statuses: readonly Case[] = [
  {
    section: 'RFC 9211 §2',
    name: 'a miss that is kept, a hit, and one that the client did not want',
    steps: [
      { answer: FRESH, from: 'origin', expect: says(/^orla; fwd=uri-miss; ttl=3[56]\d\d; stored$/) },
      { from: 'cache', expect: says(/^orla; hit; ttl=3[56]\d\d$/) },
      { method: 'HEAD', from: 'cache', expect: says(/^orla; hit; ttl=3[56]\d\d$/) },
      {
        ask: { 'cache-control': 'no-cache' },
        from: 'origin',
        expect: says(/^orla; fwd=request; ttl=3[56]\d\d; stored$/),
      },
      { ask: { 'cache-control': 'no-store' }, from: 'origin', expect: says('orla; fwd=request') },
      { method: 'POST', answer: {}, from: 'origin', expect: says('orla; fwd=method') },
    ],
  },
  {
    section: 'RFC 9211 §2.2',
    name: 'why an answer is not kept',
    steps: [
      { answer: {}, from: 'origin', expect: says('orla; fwd=uri-miss; detail=no-lifetime') },
      {
        answer: { ...FRESH, 'set-cookie': 'a=b' },
        from: 'origin',
        expect: says('orla; fwd=uri-miss; detail=set-cookie'),
      },
      {
        answer: { 'cache-control': 'no-store' },
        from: 'origin',
        expect: says('orla; fwd=uri-miss; detail=no-store'),
      },
      { method: 'HEAD', from: 'origin', expect: says('orla; fwd=uri-miss; detail=head') },
      { ask: { 'if-match': '*' }, from: 'origin', expect: says('orla; fwd=bypass; detail=precondition') },
    ],
  },
  {
    section: 'RFC 9211 §2.2',
    name: 'an answer that the client wanted from a cache alone did not go on',
    steps: [
      {
        ask: { 'cache-control': 'only-if-cached' },
        from: 'cache',
        expectStatus: 504,
        expect: says('orla; detail=only-if-cached'),
      },
    ],
  },
  {
    section: 'RFC 9211 §2.3',
    name: 'what the origin said where it is not what the client is told',
    steps: [
      { answer: STALE, from: 'origin', expect: says('orla; fwd=uri-miss; ttl=0; stored') },
      {
        answer: { ...FRESH, etag: '"a"' },
        from: 'validated',
        expectStatus: 200,
        expect: says(/^orla; fwd=stale; fwd-status=304; ttl=3[56]\d\d; stored$/),
      },
      {
        ask: { 'cache-control': 'no-cache', 'if-none-match': '"a"' },
        isFull: true,
        from: 'origin',
        expectStatus: 304,
        expect: says(/^orla; fwd=request; fwd-status=200; ttl=3[56]\d\d; stored$/),
      },
    ],
  },
  {
    section: 'RFC 9211 §2.4',
    name: 'a stale answer that the client allows has less than no time',
    steps: [
      { answer: STALE, from: 'origin' },
      { ask: { 'cache-control': 'max-stale' }, from: 'cache', expect: says(/^orla; hit; ttl=-6\d$/) },
    ],
  },
  {
    section: 'RFC 9211 §2.2',
    name: 'a variant that is not there',
    steps: [
      { ask: { 'x-v': '1' }, answer: { ...FRESH, vary: 'x-v' }, from: 'origin' },
      { ask: { 'x-v': '2' }, from: 'origin', expect: says(/^orla; fwd=vary-miss; ttl=3[56]\d\d; stored$/) },
    ],
  },
  {
    section: 'RFC 9211 §2',
    name: 'caches before us stand before us, if they speak clearly',
    steps: [
      {
        answer: { ...FRESH, 'cache-status': ['Far; hit', '"Near"; fwd=miss'] },
        from: 'origin',
        expect: says(/^Far; hit, "Near"; fwd=miss, orla; fwd=uri-miss; /),
      },
      { from: 'cache', expect: says(/^Far; hit, "Near"; fwd=miss, orla; hit; ttl=3[56]\d\d$/) },
      {
        ask: { 'cache-control': 'no-cache' },
        answer: { ...FRESH, 'cache-status': 'Far; =hit' },
        from: 'origin',
        expect: says(/^orla; fwd=request; /),
      },
      { from: 'cache', expect: says(/^orla; hit; ttl=3[56]\d\d$/) },
    ],
  },
]

test('targeted control and Cache-Status', async (t) => {
  const { run } = await startLab(t)
  for (const example of [...targeted, ...statuses])
    await t.test(`${example.section}: ${example.name}`, () => run(example))
})

test('RFC 9211: a site that does not tell says nothing of itself', async (t) => {
  const { run } = await startLab(t, { statusHeader: false })
  const answer = { ...FRESH, 'cache-status': 'Far; hit' }
  await run({
    section: '',
    name: '',
    steps: [
      { answer: FRESH, from: 'origin', expect: { 'cache-status': null } },
      { from: 'cache', expect: { 'cache-status': null, age: /^\d+$/ } },
      { ask: { 'cache-control': 'no-cache' }, answer, from: 'origin', expect: says('Far; hit') },
      { from: 'cache', expect: says('Far; hit') },
      {
        path: '/x',
        ask: { 'cache-control': 'only-if-cached' },
        from: 'cache',
        expectStatus: 504,
        expect: { 'cache-status': null },
      },
    ],
  })
})

test('RFC 9211 §2.7: who may see what ran is told the key', async (t) => {
  const { run } = await startLab(t)
  const ask = { 'orla-debug': 'debug' }
  const key = /; key="http:\/\/127\.0\.0\.1:\d+\/1"$/
  await run({
    section: '',
    name: '',
    steps: [
      { ask, answer: FRESH, from: 'origin', expect: says(key) },
      { ask, from: 'cache', expect: says(key) },
      { from: 'cache', expect: says(/ttl=3[56]\d\d$/) },
    ],
  })
})

test('RFC 9211 §2.7: a site may tell everybody the key', async (t) => {
  const { run } = await startLab(t, { statusHeader: 'key' })
  const key = /; key="http:\/\/127\.0\.0\.1:\d+\/1"$/
  await run({
    section: '',
    name: '',
    steps: [
      { answer: FRESH, from: 'origin', expect: says(key) },
      { from: 'cache', expect: says(key) },
    ],
  })
})

const lies: readonly [title: string, head: string, body: string, status: number, isKept: boolean][] = [
  ['a 304 that nobody asked for', 'HTTP/1.1 304 Not Modified\r\netag: "a"\r\n', '', 502, false],
  ['garbage in Date, Age, ETag and Last-Modified', 'HTTP/1.1 200 OK\r\ndate: \x01\xff\r\n', 'x', 502, false],
  [
    'words in Date, Age, ETag and Last-Modified',
    'HTTP/1.1 200 OK\r\ndate: x, y\r\nage: -1, 2\r\netag: \xe4"\r\nlast-modified: 0\r\ncache-control: max-age=60\r\ncontent-length: 1\r\n',
    'x',
    200,
    true,
  ],
  [
    'a hundred tags',
    `HTTP/1.1 200 OK\r\n${'etag: "a"\r\n'.repeat(100)}cache-control: max-age=60\r\ncontent-length: 1\r\n`,
    'x',
    200,
    true,
  ],
  [
    'names of fields without end',
    `HTTP/1.1 200 OK\r\nvary: ${Array.from({ length: 500 }, (_, i) => `x-${i}`).join(',')}\r\ncache-control: max-age=60\r\ncontent-length: 1\r\n`,
    'x',
    200,
    false,
  ],
  [
    'directives without end',
    `HTTP/1.1 200 OK\r\ncache-control: max-age=60, ${'no-cache="x", '.repeat(500)}\r\ncontent-length: 1\r\n`,
    'x',
    200,
    false,
  ],
  [
    'headers without end',
    `HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\n${'x-a: 1\r\n'.repeat(20_000)}`,
    '',
    502,
    false,
  ],
]

for (const [title, head, body, status, isKept] of lies)
  test(`an origin that lies: ${title}`, async (t) => {
    let asked = 0
    const origin = await startRawOrigin(t, (socket) => {
      socket.on('data', (piece) => (asked += piece.includes('\r\n\r\n') ? 1 : 0))
      answerWith(`${head}\r\n${body}`)(socket)
    })
    const node = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] } })
    const first = await node.request('/')
    assert.equal(first.status, status)
    await eventually(() => asked > 0)
    const before = asked
    const second = await node.request('/')
    assert.equal(second.status, status)
    assert.equal(second.text === 'x', status === 200)
    assert.equal(asked === before, isKept)
  })

test('RFC 9211 §2.2: an answer that the origin failed to give says why it was asked for', async (t) => {
  const origin = await startRawOrigin(t, (socket) => socket.end())
  const node = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] } })
  const { status, headers } = await node.request('/')
  assert.equal(status, 502)
  assert.equal(headers['cache-status'], 'orla; fwd=uri-miss; detail=origin-closed')
  assert.match(String(headers['proxy-status']), /error=/)
})

test('RFC 9111 §4.1: languages are compared, and asked for, as the site has them', async (t) => {
  const { run } = await startLab(t, { vary: { languages: ['en', 'pt-BR'], encodings: [] } })
  await run({
    section: '',
    name: '',
    steps: [
      {
        ask: { 'accept-language': 'de, pt;q=0.9, en;q=0.8', 'accept-encoding': 'x-own' },
        answer: { ...FRESH, vary: 'accept-language' },
        from: 'origin',
        saw: { 'accept-language': 'pt-BR', 'accept-encoding': 'x-own' },
      },
      { ask: { 'accept-language': 'PT-br' }, from: 'cache' },
      { ask: { 'accept-language': 'en-GB' }, from: 'origin', saw: { 'accept-language': 'en' } },
      { ask: { 'accept-language': 'de' }, from: 'origin', saw: { 'accept-language': null } },
      { from: 'cache' },
    ],
  })
})

test('variants of one address are bounded, and what is asked for stays right', async (t) => {
  const { run } = await startLab(t, { vary: { variantsMax: 3 } })
  const ask = (tenant: number): Step['ask'] & object => ({ 'x-tenant': String(tenant) })
  await run({
    section: '',
    name: '',
    steps: [
      ...Array.from({ length: 1000 }, (_, i): Step => ({
        ask: ask(i),
        answer: { ...FRESH, vary: 'x-tenant' },
        body: `${i}`,
        from: 'origin',
        expectBody: `${i}`,
      })),
      { ask: ask(999), from: 'cache', expectBody: '999' },
      { ask: ask(997), from: 'cache', expectBody: '997' },
      { ask: ask(996), body: 'again', from: 'origin', expectBody: 'again' },
    ],
  })
})

test('RFC 9111 §3: interim answers are passed on, and neither they nor their fields are kept', async (t) => {
  const final = 'HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 1\r\n\r\nx'
  const hints = 'HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nx-hint: 1\r\n\r\n'
  const origin = await startRawOrigin(t, answerWith(`HTTP/1.1 102 Processing\r\n\r\n${hints}${final}`))
  const node = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] } })
  const heads = async (): Promise<readonly string[]> => {
    const client = await RawClient.connect(node.url)
    client.send('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    return (await client.readAll()).split('\r\n\r\n').filter((head) => head.startsWith('HTTP/'))
  }
  const first = await heads()
  assert.deepEqual(
    first.map((head) => head.slice(9, 12)),
    ['102', '103', '200'],
  )
  assert.match(first[1]!, /x-hint: 1/)
  assert.doesNotMatch(first[2]!, /x-hint|link:/)
  const second = await heads()
  assert.equal(second.length, 1)
  assert.doesNotMatch(second[0]!, /x-hint|link:/)
  assert.match(second[0]!, /cache-status: orla; hit/)
})
