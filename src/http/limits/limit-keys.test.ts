/** What a client may write to be counted as somebody else, and what becomes of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIp } from '../../base/ip-address.ts'
import { requestKey, shownKey } from './limit-keys.ts'

const ADDRESS = '192.0.2.1'

/** What a request with these headers is counted by. */
function keyOf(part: string, ...headers: readonly string[]): string {
  const client = { ip: parseIp(ADDRESS), address: ADDRESS }
  const head = { method: 'GET', path: '/', host: 'example.org', headers }
  const request = { head, client, connection: {}, startedMs: 0 }
  return shownKey(requestKey([part], { v4: 32, v6: 64 }, () => undefined).of(request))
}

test('a header that is there twice counts by the address, as nobody knows which one the origin takes', () => {
  const part = 'header:X-Api-Key'
  assert.equal(keyOf(part, 'x-api-key', 'ana'), 'ana')
  assert.equal(keyOf(part, 'x-api-key', 'ana', 'x-api-key', 'ana'), 'ana')
  assert.equal(keyOf(part, 'x-api-key', 'ana', 'x-api-key', 'other'), ADDRESS)
  assert.equal(keyOf(part, 'x-api-key', 'other', 'accept', '*/*', 'x-api-key', 'ana'), ADDRESS)
  assert.equal(keyOf(part), ADDRESS)
})

test('RFC 6265 §4.2.1: a cookie ends at a semicolon alone, and is the same in quotes and escapes', () => {
  const part = 'cookie:sid'
  for (const same of [
    'sid=s1',
    'a=1; sid=s1',
    'a=1;sid=s1 ; b',
    'sid="s1"',
    'sid=%731',
    'sid=s1; sid=%73%31',
  ])
    assert.equal(keyOf(part, 'cookie', same), 's1', same)
  // The comma is a part of the first one's value.
  assert.equal(keyOf(part, 'cookie', 'a=1,sid=other; sid=s1'), 's1')
  assert.equal(keyOf(part, 'cookie', 'a=1,sid=s1'), ADDRESS)
  assert.equal(keyOf(part, 'cookie', 'sid=%zz'), '%zz')
  assert.equal(keyOf(part, 'cookie', 'sid=s1; sid=other'), ADDRESS)
  assert.equal(keyOf(part, 'cookie', 'SID=s1'), ADDRESS)
})

test('RFC 9113 §8.2.3: cookies that came in several lines are one list', () => {
  assert.equal(keyOf('cookie:sid', 'cookie', 'a=1', 'cookie', 'sid=s1'), 's1')
  assert.equal(keyOf('cookie:sid', 'cookie', 'sid=s1', 'cookie', 'sid=other'), ADDRESS)
})
