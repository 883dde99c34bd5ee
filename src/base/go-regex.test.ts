import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GoRegex, GoRegexError } from './go-regex.ts'

describe('regular expressions in the syntax of Go', () => {
  /** What Go's `FindStringSubmatch` gives. */
  const MATCHES: readonly (readonly [source: string, text: string, groups: readonly string[] | undefined])[] =
    [
      ['^ip-(?P<a>[0-9]*)-(?<b>\\d+)[.]example[.]$', 'ip-10-95.example.', ['ip-10-95.example.', '10', '95']],
      ['(^|[.])x', 'a.x', ['.x', '.']],
      ['a(b)?c', 'ac', ['ac', '']],
      ['(?i)HeLLo[a-c]', 'hEllOB', ['hEllOB']],
      ['(?i:a)B', 'AB', ['AB']],
      ['(?i:a)B', 'Ab', undefined],
      ['a(?i)b|c', 'aB', ['aB']],
      ['a(?i)b|c', 'C', ['C']],
      ['(?i)[^a]', 'A', undefined],
      ['[[:digit:]]+[[:alpha:]_]', '12_', ['12_']],
      ['[]a]+', ']a', [']a']],
      ['[a\\-z]+', '-a', ['-a']],
      ['[\\d.-]+', '1.2-3', ['1.2-3']],
      ['a{2}', 'aaa', ['aa']],
      ['a{,2}', 'a{,2}', ['a{,2}']],
      ['a.c', 'a\nc', undefined],
      ['(?s)a.c', 'a\nc', ['a\nc']],
      ['(?m)^b$', 'b', ['b']],
      ['^[a-f0-9]{32}$', 'a'.repeat(32), ['a'.repeat(32)]],
      ['^a{2,}?b{0,1}', 'aaab', ['aa']],
      ['^(?P<x>a){2,3}', 'aaaa', ['aaa', 'a']],
      ['\\Aab\\z', 'ab', ['ab']],
      ['\\Qa.b\\E+', 'a.bb', ['a.bb']],
      ['\\x41\\x{42}\\103', 'ABC', ['ABC']],
      ['\\-\\_\\/\\"', '-_/"', ['-_/"']],
      ['\\.\\*\\(\\)', '.*()', ['.*()']],
      ['a}]', 'a}]', ['a}]']],
      ['$^', '', ['']],
      ['\\bfoo\\b', 'a foo b', ['foo']],
      ['\\W\\S\\D', '-ab', ['-ab']],
      ['', 'anything', ['']],
    ]
  for (const [source, text, groups] of MATCHES) {
    test(`${source} in ${JSON.stringify(text)}`, () => {
      assert.deepEqual(GoRegex.compile(source).match(text)?.groups, groups)
    })
  }

  const WRONG: readonly (readonly [source: string, message: RegExp])[] = [
    ['(?P<x>', /is not closed/],
    ['a)', /no opening one/],
    ['[a', /class "\[" is not closed/],
    ['(?=a)', /no looking ahead/],
    ['(?<!a)', /no looking ahead/],
    ['(a)\\1', /refers back/],
    ['a\\', /lone backslash/],
    ['\\y', /means nothing/],
    ['\\p{Greek}', /not supported/],
    ['[[:nope:]]', /expected one of alnum/],
    ['a{1001}', /at most 1000/],
    ['[z-a]', /no range/],
    ['a{3,2}', /wrong way round/],
    ['{2}', /nothing to repeat/],
    ['(?:a{1000}){1000}', /too large/],
    ['((a){5}){5}', /repeats groups too often/],
    ['*a', /nothing to repeat/],
    ['a**', /nothing to repeat/],
    ['(?U)a', /flag U/],
    ['(?P<a>x)(?P<a>y)', /two groups/],
  ]
  for (const [source, message] of WRONG) {
    test(`${source} is refused`, () => {
      assert.throws(
        () => GoRegex.compile(source),
        (error) =>
          error instanceof GoRegexError && message.test(error.message) && error.message.includes(source),
      )
    })
  }

  test('groups stand where a template names them', () => {
    const regex = GoRegex.compile('(?P<first>[a-z]+)-([0-9]+)')
    const match = regex.match('ab-12')!
    assert.equal(regex.expand('$2.${first}.$first_x.$9.$$1', match), '12.ab...$1')
    assert.equal(regex.replaceAll('ab-12 cd-34', '${2}-$first'), '12-ab 34-cd')
    assert.deepEqual(regex.names, ['', 'first', ''])
  })

  for (const source of [
    '^(a*)*b',
    '^(a|a)*b',
    '^(?i)(a+)+$',
    '^(?:(?:a+){5}){5}b',
    '(x+x+)+y',
    '(?:a?){100}a{100}b',
    '^a*a*!x',
  ]) {
    test(`${source} takes no exponential time`, () => {
      const regex = GoRegex.compile(source)
      const { user } = process.cpuUsage()
      for (const letter of ['a', 'x']) assert.equal(regex.test(`${letter.repeat(253)}!`), false)
      // Without the linear engine the sun would burn out first; a second is a thousand times what it takes.
      assert.ok(process.cpuUsage().user - user < 1e6)
    })
  }
})
