/** What `acl` takes in a Corefile, and what it refuses: the table of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import acl from './plugin.ts'

const folder = mkdtempSync(join(tmpdir(), 'acl-'))
test.after(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'networks.txt'), '10.218.128.0/24\n35.39.53.223/32 # one\n\n43.105.127.35/18\n')
writeFileSync(join(folder, 'broken.txt'), '10.0.0.0/8\n10.0.0/8\n')

const GOOD = [
  'acl {\n block type A net 192.168.0.0/16\n}',
  'acl {\n block type * net 192.168.0.0/16\n}',
  'acl {\n block type A net *\n}',
  'acl {\n allow type * net 192.168.1.0/24\n block type * net 192.168.0.0/16\n}',
  'acl {\n filter type A net 192.168.0.0/16\n}',
  'acl {\n drop type * net 192.168.0.0/16\n}',
  'acl {\n allow type * net 192.168.0.0/16\n block type * net *\n}',
  'acl a.example.org {\n block type * net 192.168.1.0/24\n}',
  'acl a.example.org {\n block type * net 192.168.1.0/24\n}\nacl b.example.org {\n block type * net 192.168.2.0/24\n}',
  'acl example.org {\n block type * net 192.168.1.0/24 192.168.3.0/24\n}',
  'acl {\n block type A file networks.txt\n}',
  'acl {\n block type A net 2001:db8:abcd:0012::0/64\n}',
  'acl {\n block net 192.168.1.2 2001:db8::1\n}',
  'acl {\n BLOCK TYPE a NET 192.168.1.2\n}',
  'acl {\n block\n}',
  'acl',
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [acl], folder })
  })

const BAD: readonly (readonly [string, RegExp])[] = [
  [
    'acl {\n block A net 192.168.0.0/16\n}',
    /Corefile:2 - .*unexpected token 'A'; expect 'type \| net \| file'/,
  ],
  ['acl {\n block type net 192.168.0.0/16\n}', /no token specified in 'type' section/],
  ['acl {\n block type A net\n}', /no token specified in 'net' section/],
  ['acl {\n block type ABC net 192.168.0.0/16\n}', /unexpected token 'ABC'; expect legal QTYPE/],
  ['acl {\n blck type A net 192.168.0.0/16\n}', /unexpected token 'blck'; expect 'allow' or 'block'/],
  ['acl {\n block type A net 192.168.0/16\n}', /illegal CIDR notation '192.168.0\/16'/],
  ['acl {\n block type A net 192.168.0.0/33\n}', /illegal CIDR notation/],
  ['acl {\n block type A net 2001:db8::abc::0/64\n}', /illegal CIDR notation/],
  ['acl {\n block type A net 2001:db8:abcd:0012::0/129\n}', /illegal CIDR notation/],
  ['acl {\n block file missing.txt\n}', /unable to load networks from local file: .*missing\.txt/],
  ['acl {\n block file broken.txt\n}', /broken\.txt:2: illegal CIDR notation '10\.0\.0\/8'/],
]
for (const [text, message] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [acl], folder }), message)
  })
