/** RFC 9111, section by section, of a running node: what is kept, for how long, and for whom. */
import { test } from 'node:test'
import { type Case, FUTURE, kept, PAST, startLab } from './http-caching.support.ts'

const FRESH = { 'cache-control': 'max-age=3600' }
const STALE = { 'cache-control': 'max-age=60', age: '120', etag: '"1"' }
const OLD = { 'last-modified': PAST }
const dated = (fields: object) => ({ date: new Date().toUTCString(), ...fields })

const storing: readonly Case[] = [
  kept('RFC 9111 §3', 'an answer that says nothing of its lifetime is not kept', {}, 'origin'),
  ...[200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 403, 404, 405, 410, 414, 499, 500, 501, 503, 599].map(
    (status) => kept('RFC 9111 §3', `${status} with a lifetime is kept`, FRESH, 'cache', { status }),
  ),
  ...[401, 407, 412, 416, 428, 429, 431, 511].map((status) =>
    kept('RFC 9111 §3', `${status} speaks of one request and is not kept`, FRESH, 'origin', { status }),
  ),
  ...[200, 203, 204, 300, 301, 308].map((status) =>
    kept('RFC 9111 §4.2.2', `a lifetime of ${status} may be guessed`, OLD, 'cache', { status }),
  ),
  ...[201, 202, 302, 303, 307, 400, 403, 404, 405, 410, 414, 500, 501, 502, 503, 504, 599].map((status) =>
    kept('RFC 9111 §4.2.2', `a lifetime of ${status} is not guessed`, OLD, 'origin', { status }),
  ),
  kept('RFC 9111 §4.2.2', 'public allows to guess', { ...OLD, 'cache-control': 'public' }, 'cache', {
    status: 599,
  }),
  kept(
    'RFC 9110 §15.3.7',
    'a 206 to who asked for the whole is not kept',
    { ...FRESH, 'content-range': 'bytes 0-3/9' },
    'origin',
    { status: 206 },
  ),
  kept('RFC 9111 §3.5', 'Authorization: not for others', FRESH, 'origin', { ask: { authorization: 'x' } }),
  ...['public', 'must-revalidate', 's-maxage=99'].map((directive) =>
    kept(
      'RFC 9111 §3.5',
      `Authorization: for others by ${directive}`,
      { 'cache-control': `max-age=60, ${directive}` },
      'cache',
      { ask: { authorization: 'x' } },
    ),
  ),
  kept(
    'RFC 9111 §7.3',
    'Set-Cookie is not kept unless the site says so',
    { ...FRESH, 'set-cookie': 'a=b' },
    'origin',
  ),
  {
    section: 'RFC 9111 §3.1',
    name: 'fields of the connection are not kept, all others are',
    steps: [
      {
        answer: {
          ...FRESH,
          connection: 'x-hop',
          'x-hop': '1',
          'proxy-authenticate': 'x',
          'x-end': ['1', '2'],
        },
        from: 'origin',
      },
      { from: 'cache', expect: { 'x-hop': null, 'proxy-authenticate': null, 'x-end': '1, 2', age: /^\d+$/ } },
    ],
  },
]

const lifetimes: readonly Case[] = [
  ...(
    [
      ['s-maxage before max-age', { 'cache-control': 'max-age=0, s-maxage=60' }, 'cache'],
      ['a shorter s-maxage before max-age', { 'cache-control': 's-maxage=0, max-age=60' }, 'origin'],
      ['max-age before Expires', dated({ 'cache-control': 'max-age=60', expires: PAST }), 'cache'],
      ['max-age=0 before Expires', dated({ 'cache-control': 'max-age=0', expires: FUTURE }), 'origin'],
      ['two lifetimes: the shorter', { 'cache-control': ['max-age=60', 'max-age=0'] }, 'origin'],
      ['a lifetime in quotes', { 'cache-control': 'max-age="60"' }, 'cache'],
      ['a lifetime in another’s quotes', { 'cache-control': 'x="max-age=60"' }, 'origin'],
      ['a lifetime of more than 2³¹', { 'cache-control': 'max-age=99999999999999999999' }, 'cache'],
      ['a lifetime with zeros', { 'cache-control': 'max-age=0060' }, 'cache'],
      ['a negative lifetime', { 'cache-control': 'max-age=-60' }, 'origin'],
      ['a lifetime of words', dated({ 'cache-control': 'max-age=x', expires: FUTURE }), 'origin'],
      ['names in any case', { 'cache-control': 'MaX-AgE=60, PUBLIC' }, 'cache'],
    ] as const
  ).map(([name, answer, from]) => kept('RFC 9111 §4.2.1', name, answer, from)),
  ...(
    [
      ['IMF-fixdate', FUTURE, 'cache'],
      ['RFC 850', 'Friday, 06-Nov-54 08:49:37 GMT', 'cache'],
      ['asctime', 'Fri Nov  6 08:49:37 2093', 'cache'],
      ['wrong case', 'FRI, 06 nov 2093 08:49:37 gmt', 'cache'],
      ['another zone', 'Fri, 06 Nov 2093 08:49:37 UTC', 'origin'],
      ['an offset', 'Fri, 06 Nov 2093 08:49:37 +0000', 'origin'],
      ['two digits of a year', 'Fri, 06 Nov 93 08:49:37 GMT', 'origin'],
      ['no comma', 'Fri 06 Nov 2093 08:49:37 GMT', 'origin'],
      ['one digit of an hour', 'Fri, 06 Nov 2093 8:49:37 GMT', 'origin'],
      ['zero', '0', 'origin'],
      ['two of them', [FUTURE, FUTURE], 'origin'],
    ] as const
  ).map(([name, expires, from]) => kept('RFC 9111 §5.3', `Expires: ${name}`, dated({ expires }), from)),
]

