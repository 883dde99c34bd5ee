import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressLimiter, type AddressLimiterOptions } from './address-limiter.ts'
import { levelPlans } from './prefix-levels.ts'

const STORES = ['sketch', 'exact'] as const
const START = 1_000_000

const limiterOf = (changes: Partial<AddressLimiterOptions> = {}) =>
  new AddressLimiter({ limit: 2, window: '10s', algorithm: 'fixed-window', ...changes })

test('an attacker with a whole network is stopped by its prefixes, coarse to fine', () => {
  for (const store of STORES) {
    const limiter = limiterOf({ store })
    const asked = (address: string) => {
      const { allowed, level } = limiter.take(address, 1, START)
      return [allowed, level]
    }
    // Two for a /64, eight for a /56, thirty-two for a /48.
    assert.deepEqual(asked('2001:db8::1'), [true, 64], store)
    assert.deepEqual(asked('2001:db8::2'), [true, 64], store)
    assert.deepEqual(asked('2001:db8::3'), [false, 64], store)
    const given = { 64: 2, 56: 0, 48: 0 }
    for (let net = 1; net < 256; net++)
      for (let i = 0; i < 4; i++)
        if (limiter.take(`2001:db8:0:${net.toString(16)}::${i}`, 1, START).allowed) given[56] += 1
    assert.equal(given[64] + given[56], 8, store)
    for (let net = 256; net < 65_536; net += 64)
      if (limiter.take(`2001:db8:0:${net.toString(16)}::1`, 1, START).allowed) given[48] += 1
    assert.equal(given[64] + given[56] + given[48], 32, store)
    assert.deepEqual(asked('2001:db8:0:ffff::1'), [false, 48], store)
    assert.deepEqual(asked('2001:db8:1::1'), [true, 64], store)
  }
})

test('what a coarse level refuses is not counted at finer ones, and what a fine one refuses not at coarser ones', () => {
  for (const store of STORES) {
    const prefixes = {
      v6: [
        { length: 64, limit: 3, window: '20s' },
        { length: 48, limit: 4 },
      ],
    }
    const limiter = limiterOf({ store, prefixes })
    const ask = (address: string, now = START) => limiter.take(address, 1, now)
    for (let i = 0; i < 10; i++) ask('2001:db8:0:1::1')
    // Three went to the first network, and its refusals took nothing of the fourth.
    assert.equal(ask('2001:db8:0:2::1').allowed, true, store)
    for (let i = 0; i < 10; i++) assert.equal(ask('2001:db8:0:2::1').level, 48, store)
    // In the next window of the coarse level, the second network has used one of its three.
    const later = START + 10_000
    assert.deepEqual(
      [1, 2, 3].map(() => ask('2001:db8:0:2::1', later).allowed),
      [true, true, false],
      store,
    )
  }
})

test('an IPv4 address in an IPv6 one is that IPv4 address', () => {
  for (const store of STORES) {
    const limiter = limiterOf({ store })
    const asked = ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201', '192.0.2.2'].map(
      (address) => limiter.take(address, 1, START).allowed,
    )
    assert.deepEqual(asked, [true, true, false, true], store)
  }
})

test('prefix lengths that end within a byte or a word', () => {
  for (const store of STORES) {
    const limiter = limiterOf({ store, prefixes: { v4: [31, 13, 1], v6: [127, 65, 33] } })
    const twice = (address: string, other: string) => {
      const fresh = limiterOf({ store, prefixes: { v4: [31], v6: [65] }, limit: 1 })
      fresh.take(address, 1, START)
      return fresh.take(other, 1, START).allowed
    }
    assert.equal(twice('10.0.0.0', '10.0.0.1'), false, store)
    assert.equal(twice('10.0.0.1', '10.0.0.2'), true, store)
    assert.equal(twice('2001:db8::7fff:1:1:1', '2001:db8::1'), false, store)
    assert.equal(twice('2001:db8::8000:0:0:1', '2001:db8::1'), true, store)
    assert.equal(limiter.take('10.0.0.1', 1, START).allowed, true)
  }
})

test('what is no address is refused, with what would be right', () => {
  const example = 'expected one such as 192.0.2.7 or 2001:db8::7'
  const reasons: Readonly<Record<string, string>> = {
    '01.2.3.4': 'numbers of an IPv4 address have no leading zeros',
    '::1%eth0': 'a zone (what stands behind %) means something on one machine alone',
  }
  for (const [address, reason] of Object.entries(reasons))
    assert.throws(() => limiterOf().take(address), {
      name: 'RangeError',
      message: `address: "${address}" is no address: ${reason}`,
    })
  for (const address of ['', '1.2.3', '1.2.3.256', '[::1]', '1.2.3.4/33', '::/129', '1::2::3', '1.2.3.4:80'])
    assert.throws(() => limiterOf().take(address), {
      name: 'RangeError',
      message: `address: "${address}" is no address: ${example}`,
    })
  for (const address of [undefined, null, 5, {}, { family: 4, words: [] }])
    assert.throws(() => limiterOf().take(address as never), /^TypeError: address: expected a text such as /)
})

