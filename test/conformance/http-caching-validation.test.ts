/** Validation, what answers and writes make of what is stored, and variants, of a running node. */
import { test } from 'node:test'
import { type Case, type Lines, FUTURE, PAST, startLab, type Step } from './http-caching.support.ts'

const CHANGED = 'Mon, 06 Nov 2023 08:49:37 GMT'
const FRESH = { 'cache-control': 'max-age=3600' }
const STALE = { 'cache-control': 'max-age=60', age: '120' }

/** A stored answer, and a request with a condition on it. */
const condition = (
  section: string,
  name: string,
  stored: Lines,
  ask: Lines,
  expectStatus: number,
  more: Partial<Step> = {},
): Case => ({
  section,
  name,
  steps: [
    { answer: { ...FRESH, ...stored }, from: 'origin' },
    { ask, from: 'cache', expectStatus, ...(expectStatus === 304 ? { expectBody: '' } : {}), ...more },
  ],
})

const conditions: readonly Case[] = [
  ...(
    [
      ['"a"', '"a"', 304],
      ['"a"', '"b"', 200],
      ['"a"', 'W/"a"', 304],
      ['W/"a"', '"a"', 304],
      ['"a"', '"x", "a", "y"', 304],
      ['"a"', '"x" ,\t"a"', 304],
      ['"a,b"', '"a,b"', 304],
      ['"a"', '"a,b"', 200],
      ['"a"', '*', 304],
      ['"a"', '""', 200],
      ['""', '""', 304],
      ['"a"', '"A"', 200],
    ] as const
  ).map(([etag, tags, status]) =>
    condition('RFC 9110 §13.1.2', `${tags} of ${etag}`, { etag }, { 'if-none-match': tags }, status),
  ),
  condition('RFC 9110 §13.1.2', 'several lines', { etag: '"a"' }, { 'if-none-match': ['"x"', '"a"'] }, 304),
  condition('RFC 9110 §13.1.2', '* where there is no tag', {}, { 'if-none-match': '*' }, 304),
  ...(
    [
      [CHANGED, 304],
      [FUTURE, 304],
      [PAST, 200],
      ['Monday, 06-Nov-23 08:49:37 GMT', 304],
      ['Mon Nov  6 08:49:37 2023', 304],
      ['mon, 06 nov 2023 08:49:37 gmt', 304],
      ['yesterday', 200],
    ] as const
  ).map(([since, status]) =>
    condition(
      'RFC 9110 §13.1.3',
      `changed ${CHANGED}, asked since ${since}`,
      { 'last-modified': CHANGED },
      { 'if-modified-since': since },
      status,
    ),
  ),
  condition(
    'RFC 9111 §4.3.2',
    'without Last-Modified its Date counts',
    { date: CHANGED, 'cache-control': 'max-age=999999999' },
    { 'if-modified-since': CHANGED },
    304,
  ),
  condition(
    'RFC 9111 §4.3.2',
    'without Last-Modified an earlier date is too early',
    {},
    { 'if-modified-since': PAST },
    200,
  ),
  condition(
    'RFC 9110 §13.2.2',
    'If-None-Match goes before If-Modified-Since',
    { etag: '"a"', 'last-modified': CHANGED },
    { 'if-none-match': '"b"', 'if-modified-since': FUTURE },
    200,
  ),
  condition(
    'RFC 9110 §13.2.2',
    'and so it does where it holds',
    { etag: '"a"', 'last-modified': CHANGED },
    { 'if-none-match': '"a"', 'if-modified-since': PAST },
    304,
  ),
  condition(
    'RFC 9110 §15.4.5',
    'a 304 says what a cache needs, and nothing of the body',
    { etag: '"a"', 'content-type': 'text/x', vary: 'x-other', 'content-location': '/other', expires: FUTURE },
    { 'if-none-match': '"a"' },
    304,
    {
      expect: {
        etag: '"a"',
        'cache-control': 'max-age=3600',
        vary: 'x-other',
        'content-location': '/other',
        expires: FUTURE,
        date: /GMT$/,
        age: /^\d+$/,
        'content-type': null,
        'content-length': null,
      },
    },
  ),
  condition('RFC 9110 §13.1.2', 'of HEAD as of GET', { etag: '"a"' }, { 'if-none-match': '"a"' }, 304, {
    method: 'HEAD',
  }),
  {
    section: 'RFC 9110 §13.2.1',
    name: 'of what was no success there is no 304',
    steps: [
      { status: 404, answer: { ...FRESH, etag: '"a"' }, from: 'origin' },
      { ask: { 'if-none-match': '"a"' }, from: 'cache' },
    ],
  },
  {
    section: 'RFC 9111 §4.3.2',
    name: 'a client’s condition is judged against the answer that is fetched for all',
    steps: [
      {
        ask: { 'if-none-match': '"a"' },
        answer: { ...FRESH, etag: '"a"' },
        from: 'origin',
        expectStatus: 304,
        saw: { 'if-none-match': null },
      },
      { from: 'cache', expectBody: 'body' },
    ],
  },
  {
    section: 'RFC 9110 §13.1.2',
    name: 'a client’s condition on what is not kept is the origin’s to judge',
    steps: [
      { answer: { 'cache-control': 'no-store', etag: '"a"' }, from: 'origin' },
      {
        ask: { 'if-none-match': '"a"' },
        status: 304,
        from: 'origin',
        saw: { 'if-none-match': '"a"' },
        expect: { etag: '"a"' },
      },
      { ask: { 'if-none-match': '"b"' }, status: 200, from: 'origin', expectBody: 'body' },
    ],
  },
  {
    section: 'RFC 9110 §13.1.1',
    name: 'If-Match and If-Unmodified-Since are for the origin',
    steps: [
      { answer: { ...FRESH, etag: '"a"' }, from: 'origin' },
      { ask: { 'if-match': '"b"' }, status: 412, from: 'origin', saw: { 'if-match': '"b"' } },
      {
        ask: { 'if-unmodified-since': PAST },
        status: 412,
        from: 'origin',
        saw: { 'if-unmodified-since': PAST },
      },
      { from: 'cache', expectStatus: 200, expectBody: 'body' },
    ],
  },
]

