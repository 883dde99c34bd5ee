import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CidrSet } from '../../base/cidr.ts'
import { queryFor } from '../../plugins/dns/testing/block.ts'
import { Amplification, USUAL_AMPLIFICATION } from './amplification.ts'

test('a network is sent so much beyond what it asked with, and no more', () => {
  const bound = new Amplification({ ...USUAL_AMPLIFICATION, bytesPerSecond: 64 * 10 })
  const from = (ip: string) => queryFor('www.example.org', 'A', { ip })
  const twice = 2 * from('192.0.2.1').bytes.length
  // Ten units, and the eleventh is over; whoever is in the same /24 has none left either.
  for (let count = 1; count <= 10; count++)
    assert.equal(bound.allows(from(`192.0.2.${count}`), twice + 64), true, `${count}`)
  assert.equal(bound.allows(from('192.0.2.77'), twice + 1), false)
  // Others have all of theirs, small answers are always sent, and this machine is free.
  assert.equal(bound.allows(from('192.0.3.1'), twice + 64), true)
  assert.equal(bound.allows(from('192.0.2.77'), twice), true)
  for (const ip of ['127.0.0.9', '::1']) assert.equal(bound.allows(from(ip), 60_000), true)
  assert.equal(bound.allows(from('2001:db8::1'), 60_000), false)
})

test('without a bound all is sent', () => {
  const free = new Amplification({
    ...USUAL_AMPLIFICATION,
    bytesPerSecond: Infinity,
    exempt: new CidrSet([]),
  })
  for (let count = 0; count < 100; count++)
    assert.equal(free.allows(queryFor('a.org', 'A', { ip: '192.0.2.1' }), 60_000), true)
})
