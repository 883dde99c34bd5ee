import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseContentRange, parseRanges, parseRangeSpecs } from './byte-ranges.ts'

const textOf = (field: string | undefined, size: number): string => {
  const ranges = parseRanges(field, size)
  if (ranges.kind !== 'parts') return ranges.kind
  return ranges.parts.map(({ start, end }) => `${start}-${end}`).join(' ')
}

test('RFC 9110 §14.1.2: what each form asks for of a hundred bytes', () => {
  const cases: readonly (readonly [field: string | undefined, parts: string])[] = [
    [undefined, 'whole'],
    ['bytes=0-0', '0-1'],
    ['bytes=0-99', '0-100'],
    ['bytes=90-', '90-100'],
    ['bytes=90-1000', '90-100'],
    ['bytes=-10', '90-100'],
    ['bytes=-1000', '0-100'],
    ['BYTES=5-9', '5-10'],
    ['bytes= 0-1 , 5-6', '0-2 5-7'],
    ['bytes=0-1,200-300', '0-2'],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=200-300,400-', 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
    [`bytes=5-${'9'.repeat(400)}`, '5-100'],
  ]
  for (const [field, expected] of cases) assert.equal(textOf(field, 100), expected, field ?? 'none')
  assert.equal(textOf('bytes=0-', 0), 'unsatisfiable')
  assert.equal(textOf('bytes=-5', 0), 'whole')
})

test('RFC 9110 §14.2: what is not understood is as if it were absent', () => {
  for (const field of [
    'bytes=5-4',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=1-2,,3-4',
    'lines=1-2',
    'bytes 1-2',
  ])
    assert.equal(textOf(field, 100), 'whole', field)
})

test('RFC 9110 §14.2: parts that overlap or touch are sent as one, and absurd sets as the whole', () => {
  const cases: readonly (readonly [field: string, parts: string])[] = [
    ['bytes=0-9,5-19', '0-20'],
    ['bytes=0-9,10-19', '0-20'],
    ['bytes=10-19,0-9', '0-20'],
    ['bytes=0-9,11-19', '0-10 11-20'],
    ['bytes=50-59,0-9', '50-60 0-10'],
    ['bytes=50-59,0-9,55-64', '0-10 50-65'],
    ['bytes=0-0,0-0,0-0', '0-1'],
    ['bytes=0-80,10-90', 'whole'],
    ['bytes=0-,0-', 'whole'],
    [`bytes=${Array(33).fill('0-0').join(',')}`, 'whole'],
  ]
  for (const [field, expected] of cases) assert.equal(textOf(field, 100), expected, field ?? 'none')
})

test('RFC 9110 §14.1.1: a set is read before anybody knows how much there is', () => {
  assert.deepEqual(parseRangeSpecs('bytes=2-,-3,4-5'), [
    { kind: 'from', first: 2, last: undefined },
    { kind: 'suffix', bytes: 3 },
    { kind: 'from', first: 4, last: 5 },
  ])
  assert.equal(parseRangeSpecs('bytes=5-4'), undefined)
})

test('RFC 9110 §14.4: Content-Range is read where it says everything, and nowhere else', () => {
  assert.deepEqual(parseContentRange('bytes 0-9/10'), { start: 0, end: 10, size: 10 })
  assert.deepEqual(parseContentRange('Bytes 5-5/1000'), { start: 5, end: 6, size: 1000 })
  for (const field of [
    undefined,
    '',
    'bytes */10',
    'bytes 0-9/*',
    'bytes 0-10/10',
    'bytes 9-0/10',
    'bytes 0-9',
    'bytes=0-9/10',
    'lines 0-9/10',
    'bytes 0-9/10, bytes 0-9/10',
    `bytes 0-9/${'9'.repeat(16)}`,
  ])
    assert.equal(parseContentRange(field), undefined, field ?? 'none')
})
