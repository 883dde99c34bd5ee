/** What `template` takes in a Corefile, and what it refuses: the tables of CoreDNS, and more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockOf } from '../testing/block.ts'
import template from './plugin.ts'

const GOOD = [
  'template ANY ANY {\n rcode NXDOMAIN\n}',
  'template ANY A example.com {\n match ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]com\n answer "{{ .Name }} A {{ .Group.a }}.{{ .Group.b }}.{{ .Group.c }}.{{ .Grup.d }}."\n fallthrough\n}',
  'template IN ANY example.com {\n match "[.](example[.]com[.]dc1[.]example[.]com[.])$"\n rcode NXDOMAIN\n authority "{{ index .Match 1 }} 60 IN SOA a.{{ index .Match 1 }} b.{{ index .Match 1 }} (1 60 60 60 60)"\n fallthrough example.com\n}',
  'template IN A example {\n match ^ip-10-(?P<b>[0-9]*)[.]example[.]$\n answer "{{ .Name }} 60 IN A 10.{{ .Group.b }}.0.1"\n}\ntemplate IN MX example. {\n match a b\n answer "{{ .Name }} 60 IN MX 10 {{ .Name }}"\n additional "{{ .Name }} 60 IN A 10.0.0.1"\n}',
  'template IN A example {\n authority "example. IN NS ns0"\n upstream 8.8.8.8:53\n}',
  'template ANY ANY invalid {\n ederror 21 "reserved"\n}',
]
for (const text of GOOD)
  test(`it takes: ${text.replaceAll('\n', ';')}`, async (t) => {
    await blockOf(t, text, { plugins: [template] })
  })

const BAD: readonly (readonly [text: string, message: RegExp])[] = [
  ['template', /Corefile:1 - plugin\/template: expected a class and a type/],
  ['template X', /expected a class and a type/],
  ['template X A', /invalid query class X/],
  ['template ANY', /expected a class and a type/],
  ['template ANY X', /invalid query type X/],
  ['template ANY ANY', /no answer section/],
  ['template ANY ANY .*', /"\.\*" has an empty label/],
  ['template ANY ANY {\n\n}', /no answer section/],
  ['template ANY ANY {\n additional "a. A 192.0.2.1"\n}', /no answer section/],
  [
    'template ANY ANY {\n notavailable\n}',
    /Corefile:2 - .*unknown property 'notavailable': expected match, answer/,
  ],
  ['template ANY ANY {\n answer\n}', /answer needs an argument/],
  ['template ANY ANY {\n additional\n}', /additional needs an argument/],
  ['template ANY ANY {\n authority\n}', /authority needs an argument/],
  ['template ANY ANY {\n match\n answer "a"\n}', /match needs an argument/],
  ['template ANY ANY {\n match (?P<x>\n answer "a"\n}', /could not parse regex: "\(\?P<x>" .*not closed/],
  ['template ANY ANY {\n rcode\n}', /rcode needs an argument/],
  ['template ANY ANY {\n rcode UNDEFINED\n}', /unknown rcode UNDEFINED/],
  ['template ANY ANY {\n answer "{{"\n}', /could not compile template: \{\{, 1:1:/],
  ['template ANY ANY {\n answer "{{ nope }}"\n}', /function "nope" not defined/],
  ['template ANY ANY {\n ederror 99\n}', /99 is no extended error/],
]
for (const [text, message] of BAD)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [template] }), { message })
  })
