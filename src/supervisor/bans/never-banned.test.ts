import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type IpPrefix, readPrefix } from '../../base/ip-prefix.ts'
import { banTerms } from './ban-terms.ts'
import { bansFor, TestClock } from './bans.support.ts'

const prefix = (text: string) => readPrefix(text) as IpPrefix
const terms = (text: string, forMs = 60_000) => ({ prefix: text, forMs, reason: '' })

test('this machine, trusted proxies and what the configuration names are never banned, and it is said why', async (t) => {
  const config = {
    bans: { never: ['192.0.2.9/24', '2001:db8::/32'] },
    edge: { trustedProxies: ['10.0.0.0/8'] },
  }
  const { never } = await bansFor(t, { config })
  const refused = (text: string) => {
    assert.throws(() => banTerms(terms(text), never, true), { code: 'ban-refused' })
    return never.reasonFor(prefix(text))
  }
  assert.equal(refused('127.0.0.1'), 'this machine')
  assert.equal(refused('127.8.0.0/16'), 'this machine')
  assert.equal(refused('::1'), 'this machine')
  assert.match(refused('192.0.2.0/25')!, /named in `bans\.never` \(192\.0\.2\.9\/24\)/)
  assert.match(refused('2001:db8:7::1')!, /named in `bans\.never`/)
  assert.match(refused('10.1.2.3')!, /one of `edge\.trustedProxies` \(10\.0\.0\.0\/8\)/)
  assert.equal(never.reasonFor(prefix('192.0.3.0/24')), undefined)
  assert.equal(never.reasonFor(prefix('192.0.0.0/16')), undefined, 'a prefix around it has a hole')
  assert.deepEqual(never.holesIn(prefix('192.0.0.0/16')), ['192.0.2.0/24'])
})

test('whoever controlled the node within a day is never banned, also after a restart', async (t) => {
  const first = await bansFor(t)
  first.never.called('198.51.100.7')
  first.never.called('::ffff:198.51.100.8')
  first.never.called('2001:db8:1:2:3:4:5:6')
  first.never.called('fe80::1%eth0')
  first.never.called('127.0.0.1')
  first.never.called('')
  assert.deepEqual(first.never.list, [
    '127.0.0.0/8',
    '::1',
    '198.51.100.7',
    '198.51.100.8',
    '2001:db8:1:2::/64',
    'fe80::/64',
  ])
  assert.throws(() => banTerms(terms('198.51.100.7'), first.never, false), {
    message: /198\.51\.100\.7 is never banned: it is where this node was controlled from lately/,
  })
  first.close()
  const clock = new TestClock()
  clock.wallMs = first.clock.wallMs + 23 * 3_600_000
  const { never, ban, standing } = await bansFor(t, { folder: first.folder, clock })
  never.start()
  await ban('198.51.100.7', 10 * 3_600_000)
  assert.deepEqual(standing(), [], 'an entry of another node does not ban him here')
  clock.pass(3_700_000)
  assert.deepEqual(standing(), ['198.51.100.7'], 'a day is over')
  never.called('198.51.100.7')
  assert.deepEqual(standing(), [])
})

test('the addresses of a control plane that is followed are never banned', async (t) => {
  const { never } = await bansFor(t)
  never.useControls(['203.0.113.5', '2001:db8::5'])
  assert.match(never.reasonFor(prefix('203.0.113.5'))!, /control plane that this node follows/)
  never.useControls(['203.0.113.6'])
  assert.equal(never.reasonFor(prefix('203.0.113.5')), undefined)
})

test('a ban names a prefix and a time that can be, and says what would be right', async (t) => {
  const { never } = await bansFor(t)
  const check = (text: string, forMs?: number, mayBeWide = false) =>
    banTerms(terms(text, forMs), never, mayBeWide)
  for (const [text, message] of [
    ['1.2.3.4/33', /expected a length from 0 to 32/],
    ['::/129', /expected a length from 0 to 128/],
    ['fe80::1%eth0', /a zone/],
    ['010.0.0.1', /leading zeros/],
    ['192.0.2.7/24', /192\.0\.2\.7 for the one address, or 192\.0\.2\.0\/24/],
    ['x'.repeat(65536), /is no address and no prefix/],
    ['', /is no address and no prefix/],
  ] as const)
    assert.throws(() => check(text), { code: 'ban-invalid', message })
  for (const forMs of [0, -1, 0.5, 999, 1.5e3 + 0.5, Number.NaN, Number.POSITIVE_INFINITY, 367 * 86_400_000])
    assert.throws(() => check('192.0.2.7', forMs), {
      code: 'ban-invalid',
      message: /from 1000 \(1s\) to \d+ \(366d\)/,
    })
  for (const wide of ['0.0.0.0/0', '128.0.0.0/7', '::/0', '2000::/3']) {
    assert.throws(() => check(wide), { code: 'ban-refused', message: /large part of all addresses/ })
    assert.ok(check(wide, 60_000, true))
  }
  assert.ok(check('128.0.0.0/8') && check('2000::/16') && check('::ffff:192.0.2.0/120'))
  assert.equal(
    banTerms({ ...terms('192.0.2.7'), reason: `a\nb${'c'.repeat(500)}` }, never, false).reason.length,
    200,
  )
})
