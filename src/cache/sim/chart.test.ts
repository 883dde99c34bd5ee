import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missRatioChart } from './chart.ts'
import { bytesText, countText } from './quantity-text.ts'
import { logTicks } from './scale.ts'
import type { SimResult } from './sweep.ts'

const result = (
  policy: SimResult['policy'],
  size: number,
  hitRatio: number,
  admission: SimResult['admission'] = 'all',
): SimResult => ({
  policy,
  admission,
  by: 'entries',
  size,
  share: size / 1000,
  hits: 0,
  hitRatio,
  byteHitRatio: null,
})

const RESULTS = [
  result('lru', 10, 0.2),
  result('lru', 100, 0.6),
  result('s3-fifo', 10, 0.3),
  result('s3-fifo', 100, 0.7),
  result('min', 10, 0.5),
  result('min', 100, 0.8),
]
const TEXTS = { title: 'Miss ratio', subtitle: 'of a trace' }

/** Every element that is opened is closed, in order: what an XML parser insists on. */
function assertWellFormed(svg: string): void {
  const open: string[] = []
  for (const [, close, name, self] of svg.matchAll(/<(\/?)([a-z]+)(?:\s+[a-z-]+="[^"<]*")*\s*(\/?)>/gi)) {
    if (close === '/') assert.equal(open.pop(), name)
    else if (self !== '/') open.push(name!)
  }
  assert.deepEqual(open, [])
  assert.equal(svg.replaceAll(/<[^>]*>/g, '').match(/[<>]|&(?!(?:amp|lt|gt|quot);)/), null)
}

test('a chart has a line and a name for each setting, the best first', () => {
  const svg = missRatioChart(RESULTS, TEXTS)
  assertWellFormed(svg)
  assert.equal(svg.match(/<path d="M[\d. ]+L/g)?.length, 3)
  const names = [...svg.matchAll(/>(lru|s3-fifo|min)<\/text>/g)].map(([, name]) => name)
  assert.deepEqual(names, ['min', 's3-fifo', 'lru'])
})

test('a point tells what it is: what is higher misses more', () => {
  const svg = missRatioChart(RESULTS, TEXTS)
  assert.match(svg, /<title>lru, 10: 80\.0 % miss<\/title>/)
  const heightOf = (told: string) =>
    Number(new RegExp(`cy="([\\d.]+)" r="[\\d.]+"><title>${told}:`).exec(svg)?.[1])
  assert.ok(heightOf('lru, 10') < heightOf('lru, 100'))
  assert.ok(heightOf('lru, 100') < heightOf('min, 100'))
})

test('the setting that was chosen is bold', () => {
  const svg = missRatioChart(RESULTS, TEXTS, { policy: 's3-fifo', admission: 'all' })
  assert.match(svg, /font-weight="600">s3-fifo</)
  assert.doesNotMatch(svg, /font-weight="600">lru</)
})

test('names of files may hold what XML may not', () => {
  const svg = missRatioChart(RESULTS, { title: '<a&b>"', subtitle: '' })
  assertWellFormed(svg)
  assert.match(svg, />&lt;a&amp;b&gt;&quot;<\/text>/)
})

test('of many settings those with the first admission are drawn, the bounds, and the chosen one', () => {
  const policies = ['lru', 'lfu', 'fifo', 'clock', 'sieve', 'arc'] as const
  const many = (['all', 'second-sight', 'tinylfu'] as const).flatMap((admission) =>
    policies.flatMap((policy) => [result(policy, 10, 0.1, admission), result(policy, 100, 0.2, admission)]),
  )
  const svg = missRatioChart([...many, result('min', 10, 0.4)], TEXTS, {
    policy: 'arc',
    admission: 'tinylfu',
  })
  assert.match(svg, />lru<\/text>/)
  assert.match(svg, />arc \+ tinylfu<\/text>/)
  assert.match(svg, />min<\/text>/)
  assert.doesNotMatch(svg, /second-sight/)
})

test('a single point is drawn, too', () => {
  const svg = missRatioChart([result('lru', 10, 0.2)], TEXTS)
  assertWellFormed(svg)
  assert.doesNotMatch(svg, /NaN|Infinity/)
})

test('what stands at a logarithmic scale is round and fits beside each other', () => {
  assert.deepEqual(logTicks(140, 2750, 'entries'), [200, 500, 1000, 2000])
  assert.deepEqual(logTicks(3e6, 2e7, 'bytes'), [2 ** 22, 2 ** 23, 2 ** 24])
  assert.ok(logTicks(1, 1e12, 'bytes').length <= 9)
  assert.deepEqual(logTicks(3, 4, 'entries'), [3])
})

for (const [bytes, text] of [
  [1, '1 B'],
  [999, '999 B'],
  [1000, '1 KiB'],
  [1536, '1.5 KiB'],
  [128 * 1024 ** 2, '128 MiB'],
  [2_029_769_728, '1.9 GiB'],
] as const) {
  test(`${bytes} bytes are ${text} for people`, () => assert.equal(bytesText(bytes), text))
}

test('counts have commas', () => assert.equal(countText(1_234_567), '1,234,567'))