const ages: readonly Case[] = [
  ...(
    [
      ['more than the lifetime', '7200', 'origin'],
      ['of several the first', '7200, 0', 'origin'],
      ['of several the first, though a later one is larger', '0, 7200', 'cache'],
      ['of several lines the first', ['0', '7200'], 'cache'],
      ['2³¹', '2147483648', 'origin'],
      ['more than 2³¹', '99999999999999999999', 'origin'],
      ['words', 'abc', 'cache'],
      ['negative', '-7200', 'cache'],
      ['a fraction', '7200.0', 'cache'],
      ['a parameter', '7200;x=1', 'cache'],
    ] as const
  ).map(([name, age, from]) => kept('RFC 9111 §5.1', `Age: ${name}`, { ...FRESH, age }, from)),
  kept('RFC 9111 §4.2.3', 'an old Date makes it old', { ...FRESH, date: PAST }, 'origin'),
  kept('RFC 9111 §4.2.3', 'a Date of the future makes it no younger', { ...FRESH, date: FUTURE }, 'cache'),
  kept('RFC 9111 §4.2.3', 'a Date that is none counts as now', { ...FRESH, date: 'soon' }, 'cache'),
  {
    section: 'RFC 9111 §1.2.2',
    name: 'the age of an answer is 2³¹ at most',
    steps: [
      { answer: { ...FRESH, age: '99999999999' }, from: 'origin' },
      { ask: { 'cache-control': 'max-stale' }, from: 'cache', expect: { age: '2147483648' } },
    ],
  },
  {
    section: 'RFC 9111 §4',
    name: 'the age of a stored answer goes on from what it came with',
    steps: [
      { answer: { ...FRESH, age: '30' }, from: 'origin' },
      { from: 'cache', expect: { age: /^3\d$/ } },
    ],
  },
]

