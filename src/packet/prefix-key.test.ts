import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefixKey } from './prefix-key.ts'

const keyOf = (text: string): string | undefined => prefixKey(text)?.key.toString('hex')

for (const [text, key] of [
  ['192.0.2.7', '20000000c0000207'],
  ['192.0.2.7/32', '20000000c0000207'],
  // Bits below the prefix do not count.
  ['192.0.2.255/25', '19000000c0000280'],
  ['192.0.2.255/9', '09000000c0000000'],
  ['0.0.0.0/0', '0000000000000000'],
  ['255.255.255.255/1', '0100000080000000'],
  ['2001:db8::1', '8000000020010db8000000000000000000000001'],
  ['2001:db8:ffff:ffff:ffff::/49', '3100000020010db8ffff80000000000000000000'],
  ['2001:db8::/32', '2000000020010db8000000000000000000000000'],
  ['::/0', '0000000000000000000000000000000000000000'],
  // RFC 4291 §2.5.5.2: an IPv4 address in an IPv6 one is that IPv4 address.
  ['::ffff:192.0.2.7', '20000000c0000207'],
  ['::ffff:192.0.2.0/120', '18000000c0000200'],
] as const)
  test(`${text} is the key ${key}`, () => assert.equal(keyOf(text), key))

test('what is no prefix has no key', () => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4/33',
    '1.2.3.4/-1',
    '1.2.3.4/08',
    '01.2.3.4',
    '1.2.3.4/',
    '::/129',
    'fe80::1%eth0',
    '::ffff:1.2.3.4/95',
    'x/8',
  ])
    assert.equal(keyOf(text), undefined, text)
})
