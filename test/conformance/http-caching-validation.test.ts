/** Validation, what answers and writes make of what is stored, and variants, of a running node. */
import { test } from 'node:test'
import { type Case, type Lines, FUTURE, PAST, startLab, type Step } from './http-caching.support.ts'

const CHANGED = 'Mon, 06 Nov 2023 08:49:37 GMT'
const FRESH = { 'cache-control': 'max-age=3600' }
const STALE = { 'cache-control': 'max-age=60', age: '120' }

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
  for (const example of [...validation, ...heads, ...writes, ...variants])
    await t.test(`${example.section}: ${example.name}`, () => run(example))
})