const directives: readonly Case[] = [
  ...(
    [
      ['5.2.2.5', 'no-store', 'origin'],
      ['5.2.2.5', 'No-StOrE', 'origin'],
      ['5.2.2.5', 'no-store=1', 'origin'],
      ['5.2.2.7', 'private', 'origin'],
      ['5.2.2.7', 'private=""', 'origin'],
      ['5.2.2.7', 'private="etag"', 'origin'],
      ['5.2.2.7', 'private="x-a"', 'cache'],
      ['5.2.2.4', 'no-cache', 'origin'],
      ['5.2.2.4', 'no-cache="x-a, x-b"', 'cache'],
      ['5.2.2.4', 'no-cache=x-a', 'origin'],
      ['5.2.2.3', 'must-understand, no-store', 'cache'],
      ['5.2.2.6', 'no-transform', 'cache'],
      ['5.2', 'x="a, no-store", immutable', 'cache'],
      ['5.2', 'x="a, no-store', 'origin'],
      ['5.2', 'x y no-store', 'origin'],
      ['5.2', ',, ,', 'cache'],
    ] as const
  ).map(([section, directive, from]) =>
    kept(
      `RFC 9111 §${section}`,
      `max-age=60, ${directive}`,
      { 'cache-control': `max-age=60, ${directive}` },
      from,
    ),
  ),
  kept(
    'RFC 9111 §5.2.2.3',
    'must-understand of an unknown status',
    { 'cache-control': 'max-age=60, no-store, must-understand' },
    'origin',
    { status: 599 },
  ),
  {
    section: 'RFC 9111 §5.2.2.4',
    name: 'fields that no-cache and private name reach who asked, and are not kept',
    steps: [
      {
        answer: {
          'cache-control': 'max-age=60, no-cache="x-a", private="X-B"',
          'x-a': '1',
          'x-b': '2',
          'x-c': '3',
        },
        from: 'origin',
        expect: { 'x-a': '1', 'x-b': '2' },
      },
      { from: 'cache', expect: { 'x-a': null, 'x-b': null, 'x-c': '3' } },
    ],
  },
  ...(
    [
      ['no-cache', 'validated'],
      ['no-cache="x"', 'validated'],
      ['max-age=0', 'validated'],
      ['max-age=1000', 'cache'],
      ['max-age="1000"', 'cache'],
      ['max-age=x', 'validated'],
      ['min-fresh=10', 'cache'],
      ['min-fresh=7200', 'validated'],
      ['no-store', 'origin'],
      ['only-if-cached', 'cache'],
      ['max-stale', 'cache'],
    ] as const
  ).map(([directive, from]): Case => ({
    section: 'RFC 9111 §5.2.1',
    name: `${directive} of a fresh answer`,
    steps: [
      { answer: { ...FRESH, etag: '"1"', age: '30' }, from: 'origin' },
      { ask: { 'cache-control': directive }, from },
    ],
  })),
  ...(
    [
      ['', 'validated'],
      ['max-stale', 'cache'],
      ['max-stale=3600', 'cache'],
      ['max-stale=10', 'validated'],
      ['max-stale=x', 'validated'],
      ['max-stale, max-age=10', 'validated'],
    ] as const
  ).map(([directive, from]): Case => ({
    section: 'RFC 9111 §5.2.1.2',
    name: `"${directive}" of a stale answer`,
    steps: [
      { answer: STALE, from: 'origin' },
      { ask: directive === '' ? {} : { 'cache-control': directive }, from },
    ],
  })),
  ...['must-revalidate', 'proxy-revalidate', 's-maxage=60', 'no-cache'].map((directive): Case => ({
    section: 'RFC 9111 §4.2.4',
    name: `max-stale does not help against ${directive}`,
    steps: [
      { answer: { ...STALE, 'cache-control': `max-age=60, ${directive}` }, from: 'origin' },
      { ask: { 'cache-control': 'max-stale' }, from: 'validated' },
    ],
  })),
  {
    section: 'RFC 9111 §5.2.1.7',
    name: 'only-if-cached where there is nothing, or nothing that is good',
    steps: [
      {
        ask: { 'cache-control': 'only-if-cached' },
        from: 'cache',
        expectStatus: 504,
        expect: { 'cache-status': 'orla; detail=only-if-cached' },
      },
      { answer: STALE, from: 'origin' },
      { ask: { 'cache-control': 'only-if-cached' }, from: 'cache', expectStatus: 504 },
      { ask: { 'cache-control': 'only-if-cached, max-stale' }, from: 'cache' },
    ],
  },
  {
    section: 'RFC 9111 §5.4',
    name: 'Pragma: no-cache counts where there is no Cache-Control',
    steps: [
      { answer: FRESH, from: 'origin' },
      { ask: { pragma: 'no-cache' }, from: 'origin' },
      { ask: { pragma: 'no-cache', 'cache-control': 'max-age=60' }, from: 'cache' },
    ],
  },
]

test('what is kept', async (t) => {
  const { run } = await startLab(t)
  for (const example of [...storing, ...lifetimes, ...ages, ...directives])
    await t.test(`${example.section}: ${example.name}`, () => run(example))
})

test('what is kept where the site allows cookies', async (t) => {
  const { run } = await startLab(t, { setCookie: true })
  const cookie = { 'set-cookie': ['a=b', 'c=d'] }
  const cases = [
    kept('RFC 9111 §7.3', 'a cookie is kept with a lifetime', { ...FRESH, ...cookie }, 'cache'),
    kept('RFC 9111 §7.3', 'a cookie is not kept by guess', { ...OLD, ...cookie }, 'origin'),
    kept(
      'RFC 9111 §7.3',
      'a cookie is not kept for one person',
      { 'cache-control': 'private, max-age=60', ...cookie },
      'origin',
    ),
  ]
  for (const example of cases) await t.test(`${example.section}: ${example.name}`, () => run(example))
})