/** A stale answer that the origin has validated with `update`, and what is stored after it. */
const update304 = (
  name: string,
  stored: Lines,
  update: Lines,
  expect: Step['expect'],
  section = 'RFC 9111 §3.2',
): Case => ({
  section,
  name,
  steps: [
    { answer: { ...STALE, etag: '"a"', ...stored }, from: 'origin' },
    {
      answer: { ...FRESH, etag: '"a"', ...update },
      from: 'validated',
      expectStatus: 200,
      expectBody: 'body',
      ...(expect && { expect }),
    },
    { from: 'cache', expectStatus: 200, expectBody: 'body', ...(expect && { expect }) },
  ],
})

const validation: readonly Case[] = [
  {
    section: 'RFC 9111 §4.3.1',
    name: 'the origin is asked with both validators',
    steps: [
      { answer: { ...STALE, etag: 'W/"a"', 'last-modified': CHANGED }, from: 'origin' },
      {
        answer: { ...STALE, etag: 'W/"a"' },
        from: 'validated',
        expectStatus: 200,
        saw: { 'if-none-match': 'W/"a"', 'if-modified-since': CHANGED },
      },
      {
        ask: { 'if-none-match': '"z"' },
        from: 'validated',
        expectStatus: 200,
        saw: { 'if-none-match': 'W/"a"' },
      },
      {
        ask: { 'if-none-match': '"a"' },
        from: 'validated',
        expectStatus: 304,
        saw: { 'if-none-match': 'W/"a"' },
      },
    ],
  },
  update304(
    'all fields of a 304 take the place of their namesakes',
    { 'x-a': ['1', '2'], 'x-b': '3' },
    { 'x-a': '4', 'x-c': '5' },
    { 'x-a': '4', 'x-b': '3', 'x-c': '5', 'cache-control': 'max-age=3600' },
  ),
  update304(
    'so does the type',
    { 'content-type': 'text/a' },
    { 'content-type': 'text/b' },
    { 'content-type': 'text/b' },
  ),
  update304(
    'the length stays, and how the body is coded',
    { 'content-encoding': 'x-own' },
    { 'content-encoding': 'x-other', 'content-range': 'bytes 0-1/9' },
    { 'content-encoding': 'x-own', 'content-length': '4', 'content-range': null },
  ),
  update304(
    'a cookie for the one who asked is not taken up',
    {},
    { 'set-cookie': 'a=b' },
    { 'set-cookie': null },
  ),
  update304(
    'fields of the connection are not taken up',
    {},
    { connection: 'x-hop', 'x-hop': '1' },
    { 'x-hop': null },
  ),
  update304('one of the same weak tag is of this answer', {}, { etag: 'W/"a"' }, {}, 'RFC 9111 §4.3.4'),
  {
    section: 'RFC 9111 §4.3.3',
    name: 'a full answer takes the place of what is stored, also an error with a lifetime',
    steps: [
      { answer: { ...STALE, etag: '"a"' }, from: 'origin' },
      {
        answer: FRESH,
        status: 404,
        body: 'gone',
        isFull: true,
        from: 'validated',
        saw: { 'if-none-match': '"a"' },
      },
      { from: 'cache', expectBody: 'gone' },
    ],
  },
  {
    section: 'RFC 9111 §4.3.3',
    name: 'an error without a lifetime is passed on, and leaves it as it is',
    steps: [
      { answer: { ...STALE, etag: '"a"' }, from: 'origin' },
      { answer: {}, status: 500, body: 'sorry', isFull: true, from: 'validated', expectBody: 'sorry' },
      { answer: { ...FRESH, etag: '"a"' }, from: 'validated', status: 200, expectBody: 'body' },
    ],
  },
]

