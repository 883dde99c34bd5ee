/** What `rewrite` takes in a Corefile, and what it refuses: the tables of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import rewrite from './plugin.ts'

const GOOD = [
  'rewrite name a.com b.com',
  'rewrite stop {\n name regex foo bar\n answer name bar foo\n}',
  'rewrite stop name regex foo bar answer name bar foo',
  'rewrite stop name regex (.*)-(us) {1}.{2}.c answer name (.*)\\.c {1} answer value x y',
  'rewrite continue name suffix .a.org .b.org answer auto',
  'rewrite name exact exact.org b.org\nrewrite name prefix a b\nrewrite name substring a b',
  'rewrite name prefix suffix',
  'rewrite type ANY HINFO\nrewrite continue class CH IN\nrewrite TYPE any TYPE65280',
  'rewrite edns0 local set 0xffee abcd\nrewrite edns0 local append 65518 0x6162 revert\nrewrite edns0 local replace 1 {qname}',
  'rewrite edns0 local unset 0xffee\nrewrite edns0 nsid set revert\nrewrite edns0 nsid append\nrewrite edns0 local set 1 {geoip/country/code}',
  'rewrite edns0 subnet set 24 56\nrewrite edns0 subnet replace 0 128 revert\nrewrite edns0 subnet unset',
  'rewrite continue {\n ttl regex (.*)\\.coredns\\.rocks 15\n}',
  'rewrite ttl example.org 30-300\nrewrite ttl suffix example.org 30-\nrewrite ttl prefix a -300\nrewrite ttl example.org 0',
  'rewrite cname exact a.example.org b.example.org\nrewrite cname regex (.*)\\.x\\. {1}.y.',
  'rewrite rcode example.org NXDOMAIN NOERROR\nrewrite continue rcode suffix example.org 2 3',
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [rewrite] })
  })

const BAD: readonly (readonly [text: string, message: RegExp])[] = [
  ['rewrite', /Corefile:1 - plugin\/rewrite: no rule type specified/],
  ['rewrite stop', /no rule type specified/],
  ['rewrite name', /too few arguments for a name rule/],
  ['rewrite name a.com', /too few arguments/],
  ['rewrite nme a b', /invalid rule type 'nme': expected name, type/],
  ['rewrite name a b c', /'a' is no kind of match: expected exact, prefix/],
  ['rewrite name exact a b c', /unexpected trailing arguments for a name rule: 'c'/],
  ['rewrite name regex (a b', /not closed/],
  ['rewrite name regex (a) {2}', /no group \{2\}/],
  [
    'rewrite stop {\n name regex foo bar\n answer name bar foo\n name baz qux\n}',
    /Corefile:4 - .*unexpected trailing arguments for a name rule: 'name'/,
  ],
  ['rewrite stop {\n answer name bar foo\n name regex foo bar\n}', /must begin with a name rule/],
  ['rewrite name a b answer', /invalid answer rule ''/],
  ['rewrite name a b answer nope', /invalid answer rule 'nope'/],
  ['rewrite name a b answer name c', /answer name needs an expression/],
  ['rewrite type A', /type rules must have exactly two arguments/],
  ['rewrite type A NOPE', /invalid type NOPE/],
  ['rewrite class CH IN HS', /class rules must have exactly two/],
  ['rewrite class CH XX', /invalid class XX/],
  ['rewrite edns0', /too few arguments for an EDNS0 rule/],
  ['rewrite edns0 local', /too few arguments/],
  ['rewrite edns0 foo set', /invalid rule type 'foo': expected local, nsid or subnet/],
  ['rewrite edns0 local nope 1 a', /invalid action: 'nope'/],
  ['rewrite edns0 local set 1', /require a code and data/],
  ['rewrite edns0 local set 65536 a', /invalid option code 65536/],
  ['rewrite edns0 local set xyz a', /invalid option code xyz/],
  ['rewrite edns0 local set 1 0x123', /no whole number of bytes/],
  ['rewrite edns0 local set 1 {nope}', /unsupported variable name 'nope'/],
  ['rewrite edns0 nsid set abcd', /nsid rules require no arguments/],
  ['rewrite edns0 subnet set 24', /the bits of IPv4 and of IPv6/],
  ['rewrite edns0 subnet set 33 56', /invalid prefix length 33/],
  ['rewrite edns0 subnet set 24 129', /invalid prefix length 129/],
  ['rewrite ttl a', /too few arguments for a ttl rule/],
  ['rewrite ttl a x', /invalid TTL 'x'/],
  ['rewrite ttl a -', /invalid TTL '-'/],
  ['rewrite ttl a 300-30', /its end is before its beginning/],
  ['rewrite ttl a 99999999999', /invalid TTL/],
  ['rewrite rcode a NXDOMAIN', /too few arguments for a rcode rule/],
  ['rewrite rcode a NXDOMAIN NOPE', /invalid rcode NOPE/],
]
for (const [text, message] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [rewrite] }), { message })
  })
