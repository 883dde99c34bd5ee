import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ipv4FromWord, type IpAddress, parseIp } from '../base/ip-address.ts'
import { covers, formatPrefix, type IpPrefix, prefixOf, readPrefix } from '../base/ip-prefix.ts'
import { BannedPrefixes } from './banned-prefixes.ts'

const prefix = (text: string) => readPrefix(text) as IpPrefix
const ip = (text: string) => parseIp(text)!

test('an address is banned by itself or by a prefix around it, of its own family', () => {
  const banned = new BannedPrefixes()
  for (const text of ['192.0.2.7', '198.51.100.0/24', '2001:db8:1::/48', '2001:db8:2::5'])
    assert.equal(banned.add(prefix(text)), true)
  assert.equal(banned.add(prefix('192.0.2.7')), false)
  assert.equal(banned.size, 4)
  const has = (text: string) => banned.has(ip(text))
  assert.ok(
    ['192.0.2.7', '::ffff:192.0.2.7', '198.51.100.255', '2001:db8:1:ffff::1', '2001:db8:2::5'].every(has),
  )
  assert.ok(!['192.0.2.8', '198.51.101.0', '2001:db8::1', '2001:db8:2::6', '::c000:207'].some(has))
  assert.equal(banned.delete(prefix('198.51.100.0/24')), true)
  assert.equal(banned.delete(prefix('198.51.100.0/24')), false)
  assert.equal(banned.delete(prefix('203.0.113.0/25')), false)
  assert.ok(!has('198.51.100.255'))
})

test('a prefix of length 0 bans its whole family', () => {
  const banned = new BannedPrefixes()
  banned.add(prefix('0.0.0.0/0'))
  assert.ok(banned.has(ip('0.0.0.0')) && banned.has(ip('255.255.255.255')))
  assert.ok(!banned.has(ip('::')))
  banned.add(prefix('::/0'))
  assert.ok(banned.has(ip('::')) && banned.has(ip('ffff::1')))
})

/** Numbers of chance that come again with the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

test('whatever is added and taken away, it says what a plain list says', () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  const chance = numbers(seed)
  const address = (): IpAddress =>
    chance(2) === 0
      ? ipv4FromWord((0x0a000000 + chance(64)) >>> 0)
      : { family: 6, words: [0x20010db8, chance(4), 0, chance(8)] }
  const banned = new BannedPrefixes()
  const list = new Map<string, IpPrefix>()
  for (let step = 0; step < 20_000; step++) {
    const at = address()
    const lengths = at.family === 4 ? [32, 31, 28, 27] : [128, 127, 64, 48]
    const given = prefixOf(at, lengths[chance(4)]!)
    const name = formatPrefix(given)
    if (chance(3) === 0) assert.equal(banned.delete(given), list.delete(name), `seed ${seed}`)
    else if (list.size < 40) {
      assert.equal(banned.add(given), !list.has(name), `seed ${seed}`)
      list.set(name, given)
    }
    const asked = address()
    const isIn = [...list.values()].some((one) => covers(one, prefixOf(asked, 128)))
    assert.equal(banned.has(asked), isIn, `seed ${seed}, step ${step}`)
    assert.equal(banned.size, list.size)
  }
})

test('a hundred thousand bans of two lengths are all found, and all go', () => {
  const banned = new BannedPrefixes()
  const of = (index: number) =>
    prefixOf(ipv4FromWord(Math.imul(index, 0x9e3779b1) >>> 0), index % 4 === 0 ? 24 : 32)
  let size = 0
  for (let index = 0; index < 100_000; index++) if (banned.add(of(index))) size += 1
  assert.equal(banned.size, size)
  for (let index = 0; index < 100_000; index++) assert.ok(banned.has(of(index)))
  for (let index = 0; index < 100_000; index++) banned.delete(of(index))
  assert.equal(banned.size, 0)
  for (let index = 0; index < 100_000; index += 7) assert.ok(!banned.has(of(index)))
})
