import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIp } from './ip-address.ts'
import { covers, formatPrefix, type IpPrefix, prefixOf, readPrefix } from './ip-prefix.ts'

const read = (text: string): IpPrefix => {
  const prefix = readPrefix(text)
  if (typeof prefix === 'string') throw new Error(prefix)
  return prefix
}

test('a prefix is written in one way, and one address without its length', () => {
  const written = {
    '192.0.2.7': '192.0.2.7',
    '192.0.2.7/32': '192.0.2.7',
    '192.0.2.0/24': '192.0.2.0/24',
    '192.0.2.128/25': '192.0.2.128/25',
    '0.0.0.0/0': '0.0.0.0/0',
    '2001:DB8:0:0::/32': '2001:db8::/32',
    '2001:db8::1/128': '2001:db8::1',
    '2001:db8:0:0:8000::/65': '2001:db8:0:0:8000::/65',
    '::/0': '::/0',
    '::ffff:192.0.2.7': '192.0.2.7',
    '::ffff:192.0.2.0/120': '192.0.2.0/24',
    '::ffff:0:0/96': '0.0.0.0/0',
  }
  for (const [text, expected] of Object.entries(written)) {
    assert.equal(formatPrefix(read(text)), expected)
    assert.deepEqual(read(expected), read(text))
  }
})

test('what is no prefix is refused with what would be right', () => {
  const refused: Readonly<Record<string, RegExp>> = {
    '': /"" is no address and no prefix: expected one such as 192\.0\.2\.7/,
    'example.org': /expected one such as/,
    '1.2.3.4/33': /expected a length from 0 to 32/,
    '::/129': /expected a length from 0 to 128/,
    '1.2.3.4/': /expected a length from 0 to 32/,
    '1.2.3.4/-1': /expected a length from 0 to 32/,
    '1.2.3.4/08': /in plain digits/,
    '1.2.3.4/8/8': /in plain digits/,
    '1.2.3.4/1e1': /in plain digits/,
    '::ffff:1.2.3.4/95': /expected a length from 96 to 128/,
    'fe80::1%eth0': /a zone \(what stands behind %\)/,
    '010.0.0.1': /no leading zeros/,
    '192.0.2.7/24':
      /bits behind its length: expected 192\.0\.2\.7 for the one address, or 192\.0\.2\.0\/24 for all of them/,
    '2001:db8::1/64': /expected 2001:db8::1 for the one address, or 2001:db8::\/64/,
    ' 192.0.2.7': /is no address and no prefix/,
    '[2001:db8::1]': /is no address and no prefix/,
    ['9'.repeat(5000)]: /…" is no address and no prefix/,
  }
  for (const [text, expected] of Object.entries(refused)) {
    const problem = readPrefix(text)
    assert.ok(typeof problem === 'string', text)
    assert.match(problem, expected)
    assert.ok(problem.length < 300)
  }
})

test('the prefix of a length around an address has no bits behind it', () => {
  const around = (text: string, length: number) => formatPrefix(prefixOf(parseIp(text)!, length))
  assert.equal(around('192.0.2.200', 24), '192.0.2.0/24')
  assert.equal(around('192.0.2.200', 26), '192.0.2.192/26')
  assert.equal(around('192.0.2.200', 64), '192.0.2.200')
  assert.equal(around('2001:db8:1:2:3:4:5:6', 64), '2001:db8:1:2::/64')
  assert.equal(around('2001:db8:1:2:3:4:5:6', 128), '2001:db8:1:2:3:4:5:6')
  assert.equal(around('255.255.255.255', 0), '0.0.0.0/0')
})

test('a prefix covers what lies in it, of its own family', () => {
  assert.ok(covers(read('192.0.2.0/24'), read('192.0.2.7')))
  assert.ok(covers(read('192.0.2.0/24'), read('192.0.2.0/24')))
  assert.ok(!covers(read('192.0.2.0/24'), read('192.0.0.0/16')))
  assert.ok(!covers(read('192.0.2.0/24'), read('192.0.3.7')))
  assert.ok(covers(read('::/0'), read('2001:db8::1')))
  assert.ok(!covers(read('::/0'), read('192.0.2.7')))
  assert.ok(covers(read('2001:db8::/33'), read('2001:db8:7fff::/48')))
  assert.ok(!covers(read('2001:db8::/33'), read('2001:db8:8000::/48')))
})
