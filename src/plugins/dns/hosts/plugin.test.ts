/** What `hosts` takes in a Corefile, and what it refuses: the tables of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import hosts from './plugin.ts'

const GOOD = [
  'hosts',
  'hosts /tmp/no-such-hosts',
  'hosts /etc/hosts miek.nl.',
  'hosts /etc/hosts miek.nl. pun.gent.',
  'hosts {\n fallthrough\n}',
  'hosts /tmp/no-such-hosts {\n fallthrough\n}',
  'hosts /etc/hosts miek.nl. {\n fallthrough\n}',
  'hosts /etc/hosts miek.nl 10.0.0.9/8 {\n fallthrough\n}',
  'hosts no_such_file example.org {\n 10.0.0.1 example.org\n fallthrough\n}',
  'hosts no_such_file example.org {\n 10.0.0.1 example.org\n}',
  'hosts {\n ttl 60\n no_reverse\n reload 0\n}',
  'hosts {\n reload 1m30s\n}',
  'hosts {\n fallthrough\n fallthrough_unsupported\n}',
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [hosts] })
  })

const BAD: readonly (readonly [string, RegExp])[] = [
  [
    'hosts /etc/hosts {\n fallthrough\n}\nhosts /etc/hosts {\n fallthrough\n}',
    /Corefile:4 - plugin\/hosts: this plugin can only be used once per Server Block/,
  ],
  [
    'hosts no_such_file example.org {\n fallthrough\n 10.0.0.1 example.org\n}',
    /Corefile:3 - plugin\/hosts: unknown property '10\.0\.0\.1'/,
  ],
  ['hosts {\n ttl\n}', /ttl needs a time in second/],
  ['hosts {\n ttl x\n}', /ttl needs a number of second/],
  ['hosts {\n ttl 0\n}', /ttl provided is invalid/],
  ['hosts {\n ttl -1\n}', /ttl provided is invalid/],
  ['hosts {\n ttl 65536\n}', /ttl provided is invalid/],
  ['hosts {\n reload\n}', /reload needs a duration/],
  ['hosts {\n reload 10\n}', /reload 10 is no time/],
  ['hosts {\n reload -5s\n}', /less than nothing/],
  ['hosts {\n fallthrough_unsupported\n}', /needs fallthrough/],
]
for (const [text, error] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [hosts] }), error)
  })
