/** Regular expressions of Go: what they match, what is refused, and that none of them takes long. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GoRegex, GoRegexError } from './go-regex.ts'

type Row = readonly [source: string, text: string, groups: readonly (string | undefined)[] | null]
const ROWS: readonly Row[] = [
  [
    '(.*)-(us-west-1)\\.example\\.org',
    'ftp-us-west-1.example.org.',
    ['ftp-us-west-1.example.org', 'ftp', 'us-west-1'],
  ],
  ['^exact$', 'exact', ['exact']],
  ['^exact$', 'exactly', null],
  ['\\Aa\\z', 'a', ['a']],
  ['(?P<host>[a-z]+)\\.(?<zone>org)', 'www.org', ['www.org', 'www', 'org']],
  ['(?i)WWW\\.[a-c]x', 'wWw.Bx', ['wWw.Bx']],
  ['a(?i)b|c', 'C', ['C']],
  ['(?i:a)b', 'AB', null],
  ['(?i:a)b', 'Ab', ['Ab']],
  ['a.c', 'a\nc', null],
  ['a.c', 'a\rc', ['a\rc']],
  ['(?s)a.c', 'a\nc', ['a\nc']],
  ['[[:alpha:]]+[^[:digit:]]', 'ab.', ['ab.']],
  ['[]a]+', ']a]', [']a]']],
  ['[^]a]', 'a]b', ['b']],
  ['[a\\]-]+', ']-a', [']-a']],
  ['[\\d.]+', '10.0', ['10.0']],
  ['[\\w-]+', 'a_b-1', ['a_b-1']],
  ['\\s', '\v', null],
  ['\\S\\D\\W', 'ab.', ['ab.']],
  ['\\Q1.1\\E', '1.1', ['1.1']],
  ['\\Q1.1\\E', '1x1', null],
  ['\\x41\\x{42}\\103', 'ABC', ['ABC']],
  ['a{', 'a{', ['a{']],
  ['a{,2}', 'a{,2}', ['a{,2}']],
  ['^[a-z]{1,63}\\.b$', `${'x'.repeat(63)}.b`, [`${'x'.repeat(63)}.b`]],
  ['^[a-z]{1,63}\\.b$', `${'x'.repeat(64)}.b`, null],
  ['^x{20,}$', 'x'.repeat(19), null],
  ['^x{20,}?$', 'x'.repeat(30), ['x'.repeat(30)]],
  ['x{2,3}?', 'xxx', ['xx']],
  ['^x{17,20}?', 'x'.repeat(20), ['x'.repeat(17)]],
  ['(a|ab)(c|bcd)', 'abcd', ['abcd', 'a', 'bcd']],
  ['(a)|(b)', 'b', ['b', undefined, 'b']],
  ['', 'a', ['']],
  ['^*a', 'a', ['a']],
  ['a/b', 'a/b', ['a/b']],
]
for (const [source, text, groups] of ROWS)
  test(`${source} and ${JSON.stringify(text.slice(0, 40))}: ${groups ? 'matches' : 'does not match'}`, () => {
    const found = new GoRegex(source).exec(text)
    assert.deepEqual(found && [...found], groups)
  })

const BAD: readonly (readonly [source: string, message: RegExp])[] = [
  ['([a]\\.com', /at character 10: missing closing \)/],
  ['())', /at character 3: unexpected \)/],
  ['[a', /missing closing \]/],
  ['*a', /missing argument to repetition operator/],
  ['a**', /invalid nested repetition operator/],
  ['a*+', /invalid nested repetition operator/],
  ['a{2}{3}', /invalid nested repetition operator/],
  ['a{3,2}', /invalid repeat count \{3,2\}/],
  ['a{1001}', /invalid repeat count/],
  ['(a)\\1', /invalid escape sequence: \\1/],
  ['(?=a)', /invalid or unsupported Perl syntax/],
  ['(?<!a)b', /invalid or unsupported Perl syntax/],
  ['\\pL', /Unicode/],
  ['(?m)^a', /the flag m is not supported/],
  ['a\\', /trailing backslash/],
  ['[z-a]', /invalid character class range: z-a/],
  ['[[:foo:]]', /invalid character class/],
  ['\\y', /invalid escape sequence: \\y/],
  ['a'.repeat(10_001), /too long/],
  ['(?:a{1000}){1000}', /too large/],
  ['((((a{100}){100}){100}){100})', /captures is repeated more than 16 times|too large/],
  [`${'('.repeat(300)}${')'.repeat(300)}`, /nests too deeply/],
]
for (const [source, message] of BAD)
  test(`${source.slice(0, 40)} is refused`, () => {
    assert.throws(
      () => new GoRegex(source),
      (error) => error instanceof GoRegexError && message.test(error.message),
    )
  })

const EVIL = [
  '^(a+)+$',
  '^(.*a){10}$',
  '(a+a+)+b',
  '(a|aa|a)*b',
  '^(?:a{0,100}){0,16}b',
  '(?:a?){100}a{100}b',
  '.*.*.*.*.*.*.*.*b',
]
for (const source of EVIL)
  test(`${source} takes no longer than it may on the longest of names`, () => {
    const expression = new GoRegex(source)
    const text = `${'a'.repeat(252)}!`
    expression.exec(text)
    const before = process.cpuUsage()
    for (let round = 0; round < 20; round++) expression.exec(text)
    const { user, system } = process.cpuUsage(before)
    // A backtracking engine alone needs years for some of these.
    assert.ok((user + system) / 20 < 20_000, `${(user + system) / 20} µs`)
  })
