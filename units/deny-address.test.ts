import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openUnit } from './harness.ts'

async function denying(t: TestContext, DENY: string) {
  const unit = await openUnit('deny-address.ts', { env: { DENY } })
  t.after(() => unit.close())
  return (address: string) => unit.run({ phase: 'access', url: 'http://example.org/', address })
}

test('addresses and networks on the list are refused, all others pass', async (t) => {
  const from = await denying(t, '192.0.2.7, 198.51.100.0/24,2001:db8::/32, ::1, 203.0.113.128/25')
  const refused = [
    '192.0.2.7',
    '198.51.100.0',
    '198.51.100.255',
    '2001:db8:1::5',
    '2001:DB8::',
    '::1',
    '203.0.113.200',
  ]
  const passed = ['192.0.2.8', '198.51.101.0', '2001:db9::', '::2', '203.0.113.127', '0.0.0.1']
  for (const address of refused) assert.equal(from(address).status, 403, address)
  for (const address of passed) assert.equal(from(address).kind, 'next', address)
})

test('an IPv4 client on an IPv6 socket is the same client', async (t) => {
  const from = await denying(t, '192.0.2.0/24')
  assert.equal(from('::ffff:192.0.2.7').status, 403)
  assert.equal(from('::ffff:192.0.3.7').kind, 'next')
})

test('an empty list refuses nobody, and /0 everybody', async (t) => {
  assert.equal((await denying(t, ''))('192.0.2.7').kind, 'next')
  assert.equal((await denying(t, '::/0'))('192.0.2.7').status, 403)
})

test('an entry that is no address is an error that names it', async (t) => {
  for (const entry of [
    '192.0.2',
    '192.0.2.256',
    '192.0.2.0/33',
    '192.0.2.0/',
    '1::2::3',
    'example.org',
    '::/129',
    '1:2:3:4:5:6:7',
  ]) {
    const answer = (await denying(t, `192.0.2.7,${entry}`))('192.0.2.1')
    assert.equal(answer.kind, 'threw')
    assert.match(answer.message, new RegExp(`DENY holds "${entry.replaceAll('.', '\\.')}"`))
  }
})
