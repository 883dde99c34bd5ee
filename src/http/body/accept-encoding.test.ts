/** Which coding an `Accept-Encoding` makes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accepts, CODINGS, negotiate, type Coding } from './accept-encoding.ts'

const CASES: readonly (readonly [field: string | undefined, coding: string, refusesPlain?: true])[] = [
  [undefined, 'plain'],
  ['', 'plain'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['GZIP', 'gzip'],
  ['gzip, deflate, br, zstd', 'zstd'],
  ['gzip, br', 'br'],
  ['deflate', 'plain'],
  ['gzip;q=0', 'plain'],
  ['gzip;q=0.5, br;q=0.4', 'gzip'],
  ['gzip ; q=0.1,br;q=0.001', 'gzip'],
  ['*', 'zstd'],
  ['*;q=0.5, gzip', 'gzip'],
  ['zstd;q=0, *', 'br'],
  ['identity, gzip;q=0.5', 'plain'],
  ['identity;q=0.5, gzip;q=0.5', 'gzip'],
  ['identity;q=0, gzip', 'gzip', true],
  ['identity;q=0', 'plain', true],
  ['*;q=0', 'plain', true],
  ['gzip, *;q=0', 'gzip', true],
  ['identity, *;q=0', 'plain'],
  // What is malformed is as if it were not there.
  ['gzip;q=2', 'plain'],
  ['gzip;q=-1, br', 'br'],
  ['gzip;q=0.1234, br;q=0.1', 'br'],
  ['gzip;q', 'plain'],
  ['gzip;level=9', 'plain'],
  ['gzip;q=1;q=0', 'plain'],
  [',,;;, ;q=1,=,gzip', 'gzip'],
  ['g zip', 'plain'],
  [`${'a,'.repeat(10_000)}gzip`, 'gzip'],
  ['__proto__, constructor', 'plain'],
]

test('the coding that the client likes best, of those offered', () => {
  for (const [field, coding, refusesPlain = false] of CASES) {
    const wanted = negotiate(field, CODINGS)
    assert.deepEqual([wanted.coding ?? 'plain', wanted.refusesPlain], [coding, refusesPlain], `for ${field}`)
  }
})

test('of equals the first that is offered, and none that is not', () => {
  const offered: readonly Coding[] = ['gzip', 'br']
  assert.equal(negotiate('zstd, br, gzip', offered).coding, 'gzip')
  assert.equal(negotiate('zstd', offered).coding, undefined)
})

test('whether a body that is encoded already can be read', () => {
  assert.equal(accepts(undefined, 'gzip'), true)
  assert.equal(accepts('br', 'gzip'), false)
  assert.equal(accepts('br, *', 'x-gzip'), true)
  assert.equal(accepts('gzip;q=0', 'gzip'), false)
})