const heads: readonly Case[] = [
  {
    section: 'RFC 9110 §9.3.2',
    name: 'HEAD is answered from what a GET left',
    steps: [
      { answer: FRESH, from: 'origin' },
      { method: 'HEAD', from: 'cache', expectBody: '', expect: { 'content-length': '4' } },
    ],
  },
  {
    section: 'RFC 9111 §4.3.5',
    name: 'a HEAD that fits makes what is stored fresh, with its fields',
    steps: [
      { answer: { ...STALE, etag: '"a"', 'x-a': '1', 'x-b': '2' }, from: 'origin' },
      { method: 'HEAD', answer: { ...FRESH, etag: '"a"', 'x-a': '3' }, from: 'origin' },
      { from: 'cache', expectBody: 'body', expect: { 'x-a': '3', 'x-b': '2' } },
    ],
  },
  ...(
    [
      ['another tag', { etag: '"b"' }],
      ['another date', { 'last-modified': FUTURE }],
      ['another length', { 'content-length': '5' }],
    ] as const
  ).map(([name, fields]): Case => ({
    section: 'RFC 9111 §4.3.5',
    name: `a HEAD with ${name} takes it away`,
    steps: [
      { answer: { ...FRESH, etag: '"a"', 'last-modified': CHANGED }, from: 'origin' },
      {
        method: 'HEAD',
        ask: { 'cache-control': 'no-cache' },
        answer: { ...FRESH, etag: '"a"', 'last-modified': CHANGED, ...fields },
        from: 'origin',
      },
      { answer: FRESH, from: 'origin' },
    ],
  })),
  {
    section: 'RFC 9111 §4.3.5',
    name: 'a HEAD with credentials says nothing of what all are given',
    steps: [
      { answer: { ...FRESH, etag: '"a"' }, from: 'origin' },
      {
        method: 'HEAD',
        ask: { 'cache-control': 'no-cache', authorization: 'x' },
        answer: { etag: '"b"' },
        from: 'origin',
      },
      { from: 'cache', expect: { etag: '"a"' } },
    ],
  },
  {
    section: 'RFC 9111 §4.3.5',
    name: 'an error to a HEAD says nothing of it, and a HEAD alone stores nothing',
    steps: [
      { method: 'HEAD', answer: FRESH, from: 'origin' },
      { answer: FRESH, from: 'origin' },
      { method: 'HEAD', ask: { 'cache-control': 'no-cache' }, status: 500, answer: {}, from: 'origin' },
      { from: 'cache', expectStatus: 200 },
    ],
  },
]

