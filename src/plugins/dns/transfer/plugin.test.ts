/** What `transfer` takes in a Corefile, and what it refuses: the table of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import transfer from './plugin.ts'

const GOOD = [
  'transfer example.net example.org {\n to 1.2.3.4 5.6.7.8:1053 [1::2]:34\n}\ntransfer example.com example.edu {\n to * 1.2.3.4\n}',
  'transfer {\n to 1.2.3.4 5.6.7.8:1053 [1::2]:34\n}',
  'transfer {\n to 10.0.0.0/8 2001:db8::/32 1::2\n to *\n}',
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [transfer] })
  })

const BAD: readonly (readonly [string, RegExp])[] = [
  ['transfer', /Corefile:1 - plugin\/transfer: 'to' is required/],
  ['transfer example.net example.org {\n}', /'to' is required/],
  ['transfer {\n to\n}', /Corefile:2 - plugin\/transfer: 'to' needs addresses/],
  ['transfer example.net {\n invalid option\n}', /unknown property 'invalid'/],
  ['transfer example.com example.edu {\n to example.com 1.2.3.4\n}', /not an IP address: 'example\.com'/],
  ['transfer {\n to 1.2.3.4:0\n}', /not an IP address/],
  ['transfer {\n to 1.2.3.4:65536\n}', /not an IP address/],
  ['transfer {\n to 10.0.0.1/8\n}', /bits behind its length/],
  ['transfer exa..mple {\n to *\n}', /empty label/],
]
for (const [text, error] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [transfer] }), error)
  })
