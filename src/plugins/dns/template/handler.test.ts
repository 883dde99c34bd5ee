/** What templates answer, in the cases of CoreDNS and some more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RCODE, TYPE, typeName } from '../../../wire/dns/codes.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import hosts from '../hosts/plugin.ts'
import { blockOf } from '../testing/block.ts'
import template from './plugin.ts'

const BLOCK = `
template IN A test {
  rcode REFUSED
}
template IN TXT test {
  match "$^"
  rcode SERVFAIL
  fallthrough
}
template CH TXT coredns.invalid {
  answer "{{ .Name }} 60 CH TXT \\"test\\""
}
template IN A example {
  match ^ip-10-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$
  answer "{{ .Name }} 60 IN A 10.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"
  fallthrough
}
template IN A example {
  match ^ip0a(?P<b>[a-f0-9]{2})7b7b[.]example[.]$
  answer "{{ .Name }} IN A 10.{{ parseInt .Group.b 16 8 }}.0.1"
  fallthrough
}
template IN MX example {
  match ^ip-10-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$
  answer "{{ .Name }} 60 IN MX 10 {{ .Name }}"
  additional "{{ .Name }} 60 IN A 10.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"
  authority "example. 60 IN NS ns0.example"
}
template IN TXT broken {
  match ^index
  answer "{{ .Name }} 60 IN TXT {{ index .Match 2 }}"
  fallthrough
}
template IN TXT broken {
  match .*
  answer "{{ .Name }}"
}
template IN ANY old {
  answer "old. 60 IN CNAME new.example"
}
template ANY ANY invalid {
  rcode NXDOMAIN
  authority "invalid. 60 {{ .Class }} SOA ns.invalid. hostmaster.invalid. (1 60 60 60 60)"
  ederror 21 "reserved by {{ .Name }}"
}
hosts {
  192.0.2.9 new.example
}`

const OPTIONS = { plugins: [template, hosts], zones: ['.'] }

const shown = ({ answer, additional, authority }: DnsMessage) =>
  [answer, authority, additional].map((records) =>
    records.map(({ name, type, ttl }) => `${name} ${ttl} ${typeName(type)}`),
  )

test('the first template that means class, type, zone and name answers', async (t) => {
  const { answer } = await blockOf(t, BLOCK, OPTIONS)
  const one = await answer('ip-10-95-12-8.example.')
  assert.deepEqual([...one.answer[0]!.rdata], [10, 95, 12, 8])
  assert.equal(one.isAuthoritative && one.isRecursionAvailable, true)
  const other = await answer('IP0aff7b7b.Example.')
  assert.deepEqual([...other.answer[0]!.rdata], [10, 255, 0, 1])
  assert.equal(other.answer[0]!.ttl, 3600)
  assert.deepEqual(shown(await answer('ip-10-1-2-3.example.', 'MX')), [
    ['ip-10-1-2-3.example. 60 MX'],
    ['example. 60 NS'],
    ['ip-10-1-2-3.example. 60 A'],
  ])
  const chaos = await answer('coredns.invalid.', 'TXT', { class: 3 })
  assert.equal(chaos.answer[0]!.class, 3)
  assert.equal(chaos.answer[0]!.rdata.toString('latin1'), '\x04test')
})

test('codes that say that nothing was written are handed on, others are answers', async (t) => {
  const { ask, answer } = await blockOf(t, BLOCK, OPTIONS)
  assert.equal(await ask('some.test.'), RCODE.REFUSED)
  const gone = await answer('a.invalid.', 'AAAA', { edns: {} })
  assert.equal(gone.rcode, RCODE.NXDOMAIN)
  assert.deepEqual(shown(gone), [[], ['invalid. 60 SOA'], []])
})

test('where no expression holds, the next one is asked with fallthrough alone', async (t) => {
  const { ask, answer } = await blockOf(t, BLOCK, OPTIONS)
  assert.equal(await ask('something.example.', 'MX'), RCODE.SERVFAIL)
  assert.equal((await answer('new.example.')).answer[0]!.type, TYPE.A)
})

test('what a template gets wrong is SERVFAIL, said and counted', async (t) => {
  const { ask, logged, figures } = await blockOf(t, BLOCK, OPTIONS)
  assert.equal(await ask('index.broken.', 'TXT'), RCODE.SERVFAIL)
  assert.equal(await ask('b.broken.', 'TXT'), RCODE.SERVFAIL)
  assert.match(
    logged.join('\n'),
    /error template: answer: <index \.Match 2>: .*out of range: 2\nerror template: answer: "b\.broken\."/,
  )
  assert.match(
    figures.text(),
    /coredns_template_template_failures_total\{.*section="answer",template="\{\{ \.Name \}\} 60 IN TXT/,
  )
  assert.match(figures.text(), /coredns_template_rr_failures_total\{.*template="\{\{ \.Name \}\}"\} 1/)
})

test('behind a CNAME stands what the server block has at its target', async (t) => {
  const { answer } = await blockOf(t, BLOCK, OPTIONS)
  assert.deepEqual(shown(await answer('old.'))[0], ['old. 60 CNAME', 'new.example. 3600 A'])
  assert.deepEqual(shown(await answer('old.', 'CNAME'))[0], ['old. 60 CNAME'])
})
