/** Tables in MaxMind's format: found in, and damaged. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mmdbOf } from '../../test/harness/mmdb.ts'
import { parseIp } from '../base/ip-address.ts'
import { formatPrefix } from '../base/ip-prefix.ts'
import { Mmdb, MmdbMalformed } from './mmdb.ts'

const NETWORKS = {
  '192.0.2.0/24': 64_496,
  '198.51.100.0/23': 64_500,
  '203.0.113.7/32': 64_501,
  '2001:db8::/32': 4_200_000_000,
  '2001:db9:1::/48': 64_503,
}

const numberOf = (table: Mmdb, address: string): unknown => {
  const found = table.find(parseIp(address)!)
  return found instanceof Map ? found.get('autonomous_system_number') : found
}

for (const bits of [24, 28, 32] as const) {
  test(`addresses are found in the smallest network around them, with records of ${bits} bits`, () => {
    const table = new Mmdb(mmdbOf(NETWORKS, bits))
    assert.equal(numberOf(table, '192.0.2.0'), 64_496)
    assert.equal(numberOf(table, '192.0.2.255'), 64_496)
    assert.equal(numberOf(table, '192.0.3.0'), undefined)
    assert.equal(numberOf(table, '198.51.101.255'), 64_500)
    assert.equal(numberOf(table, '203.0.113.7'), 64_501)
    assert.equal(numberOf(table, '203.0.113.6'), undefined)
    assert.equal(numberOf(table, '2001:db8:ffff::1'), 4_200_000_000)
    assert.equal(numberOf(table, '2001:db9:1::'), 64_503)
    assert.equal(numberOf(table, '2001:db9:2::'), undefined)
    assert.equal(table.metadata.get('database_type'), 'GeoLite2-ASN')
  })
}

test('a walk comes to each network once, in the order of addresses', () => {
  const table = new Mmdb(mmdbOf(NETWORKS))
  const seen: [string, unknown][] = []
  table.walk((family, words, length, at) => {
    const value = table.valueAt(at)
    seen.push([
      formatPrefix({ family, words, length }),
      value instanceof Map && value.get('autonomous_system_number'),
    ])
  })
  const expected = Object.entries(NETWORKS).map(([prefix, number]) => [prefix.replace('/32', ''), number])
  assert.deepEqual(seen, [
    ...expected.slice(0, 3),
    ['2001:db8::/32', 4_200_000_000],
    ['2001:db9:1::/48', 64_503],
  ])
})

test('a network that is larger than all of IPv4 is one of IPv6, and what IPv4 addresses are in', () => {
  const table = new Mmdb(mmdbOf({ '::/1': 1, '8000::/2': 2 }))
  const seen: string[] = []
  table.walk((family, words, length) => void seen.push(formatPrefix({ family, words, length })))
  assert.deepEqual(seen, ['0.0.0.0/0', '::/1', '8000::/2'])
})

test('a file that is none, or not whole, is told so, whatever byte of it is another', () => {
  const good = mmdbOf(NETWORKS)
  assert.throws(() => new Mmdb(Buffer.from('no table')), new MmdbMalformed('it has no metadata'))
  assert.throws(() => new Mmdb(good.subarray(good.length - 120)), MmdbMalformed)
  for (let at = 0; at < good.length; at += 1) {
    for (const bit of [0x01, 0x10, 0x80]) {
      const bytes = Buffer.from(good)
      bytes[at]! ^= bit
      try {
        const table = new Mmdb(bytes)
        for (const address of ['192.0.2.1', '198.51.100.1', '2001:db8::1']) table.find(parseIp(address)!)
        table.walk((_family, _words, _length, place) => void table.valueAt(place))
      } catch (error) {
        assert.ok(error instanceof MmdbMalformed, `byte ${at}: ${(error as Error).stack}`)
      }
    }
  }
})
