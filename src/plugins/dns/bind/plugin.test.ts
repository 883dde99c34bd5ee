/** What `bind` takes in a Corefile, which addresses that means, and what it refuses: the table of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import { itRefuses } from '../testing/setup-table.ts'
import bind from './plugin.ts'

const loopback = networkInterfaces()['lo']!.map(({ address }) => address)

const ADDRESSES: readonly (readonly [text: string, addresses: readonly string[]])[] = [
  ['bind 1.2.3.4', ['1.2.3.4']],
  ['bind 1.2.3.4 ::5', ['1.2.3.4', '::5']],
  ['bind ::1 1.2.3.4 ::5 127.9.9.0', ['::1', '1.2.3.4', '::5', '127.9.9.0']],
  ['bind 1.2.3.4 lo', ['1.2.3.4', ...loopback]],
  ['bind lo ::5 {\nexcept 127.0.0.1\n}', [...loopback.filter((address) => address !== '127.0.0.1'), '::5']],
  ['bind 127.0.0.1\nbind 127.0.0.2', ['127.0.0.1', '127.0.0.2']],
  ['bind 127.0.0.1\nbind 127.0.0.1', ['127.0.0.1']],
  // What is left out is left out of its own line alone.
  ['bind 127.0.0.1\nbind 127.0.0.1 127.0.0.2 {\nexcept 127.0.0.1\n}', ['127.0.0.1', '127.0.0.2']],
  ['bind 2001:DB8:0::1', ['2001:db8::1']],
  ['bind localhost', ['127.0.0.1']],
]
for (const [text, addresses] of ADDRESSES)
  test(`${text.replaceAll('\n', '; ')} is ${addresses.join(' ')}`, async (t) => {
    const { setup } = await blockOf(t, text, { plugins: [bind] })
    assert.deepEqual(setup.settings.bind, addresses)
  })

itRefuses(bind, [
  ['bind', /at least one address or interface name is expected/],
  [
    'bind 1.2.3.invalid',
    /not a valid IP address or interface name: '1\.2\.3\.invalid': the interfaces here are lo/,
  ],
  ['bind ::1 1.2.3.4 ::5 127.9.9.0 noone', /'noone'/],
  ['bind 127.0.0.1:53', /'127\.0\.0\.1:53'/],
  ['bind 127.0.0.1 {\nexcept\n}', /Corefile:2 - .*except needs addresses/],
  ['bind 127.0.0.1 {\nexcept 127.0.0.1\n}', /no address is left/],
  ['bind 127.0.0.1 {\nonly 127.0.0.1\n}', /unknown property 'only': expected except/],
])
