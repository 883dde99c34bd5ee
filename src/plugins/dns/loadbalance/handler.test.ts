/** In what order addresses are answered. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import { answering, textsOf, withRecords } from '../testing/answering.ts'
import { blockOf } from '../testing/block.ts'
import { parseWeights } from './weights.ts'
import loadbalance from './plugin.ts'

const folder = mkdtempSync(join(tmpdir(), 'loadbalance-'))
test.after(() => rmSync(folder, { recursive: true }))
const address = (last: number) => `www.example.org. 5 IN A 192.0.2.${last}`
const RECORDS = [
  address(1),
  address(2),
  'example.org. 5 IN MX 1 a.example.org.',
  'example.org. 5 IN MX 2 b.example.org.',
  'example.org. 5 IN TXT "a"',
  address(3),
  'a.example.org. 5 IN CNAME www.example.org.',
]
const answers = answering((query) => withRecords(query, ...RECORDS))
const plugins = [loadbalance, answers]

test('aliases come first, addresses and exchangers in every order', async (t) => {
  const block = await blockOf(t, 'loadbalance\nanswers', { plugins })
  const orders = new Set<string>()
  for (let count = 0; count < 400; count++) {
    const texts = textsOf((await block.answer('a.example.org')).answer)
    assert.match(texts[0]!, /CNAME/)
    assert.match(texts[1]!, /TXT/)
    assert.deepEqual(texts.toSorted(), RECORDS.toSorted())
    orders.add(texts.filter((text) => / A /.test(text)).join())
  }
  assert.equal(orders.size, 6)
})

test('how many records an answer has can be limited, and networks preferred', async (t) => {
  const text = 'loadbalance {\nlimit_answers 3\nprefer 192.0.2.3/32\n}\nanswers'
  const block = await blockOf(t, text, { plugins })
  const texts = textsOf((await block.answer('a.example.org')).answer)
  assert.equal(texts.length, 3)
  const all = await blockOf(t, 'loadbalance {\nprefer 192.0.2.3/32\n}\nanswers', { plugins })
  for (let count = 0; count < 20; count++) {
    const order = textsOf((await all.answer('a.example.org')).answer).filter((one) => / A /.test(one))
    assert.equal(order[0], address(3))
  }
})

test('a weighted address comes first as often as its weight says, and the file is read again', async (t) => {
  const path = join(folder, 'weights')
  writeFileSync(path, '# weights\nwww.example.org\n192.0.2.1 3\n192.0.2.2 1\n192.0.2.3 2\n')
  const text = `loadbalance weighted ${path} {\nreload 10ms\n}\nanswers`
  const block = await blockOf(t, text, { plugins })
  const firsts = async (count: number) => {
    const times = [0, 0, 0, 0]
    for (let left = count; left > 0; left--) {
      const all = textsOf((await block.answer('www.example.org')).answer)
      const first = all.find((one) => / A /.test(one))!
      times[Number(first.at(-1))]! += 1
    }
    return times
  }
  const [, one, two, three] = await firsts(6000)
  for (const [times, expected] of [
    [one, 3000],
    [two, 1000],
    [three, 2000],
  ] as const)
    assert.ok(Math.abs(times! - expected) < 250, `${times} instead of ${expected}`)
  writeFileSync(path, 'www.example.org\n192.0.2.1 0\n')
  await eventually(() => block.logged.some((line) => /line 2: the weight 0 is none/.test(line)))
  assert.ok((await firsts(600))[1]! > 200)
  writeFileSync(path, 'www.example.org\n192.0.2.2 255\n')
  await eventually(async () => (await firsts(100))[2]! > 90)
})

const WRONG: readonly (readonly [text: string, message: RegExp])[] = [
  ['192.0.2.1 3', /line 1: an address stands in front of the first name/],
  ['a.org\n192.0.2.1 256', /line 2: the weight 256/],
  ['a.org\n192.0.2 2', /line 2: expected an address and its weight/],
  ['a.org\n192.0.2.1 2 3', /line 2: expected an address/],
  ['a.org\nA.ORG.', /line 2: A\.ORG\. stands twice/],
  ['a..org', /line 1: .*empty label/],
]
for (const [text, message] of WRONG)
  test(`weights ${JSON.stringify(text)} are refused`, () => {
    const read = parseWeights(text)
    assert.ok(typeof read === 'string')
    assert.match(read, message)
  })
