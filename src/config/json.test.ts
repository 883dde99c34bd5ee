import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJson } from './json.ts'

for (const [text, line, column, message] of [
  ['{a}', 1, 2, /key in double quotes, not `a`/],
  ['[tru]', 1, 2, /`tru` needs double quotes/],
  ['{"a": 5s}', 1, 8, /not a number; put text in double quotes/],
  ['{"a":1,}', 1, 7, /a comma before `}` is not allowed/],
  ['{\n  "a": 1\n  "b": 2\n}', 3, 3, /expected `,` or `}`, not `"`/],
  ['{\n  "a" 1\n}', 2, 7, /expected `:` after the key "a", not `1`/],
  ['{"a": {"b": 1}, "a": 2}', 1, 17, /the key "a" stands here a second time/],
  ['{"a": [1, 2', 1, 12, /expected `,` or `]`, but the file ends here/],
  ['{"a": "x\ny"}', 1, 7, /no closing quote/],
  ['{"a": "x\ty"}', 1, 9, /control character/],
  [String.raw`{"a": "\d"}`, 1, 8, /escape is not known/],
  ['// hello\n{}', 1, 1, /comments are not allowed/],
  ["{'a': 1}", 1, 2, /key in double quotes, not `'`/],
  ['', 1, 1, /empty/],
  ['  \n ', 2, 2, /empty/],
  ['{} x', 1, 4, /expected the end of the file/],
] as const) {
  test(`${JSON.stringify(text)} is refused at ${line}:${column}`, () => {
    const result = parseJson(text)
    assert.equal(result.kind, 'fault')
    assert.deepEqual([result.fault.line, result.fault.column], [line, column])
    assert.match(result.fault.message, message)
    assert.throws(() => {
      JSON.parse(text)
      if (message.source.includes('second time')) throw new Error('the built-in parser lets it pass')
    })
  })
}

test('the excerpt marks the place', () => {
  const result = parseJson('{\n  "a": 1,,\n}')
  assert.equal(result.kind === 'fault' && result.fault.excerpt, '2 |   "a": 1,,\n  |          ^')
})

for (const text of [
  '{}',
  '[]',
  ' {"a": [1, -0.5e+3, true, null, "\\u00e9\\n", {}], "b": {"a": 1}} ',
  '"x"',
  '0',
]) {
  test(`${text} is read as the built-in parser reads it`, () => {
    assert.deepEqual(parseJson(text), { kind: 'value', value: JSON.parse(text) })
  })
}

test('a byte order mark is passed over', () => {
  assert.deepEqual(parseJson('\uFEFF{"a": 1}'), { kind: 'value', value: { a: 1 } })
})

test('what it accepts, the built-in parser accepts too, over many small damages of a good file', () => {
  const good = '{"a": [1, "x\\n", {"b": -2.5e3}], "c": {"d": null, "e": true}}'
  for (let at = 0; at < good.length; at++) {
    for (const by of ['', ',', '"', '}', ']', '0', '\\', 'x', ' ', '\n']) {
      const text = good.slice(0, at) + by + good.slice(at + 1)
      let builtIn: unknown
      try {
        builtIn = { kind: 'value', value: JSON.parse(text) }
      } catch {
        builtIn = undefined
      }
      const ours = parseJson(text)
      if (ours.kind === 'value') assert.deepEqual(ours, builtIn, text)
      else if (!ours.fault.message.includes('second time')) assert.equal(builtIn, undefined, text)
    }
  }
})
