import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDictionary, parseList, serialiseString, type Member } from './structured-fields.ts'

const plain = (member: Member): unknown =>
  member.kind === 'list' ? member.items.map(plain) : `${member.item.type} ${String(member.item.value)}`
const list = (text: string) => parseList(text)?.map(plain)
const dictionary = (text: string) => {
  const members = parseDictionary(text)
  return members && Object.fromEntries(Array.from(members, ([name, member]) => [name, plain(member)]))
}

test('RFC 9651 §4.2.1: a list has members of every type', () => {
  assert.deepEqual(list('sugar, "tea", 1, -2.5, ?0, :aGk=:, @1659578233, %"f%c3%bc", *x/y:z'), [
    'token sugar',
    'string tea',
    'integer 1',
    'decimal -2.5',
    'boolean false',
    'bytes hi',
    'date 1659578233',
    'display fü',
    'token *x/y:z',
  ])
  assert.deepEqual(list(''), [])
  assert.deepEqual(list('  ("a"  b );q=1 ,\t"c\\"\\\\"'), [['string a', 'token b'], 'string c"\\'])
  assert.equal(parseList('a;q=0.5;b')?.[0]?.parameters.get('q')?.value, 0.5)
  assert.equal(parseList('a; q=1;q=2')?.[0]?.parameters.get('q')?.value, 2)
})

test('RFC 9651 §4.2: a list with one mistake is none', () => {
  const mistakes = [
    'a,',
    ',a',
    'a,,b',
    'a b',
    '"open',
    '"\x7f"',
    '"a\\b"',
    '("a""b")',
    '(a',
    'a;',
    'a;Q=1',
    '1.',
    '1.2345',
    '1234567890123.1',
    '1234567890123456',
    '--1',
    '-',
    '?2',
    ':a b:',
    '@1.5',
    '%"%ff"',
    '%"%FC"',
    '&&&',
    'a\t;b',
    '\ta',
  ]
  for (const text of mistakes) assert.equal(list(text), undefined, text)
})

test('RFC 9651 §4.2.2: of two members of a dictionary with one name the last counts, and a name alone is true', () => {
  assert.deepEqual(dictionary('a=1, b;x=2, a=(1 2)'), { a: ['integer 1', 'integer 2'], b: 'boolean true' })
  for (const text of ['A=1', 'a=', 'a =1', 'a= 1', 'a=1 b=2', 'a=1,', '1=a'])
    assert.equal(dictionary(text), undefined, text)
})

test('RFC 9651 §4.1.6: what is written as a string is read as the same', () => {
  const text = 'a "b" \\ c'
  assert.deepEqual(list(serialiseString(text)), [`string ${text}`])
  assert.deepEqual(list(serialiseString('ü\r\nx')), ['string x'])
})

test('what is no structured field is told from one in time in proportion to its length, and throws nothing', () => {
  const pieces = [
    'a',
    '"',
    '\\',
    ';',
    '=',
    ',',
    ' ',
    '(',
    ')',
    ':',
    '?',
    '%',
    '@',
    '-',
    '1',
    '.',
    'A',
    '\t',
    'é',
  ]
  let seed = 1
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: random(20) }, () => pieces[random(pieces.length)]).join('')
    parseList(text)
    parseDictionary(text)
  }
  const start = performance.now()
  for (const piece of [...pieces, 'a,', 'a=1;', '(a ', '"\\"', 'a;a=', '%"%'])
    for (const before of ['', '"', 'a=', '(', '%"', ':']) {
      const text = before + piece.repeat(200_000)
      parseDictionary(text)
      parseList(text)
    }
  // By the square of the length it would be hours.
  assert.ok(performance.now() - start < 120_000)
})
