import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import { CidrSet, parseCidr } from './cidr.ts'
import { formatIp, ipFromWords, ipv4FromWord, parseIp } from './ip-address.ts'

const has = (set: CidrSet, text: string): boolean => set.has(parseIp(text)!)

test('a set holds the addresses of its prefixes', () => {
  const set = CidrSet.of(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1', '172.16.5.9/12'])
  for (const text of ['10.0.0.0', '10.255.255.255', '192.0.2.7', '172.31.0.1', '2001:db8:ffff::1', '::1'])
    assert.ok(has(set, text), text)
  for (const text of ['9.255.255.255', '11.0.0.0', '192.0.2.8', '172.32.0.0', '2001:db9::', '::2', '::'])
    assert.ok(!has(set, text), text)
})

test('an IPv4 address is the same one when it comes wrapped in IPv6, and so is a prefix', () => {
  assert.ok(has(CidrSet.of(['10.0.0.0/8']), '::ffff:10.1.2.3'))
  assert.ok(has(CidrSet.of(['::ffff:10.0.0.0/104']), '10.1.2.3'))
  assert.ok(!has(CidrSet.of(['::ffff:10.0.0.0/104']), '11.1.2.3'))
})

test('everything of one family is not everything of the other', () => {
  const v6 = CidrSet.of(['::/0'])
  assert.ok(has(v6, '2001:db8::1'))
  assert.ok(!has(v6, '192.0.2.1'))
  const v4 = CidrSet.of(['0.0.0.0/0'])
  assert.ok(has(v4, '255.1.2.3'))
  assert.ok(!has(v4, '::1'))
})

test('an empty set holds nothing', () => {
  assert.ok(new CidrSet([]).isEmpty)
  assert.ok(!has(new CidrSet([]), '0.0.0.0'))
})

test('what is no prefix is refused', () => {
  for (const text of [
    '',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '::/129',
    '10.0.0/8',
    'host',
    '::ffff:1.2.3.4/95',
  ])
    assert.equal(parseCidr(text), undefined, text)
  assert.throws(() => CidrSet.of(['10.0.0.0/40']), /"10.0.0.0\/40" is no address/)
})

test('a set agrees with the block list of Node, over random prefixes that overlap', () => {
  let state = 7
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const word = () => (random(4) === 0 ? 0 : random(2 ** 32))
  const address = () => (random(2) === 0 ? ipv4FromWord(word()) : ipFromWords(word(), word(), word(), word()))
  let inside = 0
  for (let round = 0; round < 200; round++) {
    const list = new BlockList()
    const texts: string[] = []
    for (let i = 0; i < 1 + random(12); i++) {
      const ip = address()
      const prefix = random(ip.family === 4 ? 33 : 129)
      // Node takes IPv4 for part of ::/0 and of other short prefixes; here families are apart.
      const length = ip.family === 6 ? Math.max(1, prefix) : prefix
      texts.push(`${formatIp(ip)}/${length}`)
      list.addSubnet(formatIp(ip), length, ip.family === 4 ? 'ipv4' : 'ipv6')
    }
    const set = CidrSet.of(texts)
    const probes = [
      ...Array.from({ length: 40 }, address),
      ...texts.flatMap((text) => {
        const { family, first, last } = parseCidr(text)!
        return [first, last].map((words) => ({ family, words }))
      }),
    ]
    for (const ip of probes) {
      const expected =
        ip.family === 4 ? v4Only(texts).check(formatIp(ip), 'ipv4') : list.check(formatIp(ip), 'ipv6')
      if (expected) inside += 1
      assert.equal(set.has(ip), expected, `${formatIp(ip)} in ${texts.join(' ')}`)
    }
  }
  assert.ok(inside > 1000)
})

function v4Only(texts: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of texts) {
    const [address, prefix] = text.split('/')
    if (!text.includes(':')) list.addSubnet(address!, Number(prefix), 'ipv4')
  }
  return list
}
