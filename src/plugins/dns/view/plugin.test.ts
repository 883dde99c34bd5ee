/** `view` in a Corefile, and which queries it is for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf, queryFor } from '../testing/block.ts'
import view from './plugin.ts'

const GOOD: readonly (readonly [string, string])[] = [
  ["view example {\n expr name() == 'example.com.'\n}", 'example'],
  ["view example {\n expr incidr(client_ip(), '10.0.0.0/24')\n}", 'example'],
  ["view example {\n expr name() == 'example.com.'\n expr name() == 'example2.com.'\n}", 'example'],
  ["view example {\n expr \"type() in ['A', 'AAAA']\"\n}", 'example'],
  ['view example', 'example'],
]
for (const [text, name] of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    const { setup } = await blockOf(t, text, { plugins: [view] })
    assert.equal(setup.settings.view, name)
    assert.equal(setup.settings.filters.length, 1)
  })

for (const [text, message] of [
  ['view', /Wrong argument count/],
  ['view example two', /Wrong argument count/],
  [
    'view example {\n expr invalid expression\n}',
    /Corefile:2 - .*column 1: unknown name invalid[^]*invalid expression\n {2}\^/,
  ],
  ["view example {\n expr type() in ['A'\n}", /column 15: expected ,, not end of the expression/],
  ['view example {\n expr\n}', /Corefile:2 - .*expr needs an expression/],
  ['view example {\n deny true\n}', /Corefile:2 - .*unknown property 'deny'/],
  ['view one {\n expr true\n}\nview two {\n expr true\n}', /Corefile:4 - .*view stands twice/],
] as const)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [view] }), message)
  })

test('all expressions have to hold, and one that cannot be worked out does not', async (t) => {
  const text =
    "view inside {\n expr incidr(client_ip(), '10.0.0.0/8')\n expr type() == 'A' or incidr(name(), '10.0.0.0/8')\n}"
  const { setup, logged } = await blockOf(t, text, { plugins: [view] })
  const [filter] = setup.settings.filters
  assert.equal(filter!(queryFor('example.org', 'A', { ip: '10.1.2.3' })), true)
  assert.equal(filter!(queryFor('example.org', 'A', { ip: '11.1.2.3' })), false)
  assert.equal(filter!(queryFor('example.org', 'TXT', { ip: '10.1.2.3' })), false)
  assert.match(logged[0]!, /^debug view: view inside: incidr: "example\.org\." is no address/)
})
