/** What `secondary` takes in a Corefile, and what it refuses: the table of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import secondary from './plugin.ts'

const GOOD = [
  'secondary {\n transfer from 127.0.0.1:1\n}',
  'secondary example.org {\n transfer from 127.0.0.1:1\n}',
  'secondary example.org {\n transfer from 127.0.0.1:1 [::1]:1\n transfer from 127.0.0.2:1\n}',
  'secondary {\n transfer from 127.0.0.1:1\n fallthrough\n}',
  'secondary example.org {\n transfer from 127.0.0.1:1\n fallthrough example.org\n}',
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [secondary] })
  })

const BAD: readonly (readonly [string, RegExp])[] = [
  ['secondary', /Corefile:1 - plugin\/secondary: secondary zones require a transfer from property/],
  ['secondary example.org {\n}', /require a transfer from property/],
  ['secondary example.org {\n transferr from 127.0.0.1\n}', /unknown property 'transferr'/],
  ['secondary {\n transfer to 127.0.0.1\n}', /expected 'transfer from'/],
  ['secondary {\n transfer from\n}', /expected 'transfer from'/],
  ['secondary {\n transfer from *\n}', /not an IP address: '\*'/],
  ['secondary {\n transfer from 127.0.0.1\n catalog extra\n}', /unknown property 'catalog'/],
]
for (const [text, error] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [secondary] }), error)
  })
