/** The memory of limits: kept as long as a limit is what it was, taken over, and let go. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { type TestContext, test } from 'node:test'
import { openSharedWords } from '../../base/shared-words.ts'
import { checkConfig } from '../../config/check.ts'
import type { Config } from '../../config/schema.ts'
import type { ServedLimit } from '../../contract/limits.ts'
import { limiterPlanOf } from '../../limit/configured-plan.ts'
import { SharedLimiter } from '../../limit/shared-limiter.ts'
import { LimitRegions } from './limit-regions.ts'

function limitsOf(...limits: readonly object[]): Config['limits'] {
  const result = checkConfig({ limits: limits.map((limit) => ({ name: 'a', rate: '3/1m', ...limit })) })
  assert.ok(result.kind === 'config', JSON.stringify(result))
  return result.config.limits
}

function regionsFor(t: TestContext, before?: LimitRegions) {
  const lines: string[] = []
  const log = { info: (line: string) => lines.push(line), warn: (line: string) => assert.fail(line) }
  const regions = new LimitRegions(log, 2, before?.estate)
  t.after(() => regions.close())
  return { regions, lines, serve: (...limits: readonly object[]) => regions.serve(limitsOf(...limits), []) }
}

/** A worker that takes from the limit. */
function worker({ config, path }: ServedLimit, number: number) {
  assert.ok(config.kind === 'rate')
  const limiter = new SharedLimiter(limiterPlanOf(config), openSharedWords(path!), { worker: number })
  return (now: number) => limiter.take('k', 1, now).allowed
}

test('the memory stays where the rate or the burst is another one, and where anything else is, it is another', (t) => {
  const { serve } = regionsFor(t)
  const [first] = serve({ key: 'address' })
  const ids = (...limits: readonly object[]) => serve(...limits).map(({ id }) => id)
  assert.deepEqual(ids({ key: 'address' }, { name: 'b', key: 'address' })[0], first!.id)
  for (const same of [{ rate: '5/1m' }, { burst: 7 }, { dryRun: true }, { paths: ['/a'] }, { cost: 2 }])
    assert.deepEqual(ids({ key: 'address', ...same }), [first!.id], JSON.stringify(same))
  const others: readonly object[] = [
    { key: 'host' },
    { key: 'address', rate: '3/2m' },
    { key: 'address', algorithm: 'sliding-log' },
    { key: 'address', keysMax: 1000 },
    { key: 'address', replacement: 'lru' },
    { key: 'address', prefixes: { v6: [64] } },
    { key: 'address', sketch: { width: 1024 } },
    { key: 'address', name: 'b' },
  ]
  const all = others.flatMap((other) => ids(other))
  assert.equal(new Set([first!.id, ...all]).size, others.length + 1)
})

test('what is live no more is let go, and what is goes on', (t) => {
  const { regions, serve } = regionsFor(t)
  const served = serve({}, { name: 'b' })
  const [a, b] = served.map(({ path }) => path!)
  regions.keep({ served: { limiters: served.slice(1) } as never })
  assert.deepEqual([existsSync(a!), existsSync(b!)], [false, true])
  regions.close()
  assert.equal(existsSync(b!), false)
})

test('a program that takes over has the same memory, and other numbers for its workers', (t) => {
  const first = regionsFor(t)
  const [before] = first.serve({})
  const take = worker(before!, first.regions.numberOf(0))
  assert.deepEqual([take(1000), take(1000)], [true, true])
  const second = regionsFor(t, first.regions)
  const [after] = second.serve({})
  assert.equal(after!.id, before!.id)
  assert.notEqual(after!.path, before!.path)
  first.regions.close()
  const next = worker(after!, second.regions.numberOf(0))
  assert.deepEqual([next(1000), next(1000)], [true, false])
  assert.notEqual(first.regions.numberOf(0), second.regions.numberOf(0))
  // The one after that: the first program is gone by then.
  assert.equal(regionsFor(t, second.regions).regions.numberOf(3), first.regions.numberOf(3))
})

test('keys that have something used up are counted, and those of a sketch are not told', (t) => {
  const { regions, serve, lines } = regionsFor(t)
  const [exact, sketch] = serve({ rate: '3/30d' }, { name: 'b', store: 'sketch', algorithm: 'fixed-window' })
  assert.equal(regions.keysOf(exact!), 0)
  worker(exact!, 0)(Math.floor(performance.now()))
  assert.equal(regions.keysOf(exact!), 1)
  assert.equal(regions.keysOf(sketch!), undefined)
  assert.match(
    lines.join('\n'),
    /^the limit b counts in a sketch of 524,288 × 3 cells of 16 bits, .*wrongly refused/,
  )
})

test('what would take too much is refused before anything is made, and named', (t) => {
  const { regions } = regionsFor(t)
  const huge = limitsOf({ algorithm: 'sliding-log', rate: '4096/1h', keysMax: 1_000_000 })
  for (const attempt of [() => regions.check(huge, []), () => regions.serve(huge, [])])
    assert.throws(attempt, {
      code: 'config-invalid',
      message: /^the limit a: keysMax, sketch: the limit would take \d+ MiB/,
    })
})

test('where memory has no room, a limit counts in a file elsewhere, and the operator is told', (t) => {
  const lines: string[] = []
  let room = 20 * 2 ** 20
  const log = { info: () => assert.fail(), warn: (line: string) => void lines.push(line) }
  const regions = new LimitRegions(log, 2, undefined, () => room)
  t.after(() => regions.close())
  const names = ['a', 'b', 'c', 'd', 'e']
  const served = regions.serve(limitsOf(...names.map((name) => ({ name, sketch: { width: 16 } }))), [])
  const inFolder = served.filter(({ path }) => path!.startsWith(`${tmpdir()}/`))
  assert.ok(
    inFolder.length > 0 && inFolder.length < names.length,
    'what was promised to one is not promised again',
  )
  assert.equal(lines.length, inFolder.length)
  assert.match(lines[0]!, /^the limit [b-e] counts in a file in .*, as there is no room for its \d+ MiB/)
  room = 0
  const [last] = regions.serve(limitsOf({ name: 'f' }), [])
  assert.deepEqual([worker(last!, 0)(1000)], [true])
})

test('where somebody has removed the file of a limit, others are made all the same', (t) => {
  const log = { info: () => assert.fail(), warn: () => undefined }
  const regions = new LimitRegions(log, 2, undefined, () => 0)
  t.after(() => regions.close())
  const [first] = regions.serve(limitsOf({ name: 'a' }), [])
  rmSync(first!.path!)
  const [, second] = regions.serve(limitsOf({ name: 'a' }, { name: 'b' }), [])
  assert.deepEqual([worker(second!, 0)(1000)], [true])
})

test('a log of many for each key has as many keys as are affordable, where nobody said how many', (t) => {
  const { serve } = regionsFor(t)
  for (const rate of ['100/1h', '4096/1h', '3/1m'])
    for (const more of [{}, { prefixes: { v4: [32], v6: [64] } }]) {
      const [served] = serve({ name: 'log', key: 'address', algorithm: 'sliding-log', rate, ...more })
      const { byteLength } = openSharedWords(served!.path!)
      assert.ok(byteLength <= 280 * 2 ** 20, `${rate}: ${byteLength}`)
    }
})
