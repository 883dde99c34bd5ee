import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DROPPED } from '../../../contract/dns.ts'
import { RCODE } from '../../../wire/dns/codes.ts'
import { blockOf } from '../testing/block.ts'
import whoami from '../whoami/plugin.ts'
import ratelimit from './plugin.ts'

const PLUGINS = { plugins: [ratelimit, whoami], zones: ['.'] }

test('a block sets what its answers may amplify', async (t) => {
  const { setup } = await blockOf(
    t,
    'ratelimit {\n amplification 1kb\n prefix 32 64\n exempt 192.0.2.0/24 2001:db8::1\n}',
    PLUGINS,
  )
  const { bytesPerSecond, prefixes } = setup.settings.amplification!
  assert.deepEqual([bytesPerSecond, prefixes], [1024, { v4: 32, v6: 64 }])
  const off = await blockOf(t, 'ratelimit {\n amplification off\n}', PLUGINS)
  assert.equal(off.setup.settings.amplification!.bytesPerSecond, Infinity)
})

for (const [over, outcome] of [
  ['refuse', RCODE.REFUSED],
  ['drop', DROPPED],
] as const)
  test(`over the rate of its network, a client over UDP meets ${over}`, async (t) => {
    const { ask, answer, figures } = await blockOf(
      t,
      `ratelimit 3 {\n over ${over}\n exempt 198.51.100.0/24\n}\nwhoami`,
      PLUGINS,
    )
    for (let last = 1; last <= 3; last++)
      assert.equal((await answer('a.org.', 'A', { ip: `192.0.2.${last}` })).rcode, 0)
    assert.equal(await ask('a.org.', 'A', { ip: '192.0.2.99' }), outcome)
    assert.match(figures.text(), new RegExp(`orla_dns_ratelimit_limited_total\\{over="${over}"\\} 1`))
    // Another network, one that is exempt, this machine, and whoever comes over TCP.
    for (const more of [
      { ip: '192.0.3.1' },
      { ip: '198.51.100.7' },
      { ip: '127.0.0.1' },
      { ip: '192.0.2.99', isTcp: true },
    ])
      for (let count = 0; count < 3; count++) assert.equal((await answer('a.org.', 'A', more)).rcode, 0)
  })

test('a client is told to come over TCP where nothing else is said', async (t) => {
  const { answer } = await blockOf(t, 'ratelimit 1\nwhoami', PLUGINS)
  const ip = '2001:db8:1:2::3'
  assert.equal((await answer('a.org.', 'A', { ip })).isTruncated, false)
  const over = await answer('a.org.', 'A', { ip: '2001:db8:1:ff::9', edns: {} })
  assert.deepEqual([over.isTruncated, over.rcode, over.additional.length], [true, 0, 0])
})

const BAD: readonly (readonly [text: string, message: RegExp])[] = [
  ['ratelimit 0', /0 is no number of queries a second: expected 1 to 1000000/],
  ['ratelimit many', /many is no number/],
  ['ratelimit 1 2', /'2' is one too many/],
  ['ratelimit 1\nratelimit 2', /Corefile:2 - .*only be used once/],
  ['ratelimit {\n nope 1\n}', /unknown property 'nope': expected amplification, prefix, over, exempt/],
  ['ratelimit {\n amplification\n}', /amplification needs an argument/],
  ['ratelimit {\n amplification much\n}', /expected bytes a second such as 512kb, or off/],
  ['ratelimit {\n amplification 0kb\n}', /expected bytes a second/],
  ['ratelimit {\n prefix 24\n}', /the bits of IPv4 and of IPv6/],
  ['ratelimit {\n prefix 33 56\n}', /33 is no number of bits of IPv4/],
  ['ratelimit {\n prefix 24 128\n}', /128 is no number of bits of IPv6/],
  ['ratelimit {\n over nope\n}', /over nope: expected truncate, refuse, drop/],
  ['ratelimit {\n exempt nope\n}', /nope is no address and no network/],
]
for (const [text, message] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, PLUGINS), { message })
  })
