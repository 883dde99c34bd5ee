/** Client subnets as questions name them, by RFC 7871 §6. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatPrefix, type IpPrefix, readPrefix } from '../../base/ip-prefix.ts'
import { addressOf, clientSubnetFor, clientSubnetOf, clientSubnetOption } from './client-subnet.ts'
import type { Edns } from './edns.ts'

const ednsWith = (...hex: string[]): Edns => ({
  udpSize: 1232,
  version: 0,
  isDo: false,
  options: [
    { code: 10, data: Buffer.alloc(8) },
    ...hex.map((text) => ({ code: 8, data: Buffer.from(text.replaceAll(' ', ''), 'hex') })),
  ],
})

const GOOD: Readonly<Record<string, string>> = {
  '0001 18 00 cb0071': '203.0.113.0/24',
  '0001 20 00 cb007107': '203.0.113.7',
  '0001 15 00 cb0070': '203.0.112.0/21',
  '0001 00 00': '0.0.0.0/0',
  '0000 00 00': '0.0.0.0/0',
  '0002 38 00 20010db8000001': '2001:db8:0:100::/56',
  '0002 00 00': '::/0',
  '0002 80 00 20010db8000000000000000000000001': '2001:db8::1',
}
for (const [hex, prefix] of Object.entries(GOOD))
  test(`${hex} is ${prefix}, and goes back with its scope`, () => {
    const subnet = clientSubnetOf(ednsWith(hex))
    assert.ok(subnet !== undefined && subnet !== 'malformed')
    assert.equal(formatPrefix(subnet), prefix)
    const echoed = clientSubnetOption(subnet, 24).data
    assert.equal(echoed.toString('hex'), hex.replaceAll(' ', '').replace(/^(.{6})00/, '$118'))
    if (!hex.startsWith('0000'))
      assert.deepEqual(clientSubnetFor(readPrefix(prefix) as IpPrefix).data, subnet.data)
  })

const MALFORMED: Readonly<Record<string, string>> = {
  '': 'empty',
  '0001 18': 'cut',
  '0001 18 00 cb00': 'too few bytes',
  '0001 18 00 cb007100': 'too many bytes',
  '0001 21 00 cb00710700': 'longer than an address',
  '0002 81 00 20010db800000000000000000000000100': 'longer than an address of IPv6',
  '0001 15 00 cb0071': 'bits behind its length',
  '0001 18 18 cb0071': 'a scope in a question',
  '0003 18 00 cb0071': 'an unknown family',
  '0000 08 00 cb': 'no family, and an address',
}
for (const [hex, what] of Object.entries(MALFORMED))
  test(`${what} is malformed`, () => assert.equal(clientSubnetOf(ednsWith(hex)), 'malformed'))

test('without the option, or without EDNS, no subnet is told', () => {
  assert.equal(clientSubnetOf(undefined), undefined)
  assert.equal(clientSubnetOf(ednsWith()), undefined)
})

test('an IPv4 address that came in one of IPv6 is that IPv4 address', () => {
  const subnet = clientSubnetOf(ednsWith('0002 78 00 00000000000000000000ffffcb0071'))
  assert.ok(subnet !== undefined && subnet !== 'malformed')
  assert.deepEqual(addressOf(subnet), { family: 4, words: [0, 0, 0, 0xcb007100] })
})
