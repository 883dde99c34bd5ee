import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPrivate } from './private-addresses.ts'

test('addresses of this machine and of private networks are told from those of the internet', () => {
  const closed = [
    '127.0.0.1',
    '127.255.0.1',
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.7',
    '203.0.113.9',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::127.0.0.1',
    'fe80::1',
    'fc00::1',
    'fd12::1',
    'fec0::1',
    'ff02::1',
    '64:ff9b::7f00:1',
    '64:ff9b::10.0.0.1',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2002:c0a8:101::',
    '2001:db8::1',
    '2001::1',
    '100::1',
    'localhost',
    '',
    '1.2.3',
    '127.1',
  ]
  for (const address of closed) assert.equal(isPrivate(address), true, address)
  const open = [
    '8.8.8.8',
    '1.1.1.1',
    '172.32.0.1',
    '172.15.0.1',
    '100.63.255.255',
    '192.169.0.1',
    '223.255.255.255',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '2002:808:808::',
  ]
  for (const address of open) assert.equal(isPrivate(address), false, address)
})