const writes: readonly Case[] = [
  ...['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH'].flatMap((method): Case[] => [
    {
      section: 'RFC 9111 §4.4',
      name: `what is stored goes after ${method}`,
      steps: [
        { answer: FRESH, from: 'origin' },
        { method, answer: {}, from: 'origin' },
        { answer: FRESH, from: 'origin' },
      ],
    },
    {
      section: 'RFC 9111 §4.4',
      name: `what is stored stays where ${method} failed`,
      steps: [
        { answer: FRESH, from: 'origin' },
        { method, status: 500, answer: {}, from: 'origin' },
        { from: 'cache', expectStatus: 200 },
      ],
    },
  ]),
  {
    section: 'RFC 9111 §4.4',
    name: 'OPTIONS changes nothing',
    steps: [
      { answer: FRESH, from: 'origin' },
      { method: 'OPTIONS', answer: {}, from: 'origin' },
      { from: 'cache' },
    ],
  },
  ...(['location', 'content-location'] as const).map((name): Case => ({
    section: 'RFC 9111 §4.4',
    name: `what ${name} names goes, too`,
    steps: [
      { path: '/b', answer: FRESH, from: 'origin' },
      { path: '/a', method: 'POST', answer: { [name]: 'b' }, from: 'origin' },
      { path: '/b', answer: FRESH, from: 'origin' },
      { path: '/a', method: 'POST', answer: { [name]: 'http://example.com/b' }, from: 'origin' },
      { path: '/b', from: 'cache' },
    ],
  })),
  {
    section: 'RFC 9110 §9.3.3',
    name: 'a POST whose answer is the address itself is kept for GET',
    steps: [
      {
        path: '/p',
        method: 'POST',
        answer: { ...FRESH, 'content-location': 'p' },
        body: 'new',
        from: 'origin',
        expect: { 'cache-status': /; stored$/ },
      },
      { path: '/p', from: 'cache', expectBody: 'new' },
      { path: '/p', method: 'POST', answer: { ...FRESH, 'content-location': 'q' }, from: 'origin' },
      { path: '/p', answer: {}, from: 'origin' },
      {
        path: '/p',
        method: 'POST',
        answer: { 'content-location': 'p', 'last-modified': PAST },
        from: 'origin',
      },
      { path: '/p', answer: {}, from: 'origin' },
    ],
  },
]

const variants: readonly Case[] = [
  {
    section: 'RFC 9111 §4.1',
    name: 'each variant is kept for those who ask the same',
    steps: [
      { ask: { 'x-v': '1' }, answer: { ...FRESH, vary: 'X-V' }, body: 'one', from: 'origin' },
      { ask: { 'x-v': '2' }, body: 'two', from: 'origin' },
      { ask: { 'x-v': '1' }, from: 'cache', expectBody: 'one' },
      { ask: { 'x-v': '2' }, from: 'cache', expectBody: 'two' },
      { from: 'origin', body: 'none' },
      { from: 'cache', expectBody: 'none' },
    ],
  },
  ...['*', '*, x-v', 'x-v, *', ', *', 'x v'].map((vary): Case => ({
    section: 'RFC 9111 §4.1',
    name: `Vary: ${vary} never matches`,
    steps: [{ answer: { ...FRESH, vary }, from: 'origin' }, { from: 'origin' }],
  })),
  {
    section: 'RFC 9111 §4.1',
    name: 'several lines and lists are the same',
    steps: [
      { ask: { 'x-v': '1, 2' }, answer: { ...FRESH, vary: ['x-v', 'x-w'] }, from: 'origin' },
      { ask: { 'x-v': ['1', '2'] }, from: 'cache' },
      { ask: { 'x-v': '1,  2' }, from: 'cache' },
      { ask: { 'x-v': '1, 2', 'x-w': '' }, from: 'origin' },
    ],
  },
  {
    section: 'RFC 9111 §4.1',
    name: 'codings are compared, and asked for, as the site has them',
    steps: [
      {
        ask: { 'accept-encoding': 'gzip, deflate, br' },
        answer: { ...FRESH, vary: 'accept-encoding' },
        from: 'origin',
        saw: { 'accept-encoding': 'br, gzip' },
      },
      { ask: { 'accept-encoding': 'br;q=0.2,gzip;q=0.9' }, from: 'cache' },
      { ask: { 'accept-encoding': 'gzip' }, from: 'origin', saw: { 'accept-encoding': 'gzip' } },
      { ask: { 'accept-encoding': 'identity' }, from: 'origin', saw: { 'accept-encoding': 'identity' } },
      { ask: { 'accept-encoding': 'deflate' }, from: 'cache' },
    ],
  },
]

test('validation, writes and variants', async (t) => {
  const { run } = await startLab(t)
  for (const example of [...conditions, ...validation, ...heads, ...writes, ...variants])
    await t.test(`${example.section}: ${example.name}`, () => run(example))
})
