import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIp } from '../base/ip-address.ts'
import { forwardedAddress, forwardedPair, parseForwarded, parseForwardedNode } from './forwarded.ts'

const read = (text: string) => parseForwarded(text)?.map((element) => Object.fromEntries(element))

test('elements are read as RFC 7239 writes them', () => {
  assert.deepEqual(read('for="_gazonk"'), [{ for: '_gazonk' }])
  assert.deepEqual(read('For="[2001:db8:cafe::17]:4711"'), [{ for: '[2001:db8:cafe::17]:4711' }])
  assert.deepEqual(read('for=192.0.2.60;proto=http;by=203.0.113.43'), [
    { for: '192.0.2.60', proto: 'http', by: '203.0.113.43' },
  ])
  assert.deepEqual(read('for=192.0.2.43, for=198.51.100.17'), [
    { for: '192.0.2.43' },
    { for: '198.51.100.17' },
  ])
  assert.deepEqual(read('for="a,b;c\\"d", host="x:80"'), [{ for: 'a,b;c"d' }, { host: 'x:80' }])
  assert.deepEqual(read(' , for=a ;; proto=b , '), [{ for: 'a', proto: 'b' }])
  assert.deepEqual(read(''), [])
})

test('a list that is not one is not believed in parts', () => {
  for (const text of [
    'for',
    'for=',
    'for =a',
    'for= a',
    'for=a b',
    'for="a',
    'for=a"',
    '=a',
    'for=a;for=b',
    'for=[::1]',
    '"a"=b',
    'for="a"b',
  ])
    assert.equal(parseForwarded(text), undefined, text)
})

test('nodes are addresses with or without a port', () => {
  const node = (text: string) => {
    const found = parseForwardedNode(text)
    return found && `${formatIp(found.ip)} ${found.port}`
  }
  assert.equal(node('192.0.2.1'), '192.0.2.1 0')
  assert.equal(node('192.0.2.1:80'), '192.0.2.1 80')
  assert.equal(node('[2001:DB8::1]'), '2001:db8::1 0')
  assert.equal(node('[2001:db8::1]:443'), '2001:db8::1 443')
  assert.equal(node('2001:db8::1'), '2001:db8::1 0')
  assert.equal(node('::ffff:192.0.2.1'), '192.0.2.1 0')
  for (const text of [
    '',
    'unknown',
    '_hidden',
    'example.org',
    '192.0.2.1:',
    '192.0.2.1:65536',
    '[::1',
    '[192.0.2.1]x',
    '192.0.2.1:_port',
    '1.2.3',
  ])
    assert.equal(parseForwardedNode(text), undefined, text)
})

test('what is more than a token goes out quoted, and is read back', () => {
  assert.equal(forwardedPair('for', forwardedAddress('192.0.2.1')), 'for=192.0.2.1')
  assert.equal(forwardedPair('for', forwardedAddress('2001:db8::1')), 'for="[2001:db8::1]"')
  assert.equal(forwardedPair('for', forwardedAddress('')), 'for=unknown')
  for (const value of ['example.org:8080', 'a"b\\c', 'a, b; c', '']) {
    assert.deepEqual(read(`${forwardedPair('host', value)}, for=b`), [{ host: value }, { for: 'b' }])
  }
})

test('whatever parameters are written, they are read back', () => {
  let state = 11
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const value = () => Array.from({ length: 1 + random(6) }, () => 'ab.:[]",;= \\~'[random(13)]).join('')
  for (let round = 0; round < 5000; round++) {
    const elements = Array.from({ length: 1 + random(3) }, () => ({ for: value(), host: value() }))
    const text = elements
      .map((element) =>
        Object.entries(element)
          .map(([name, of]) => forwardedPair(name, of))
          .join(';'),
      )
      .join(', ')
    assert.deepEqual(read(text), elements, text)
  }
})
