import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GoTemplate, GoTemplateError } from './go-template.ts'

const DATA = {
  Name: 'ip-10-1.example.',
  Class: 'IN',
  Match: ['ip-10-1.example.', '10', '1'],
  Group: new Map([
    ['a', '10'],
    ['b', '1'],
  ]),
  Question: { Name: 'ip-10-1.example.', Qtype: 1 },
  Empty: [],
  Yes: true,
  Meta: (name: unknown) => `<${String(name)}>`,
}
const FUNCTIONS = { parseInt: (text: unknown, base: unknown) => Number.parseInt(String(text), Number(base)) }

describe('templates of Go', () => {
  /** What Go's `text/template` writes. */
  const WRITES: readonly (readonly [source: string, text: string])[] = [
    ['{{ .Name }} 60 IN A {{ .Group.a }}.{{.Group.b}}', 'ip-10-1.example. 60 IN A 10.1'],
    ['{{ index .Match 1 }}{{ index .Group "b" }}', '101'],
    ['{{ .Question.Name }}{{ .Question.Qtype }}', 'ip-10-1.example.1'],
    ['{{ .Meta "a/b" }}{{ .Meta `c` | printf "%q" }}', '<a/b>"<c>"'],
    ['{{ parseInt .Group.a 16 | printf "%03d" }}', '016'],
    [
      '{{ printf "%s|%-4s|%4d|%x|%X|%o|%b|%%|%t" .Class "a" 7 255 255 8 5 true }}',
      'IN|a   |   7|ff|FF|10|101|%|true',
    ],
    ['{{ .Group.zzz }}', '<no value>'],
    ['{{ if eq .Class "IN" "CH" }}yes{{ else }}no{{ end }}', 'yes'],
    ['{{ if .Empty }}a{{ else if .Name }}b{{ else }}c{{ end }}', 'b'],
    ['{{ if and .Yes (not .Empty) (gt 2 1) (le "a" "a") (ne 1 2) }}yes{{ end }}', 'yes'],
    ['{{ or .Empty "x" }}{{ and .Yes "y" }}', 'xy'],
    ['{{ range .Match }}[{{ . }}]{{ end }}', '[ip-10-1.example.][10][1]'],
    ['{{ range $i, $one := .Match }}{{ $i }}={{ $one }};{{ end }}', '0=ip-10-1.example.;1=10;2=1;'],
    ['{{ range $name, $one := .Group }}{{ $name }}{{ $one }}{{ end }}', 'a10b1'],
    ['{{ range .Empty }}a{{ else }}none{{ end }}', 'none'],
    [
      '{{ range .Match }}{{ if eq . "10" }}{{ continue }}{{ end }}{{ . }}{{ if eq . "1" }}{{ break }}{{ end }}{{ end }}',
      'ip-10-1.example.1',
    ],
    ['{{ with $x := .Group.a }}{{ $x }}{{ . }}{{ end }}', '1010'],
    ['{{ $x := "1" }}{{ if true }}{{ $x = "2" }}{{ end }}{{ $x }}{{ $.Class }}', '2IN'],
    ['a {{- " b " -}} c', 'a b c'],
    ['a{{/* nothing */}}b{{- /* and here */ -}} c', 'abc'],
    ['{{ len .Match }}{{ slice .Name 0 2 }}{{ slice .Match 1 2 }}', '3ip[10]'],
    ['{{ print "}}" `{{` }}', '}}{{'],
    [String.raw`{{ "\"\t\x41\u0042\103" }}{{ 'a' }}{{ 0x10 }}`, '"\tABC9716'],
    ['{{ (index .Match 1) }}{{ .Group }}', '10map[a:10 b:1]'],
  ]
  for (const [source, text] of WRITES) {
    test(source, () => assert.equal(GoTemplate.parse(source, FUNCTIONS).execute(DATA), text))
  }

  const NO_TEMPLATE: readonly (readonly [source: string, message: RegExp])[] = [
    ['{{', /^1:1: "\{\{" is not closed/],
    ['a\n{{ .A', /^2:1: /],
    ['{{ }}', /a command is missing/],
    ['{{ nope 1 }}', /^1:4: function "nope" not defined: expected one of and, /],
    ['{{ $x }}', /undefined variable "\$x"/],
    ['{{ if .A }}b', /an \{\{end\}\} is missing/],
    ['{{ end }}', /unexpected \{\{end\}\}/],
    ['{{ else }}', /unexpected \{\{else\}\}/],
    ['{{ "a }}', /a quote is not closed/],
    ['{{ (.A }}', /"\(" is not closed/],
    ['{{ .A ) }}', /unexpected "\)"/],
    ['{{ .A | }}', /a command is missing/],
    ['{{ ~ }}', /unexpected "~"/],
    ['{{ break }}', /outside of a range/],
    ['{{ template "x" }}', /not supported/],
    ['{{ if .A }}{{ $x := 1 }}{{ end }}{{ $x }}', /undefined variable/],
  ]
  for (const [source, message] of NO_TEMPLATE) {
    test(`${JSON.stringify(source)} is refused`, () => {
      assert.throws(() => GoTemplate.parse(source), { name: 'Error', message })
    })
  }

  const FAILS: readonly (readonly [source: string, message: RegExp])[] = [
    ['{{ index .Match 3 }}', /<index \.Match 3>: error calling index: index out of range: 3/],
    ['{{ .Grup.d }}', /<\.Grup\.d>: there is no field Grup/],
    ['{{ .Name.x }}', /there is no field x/],
    ['{{ .Name "x" }}', /is given arguments/],
    ['{{ lt 1 "a" }}', /cannot be compared/],
    [
      '{{ range .Match }}{{ range $.Match }}{{ range $.Match }}{{ printf "%999s" . }}{{ printf "%999s" . }}{{ printf "%999s" . }}{{ end }}{{ end }}{{ end }}',
      /writes more than 65536/,
    ],
  ]
  for (const [source, message] of FAILS) {
    test(`${source} fails where it is run`, () => {
      const template = GoTemplate.parse(source, FUNCTIONS)
      assert.throws(
        () => template.execute(DATA),
        (error) => error instanceof GoTemplateError && message.test(error.message),
      )
    })
  }
})
