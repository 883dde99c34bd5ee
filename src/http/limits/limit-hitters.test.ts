/** Who asked most: exact while little happens, of a sample when much does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIp } from '../../base/ip-address.ts'
import { LimitHitters } from './limit-hitters.ts'

const LENGTHS = { v4: [32, 24], v6: [64, 48] }
const ip = (text: string) => parseIp(text)!

test('of an address all prefixes are noted, of a key of several parts the whole, as a person reads it', () => {
  const hitters = new LimitHitters(LENGTHS)
  hitters.note(ip('192.0.2.1'), undefined, true, 1000)
  hitters.note(ip('192.0.2.2'), undefined, false, 1000)
  hitters.note(ip('2001:db8::1'), undefined, true, 1000)
  hitters.note(ip('192.0.2.1'), 'vsecret\np/login', true, 1000)
  hitters.note('a192.0.2.1\nt198.51.100.1', undefined, true, 1000)
  hitters.note('', undefined, true, 1000)
  const found = new Map(hitters.top(20, 1000).map(({ key, count }) => [key, count]))
  assert.deepEqual(Object.fromEntries(found), {
    '192.0.2.0/24': 2,
    '192.0.2.1': 1,
    '192.0.2.2': 1,
    '2001:db8::/64': 1,
    '2001:db8::/48': 1,
    '192.0.2.1 secret /login': 1,
    '192.0.2.1 198.51.100.1': 1,
    '(all)': 1,
  })
})

test('of a long key both ends are kept, so that what clients send takes no memory to speak of', () => {
  const hitters = new LimitHitters(LENGTHS)
  const token = (end: string) => `v${'t'.repeat(60_000)}${end.padStart(64, '-')}`
  hitters.note(token('one'), undefined, false, 1000)
  hitters.note(token('two'), undefined, false, 1000)
  hitters.note(ip('192.0.2.1'), token('one'), false, 1000)
  const keys = hitters.top(20, 1000).map(({ key }) => key)
  assert.equal(new Set(keys).size, 3)
  assert.ok(keys.every((key) => key.length < 150 && key.includes('…') && /(?:one|two)$/.test(key)))
})

test('many that are allowed are told by a sample, and all that are refused are counted', () => {
  const hitters = new LimitHitters(LENGTHS)
  for (let i = 0; i < 200_000; i += 1) {
    hitters.note(`v${i % 4 === 0 ? 'often' : `seldom-${i % 3}`}`, undefined, true, 5000)
    if (i % 100 === 0) hitters.note('vrefused', undefined, false, 5000)
  }
  const counts = new Map(hitters.top(10, 5000).map(({ key, count }) => [key, count]))
  assert.equal(counts.get('refused'), 2000)
  // A sixteenth of 50,000, and its deviation: one in a million runs is further away.
  for (const [key, count] of [
    ['often', 50_000],
    ['seldom-1', 50_000],
  ] as const)
    assert.ok(
      Math.abs(counts.get(key)! - count) < 5 * 16 * Math.sqrt(count / 16),
      `${key}: ${counts.get(key)}`,
    )
  // A second later few ask.
  hitters.note('vlater', undefined, true, 7000)
  for (let i = 0; i < 40; i += 1) hitters.note('vlater', undefined, true, 7000)
  const later = hitters.top(10, 7000).find(({ key }) => key === 'later')!.count
  assert.ok(later >= 41 - 31 && later <= 41)
})
