/** What `cache` takes in a Corefile, and what it refuses: the tables of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import cache from './plugin.ts'

const inside = (text: string): string => `cache {\n${text}\n}`

const GOOD = [
  'cache',
  'cache {\n}',
  'cache example.nl {\n success 10\n}',
  'cache example.nl {\n success 10 1800 30\n}',
  'cache example.nl {\n success 10\n denial 10 15\n}',
  'cache example.nl {\n success 10\n denial 10 15 2\n}',
  'cache 25 example.nl {\n success 10\n denial 10 15 5\n}',
  'cache aaa example.nl',
  'cache {\n prefetch 10\n}',
  ...[
    'prefetch 10 1m 20%',
    'serve_stale',
    'serve_stale 20m',
    'serve_stale 1h20m',
    'serve_stale 0m',
    'serve_stale 0',
    'serve_stale 0 verify',
    'serve_stale 0 immediate',
    'serve_stale 0 VERIFY',
    'servfail 1s',
    'servfail 5m',
    'servfail 0s',
    'servfail 0',
    'disable denial example.com example.org',
    'disable success example.com example.org',
    'disable denial',
    'disable success',
    'disable denial example.com\ndisable success example.com',
    'keepttl',
  ].map(inside),
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [cache] })
  })

const BAD: readonly (readonly [string, RegExp])[] = [
  ['cache example.nl {\n success\n denial 10 15\n}', /Corefile:2 - .*success takes 1 to 3/],
  [
    'cache example.nl {\n success 15\n denial aaa\n}',
    /Corefile:3 - .*denial capacity: expected a whole number/,
  ],
  ['cache example.nl {\n positive 15\n}', /unknown property 'positive': expected one of success, denial/],
  ['cache 0 example.nl', /cache TTL can not be zero or negative: 0/],
  ['cache -1 example.nl', /cache TTL can not be zero or negative: -1/],
  ['cache\ncache', /can only be used once per Server Block/],
  ...(
    [
      ['success 10 0', /can not be zero or negative/],
      ['success 10 5 -1', /min TTL can not be negative/],
      ['success -1', /can not be negative/],
      ['success 99999999999', /up to 2147483647/],
      ['prefetch -1', /can not be negative/],
      ['prefetch', /prefetch takes 1 to 3/],
      ['prefetch 0 blurp', /invalid duration "blurp"/],
      ['prefetch 1 1m 20', /should be `%`/],
      ['prefetch 1 1m 5%', /range \[10, 90\]/],
      ['serve_stale 20', /invalid duration "20"/],
      ['serve_stale -20m', /can't be negative/],
      ['serve_stale aa', /invalid duration/],
      ['serve_stale 1m nono', /refresh mode: nono/],
      ['serve_stale 0 after nono', /serve_stale takes 0 to 2/],
      ['servfail', /Wrong argument count/],
      ['servfail 6m', /over 5 minutes/],
      ['servfail 20', /invalid duration/],
      ['servfail -1s', /can't be negative/],
      ['servfail aa', /invalid duration/],
      ['servfail 1m invalid', /Wrong argument count/],
      ['disable invalid example.com', /must be success or denial, not invalid/],
      ['disable', /Wrong argument count/],
      ['keepttl yes', /Wrong argument count/],
    ] as const
  ).map(([text, message]) => [inside(text), message] as const),
]
for (const [text, message] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [cache] }), message)
  })
