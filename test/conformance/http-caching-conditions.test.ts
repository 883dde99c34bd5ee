/** Conditions of clients, answered from what is stored by a running node. */
import { test } from 'node:test'
import { type Case, type Lines, FUTURE, PAST, startLab, type Step } from './http-caching.support.ts'

const CHANGED = 'Mon, 06 Nov 2023 08:49:37 GMT'
const FRESH = { 'cache-control': 'max-age=3600' }

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

test('conditions of clients', async (t) => {
  const { run } = await startLab(t)
  for (const example of conditions) await t.test(`${example.section}: ${example.name}`, () => run(example))
})