test('what cannot be made is said', () => {
  const cases: readonly (readonly [unknown, string, RegExp])[] = [
    [{ limit: 0 }, 'RangeError', /^limit: /],
    [{ limit: undefined }, 'TypeError', /^limit is missing/],
    [{ window: 'soon' }, 'RangeError', /^window: expected whole milliseconds or a time/],
    [{ window: '31d' }, 'RangeError', /^window: .*to 30 days, not "31d"/],
    [{ window: '10ms' }, 'RangeError', /^a sketch is cleared in each window.*at least 100 ms, not 10/],
    [{ algorithm: 'gcra' }, 'RangeError', /^algorithm: a sketch counts windows/],
    [{ clock: 5 }, 'TypeError', /^clock: expected a function/],
    [{ perfixes: {} }, 'TypeError', /^perfixes: an AddressLimiter has .*did you mean prefixes\?/],
    [{ burst: 5 }, 'TypeError', /^burst: expected with token-bucket/],
    [{ startFull: true }, 'TypeError', /^startFull: expected with sliding-window, not with fixed-window/],
    [{ sketch: { epsilon: 0.1 } }, 'TypeError', /^epsilon: a sketch .*\(known: width, depth, cellBits\)/],
    [{ sketch: 5 }, 'TypeError', /^sketch: expected an object, not 5/],
    [{ limit: 1_000_000_000 }, 'RangeError', /^cells of 32 bits .* store "exact" counts further$/],
    [{ prefixes: [64] }, 'TypeError', /^prefixes: expected an object/],
    [{ prefixes: { ipv6: [64] } }, 'TypeError', /^ipv6: .*\(known: v4, v6\)/],
    [{ prefixes: { v6: 64 } }, 'TypeError', /^prefixes\.v6: expected a list of prefix lengths, not 64/],
    [{ prefixes: { v6: ['/64'] } }, 'TypeError', /^prefixes\.v6\[0\]: expected a length such as 48, or /],
    [{ prefixes: { v6: [{ length: 48, rate: '5/1h' }] } }, 'TypeError', /^rate: prefixes\.v6\[0\] has no/],
    [{ prefixes: { v6: [{ length: 48, limit: 0.5 }] } }, 'RangeError', /^prefixes\.v6\[0\]\.limit: /],
    [{ prefixes: { v6: [{ length: 48, window: 5 }] } }, 'TypeError', /^prefixes\.v6\[0\]\.limit is missing/],
    [
      { prefixes: { v6: [{ length: 48, limit: 5, window: 0 }] } },
      'RangeError',
      /^prefixes\.v6\[0\]\.window: /,
    ],
    [{ prefixes: { v4: [33] } }, 'RangeError', /^prefixes\.v4\[0\]\.length: /],
    [{ prefixes: { v6: [129] } }, 'RangeError', /^prefixes\.v6\[0\]\.length: /],
    [{ prefixes: { v6: [64, 64] } }, 'RangeError', /^prefixes\.v6: \/64 stands there twice/],
  ]
  for (const [changes, name, message] of cases)
    assert.throws(() => limiterOf(changes as Partial<AddressLimiterOptions>), { name, message })
  assert.throws(() => new AddressLimiter(undefined as never), /^TypeError: a limiter is made with options/)
})

test('a sliding window of addresses can start full', () => {
  for (const startFull of [true, false]) {
    const limiter = limiterOf({ algorithm: 'sliding-window', startFull })
    const [first, second] = [1, 2].map(() => limiter.take('192.0.2.1', 1, START).allowed)
    assert.deepEqual([first, second], [true, !startFull])
  }
})

test('a shorter prefix is allowed four times what the next longer one is, where it says nothing itself', () => {
  const levels = levelPlans({ count: 10, windowMs: 1000, burst: 5 }, [
    { length: 64 },
    { length: 48 },
    { length: 56, rate: { count: 7, windowMs: 500 } },
  ])
  assert.deepEqual(levels, [
    { length: 48, count: 160, windowMs: 1000, burst: 80 },
    { length: 56, count: 7, windowMs: 500 },
    { length: 64, count: 10, windowMs: 1000, burst: 5 },
  ])
})
