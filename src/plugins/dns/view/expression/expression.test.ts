/** Expressions: what they give, and what is wrong with those that are refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryFor } from '../../testing/block.ts'
import { compileExpression } from './expression.ts'
import { ExpressionError } from './expression-error.ts'

const query = queryFor('WWW.Example.org', 'AAAA', { ip: '192.168.1.7', edns: { isDo: true, udpSize: 1400 } })
query.notes.metadata = new Map([['geoip/country/code', () => 'BR']])
const fromV6 = queryFor('example.org', 'A', { ip: '2001:db8::7', isTcp: true })

const TRUE = [
  'true',
  '!false',
  'not (1 == 2)',
  "name() == 'www.example.org.'",
  'name() == "www.example.org."',
  "type() in ['A', 'AAAA']",
  "type() not in ['A', 'TXT']",
  "type() != 'A' && class() == 'IN' and proto() == 'udp'",
  "false or type() == 'A' || type() == 'AAAA'",
  "type() == 'A' || type() == 'AAAA' && false || true",
  "client_ip() == '192.168.1.7'",
  "incidr(client_ip(), '192.168.0.0/16')",
  "!incidr(client_ip(), '192.167.0.0/16')",
  "incidr('1.2.3.4', '1.2.0.0/16')",
  "!incidr('10.2.3.4', '1.2.0.0/16')",
  "incidr('1:2::3:4', '1:2::/64') && !incidr('A:2::3:4', '1:2::/64')",
  "port() == '40000' && int(port()) > 1024",
  "server_port() == '53' and server_ip() == '127.0.0.1'",
  'bufsize() == 1400',
  'size() > 20 and size() < 512',
  'id() == 4711 and opcode() == 0',
  'do()',
  "name() startsWith 'www.' && name() endsWith 'org.' && name() contains 'exam'",
  "name() not startsWith 'abc' and name() not contains 'x.y'",
  "name() matches '^www\\\\..*\\\\.org\\\\.$'",
  "not (name() matches '^abc') && name() not matches '^abc'",
  "name() matches '(?i)^WWW'",
  "metadata('geoip/country/code') == 'BR'",
  "metadata('nothing') == ''",
  "metadata('geoip/country/code') in ['AR', 'BR']",
  'opcode() in 0..5 and 7 not in 0..5',
  '1 + 2 * 3 == 7 and (1 + 2) * 3 == 9',
  '2 ** 3 ** 2 == 512 and 10 % 4 == 2 and 7 / 2 == 3.5 and 2 ^ 3 == 8',
  '-1 < 0 and +1 > 0 and 1 - 1 - 1 == -1',
  '0x10 == 16 and 1_000 == 1000 and 1e3 == 1000',
  "'a' + 'b' == 'ab'",
  "'b' > 'a'",
  "(do() ? 'x' : 'y') == 'x'",
  'true ? false ? false : true : false',
  "len(name()) == 16 and len(['a', 'b',]) == 2",
  "upper(trim(' a ')) == 'A' and string(1) == '1'",
  "'it\\'s' == \"it's\" and '\\x41' == 'A' and `\\\\` == '\\\\\\\\'",
  "type() in [metadata('nothing'), 'AAAA']",
]
for (const source of TRUE) test(`${source} holds`, () => assert.equal(compileExpression(source)(query), true))

test('addresses of IPv6 are in brackets, and are found in prefixes all the same', () => {
  for (const source of [
    "client_ip() == '[2001:db8::7]'",
    "incidr(client_ip(), '2001:db8::/32')",
    "incidr(string(client_ip()), '2001:db8::/32')",
    "proto() == 'tcp'",
  ])
    assert.equal(compileExpression(source)(fromV6), true, source)
  assert.equal(compileExpression("incidr(client_ip(), '2001:db9::/32')")(fromV6), false)
})

test('what comes with a query and is wrong throws then', () => {
  assert.throws(() => compileExpression("incidr('invalid', '1.2.0.0/16')")(query), /"invalid" is no address/)
  assert.throws(() => compileExpression("incidr('1.2.3.4', name())")(query), /is no prefix/)
  assert.throws(() => compileExpression('int(name()) == 1')(query), /is no number/)
})

const WRONG: readonly (readonly [string, number, RegExp])[] = [
  ['', 1, /unexpected end of the expression/],
  ['invalid expression', 1, /unknown name invalid: texts stand in quotes, and functions have parentheses/],
  ['name == "x"', 1, /unknown name name: .*such as name\(\)/],
  ['nam() == "x"', 1, /unknown function nam\(\): did you mean name\(\)\?/],
  ['toString() == "x"', 1, /unknown function toString\(\)/],
  ["name() = 'x'", 8, /unexpected character "="|unexpected =: equality is written ==/],
  ['port() == 53', 8, /invalid operation: == \(mismatched types string and number\): write '53' in quotes/],
  ['name()', 1, /this is a string: expected something that is true or false/],
  ["not name() == 'x'", 5, /this is a string: expected a bool behind not/],
  ['name() and true', 1, /expected a bool in front of &&/],
  ["1 in ['a']", 1, /a number is in no list of strings/],
  ["name() in 'abc'", 11, /expected a array behind in|expected an array behind in/],
  ['incidr(client_ip())', 1, /incidr\(\) takes 2 arguments, not 1/],
  ["incidr(1, '10.0.0.0/8')", 8, /incidr\(\) takes a string here, not a number/],
  ["incidr(client_ip(), '10.0.0.0')", 21, /"10\.0\.0\.0" is no prefix/],
  ["incidr(client_ip(), '10.0.0.0/33')", 21, /is no prefix/],
  ["name() matches '('", 16, /is no regular expression/],
  ['name() matches name()', 16, /expected a regular expression in quotes/],
  ["name() == 'x", 11, /the text that begins here has no end/],
  ["name() == '\\.'", 12, /a backslash in a text is written twice/],
  ['(true', 6, /expected \), not end of the expression/],
  ['true false', 6, /unexpected false/],
  ['true ? 1 : "a"', 12, /expected a number as in front of the colon/],
  ['1 < "a"', 3, /mismatched types number and string/],
  ['do() < true', 6, /< compares numbers or texts, not a bool/],
  ['[1] == [1]', 5, /lists are not compared/],
  ['1 in 0..1e9', 7, /a range has at most 100000 numbers/],
  ['id() in 0..id()', 10, /a range goes from one number to another/],
  ['name() == @', 11, /unexpected character "@"/],
  ['true &&', 8, /unexpected end of the expression/],
  ['type() in [', 12, /unexpected end of the expression/],
  ['true or ()', 10, /unexpected \)/],
]
for (const [source, column, message] of WRONG)
  test(`${source} is refused at column ${column}`, () => {
    assert.throws(
      () => compileExpression(source),
      (error) => {
        assert.ok(error instanceof ExpressionError, String(error))
        assert.match(error.message, message)
        assert.equal(error.column, column)
        return true
      },
    )
  })

test('deep and long expressions end', () => {
  for (const source of ['('.repeat(50_000), '!'.repeat(50_000), '['.repeat(50_000), '-'.repeat(50_000)])
    assert.throws(() => compileExpression(source), /this is too deep/)
  const chain = (count: number) =>
    Array.from({ length: count }, (_, index) => `name() == '${index}'`).join(' or ')
  assert.equal(compileExpression(chain(500))(query), false)
  assert.throws(() => compileExpression(chain(501)), /more than 1000 operators/)
})
