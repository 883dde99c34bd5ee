import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { askedBy, given, go, type Ground, hammer, layGround, NOW } from './hammer.support.ts'
import { forgetWorker, type LimiterPlan } from './region.ts'
import { SharedLimiter } from './shared-limiter.ts'

const PLAN: LimiterPlan = {
  algorithm: 'token-bucket',
  count: 60_000,
  windowMs: 3_600_000,
  store: 'exact',
  keysMax: 1000,
  replacement: 's3-fifo',
  sketch: { depth: 4, cellBits: 16 },
}

const PLANS: readonly (readonly [string, Partial<LimiterPlan>])[] = [
  ['a table', {}],
  ['a table with logs, which are changed in place', { algorithm: 'sliding-log', count: 4000, keysMax: 100 }],
  ['a sketch', { algorithm: 'sliding-window', store: 'sketch' }],
]

function clear({ region, tally }: Ground): void {
  region.unlink()
  tally.unlink()
}

/** Until `isTrue`: nothing tells when another process gets the CPU. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await turn()
}

for (const [name, changes] of PLANS) {
  const plan = { ...PLAN, ...changes }

  test(`four processes that hammer one key are given the limit once, from ${name}`, async () => {
    const ground = layGround(plan)
    const children = await Promise.all(
      [0, 1, 2, 3].map((worker) => hammer(ground, worker, { calls: 100_000 })),
    )
    const over = children.map((child) => once(child, 'exit'))
    go(ground)
    assert.deepEqual((await Promise.all(over)).flat(), [0, null, 0, null, 0, null, 0, null])
    assert.equal(given(ground), plan.count)
    clear(ground)
  })

  test(`a process is killed again and again while it takes, and ${name} stays usable`, async () => {
    const ground = layGround({ ...plan })
    go(ground)
    const kills = 8
    for (let kill = 0; kill < kills; kill++) {
      const child = await hammer(ground, 0, { keys: 3 })
      const asked = askedBy(ground, 0)
      await until(() => askedBy(ground, 0) > asked + 1000 + kill)
      child.kill('SIGKILL')
      await once(child, 'exit')
      // Every other time nobody says that it is dead.
      if (kill % 2 === 0) forgetWorker(ground.region.words, 0)
    }
    const limiter = new SharedLimiter(plan, ground.region.words, { worker: 1 })
    let left = 0
    const started = performance.now()
    for (let i = 0; i < 3; i++) while (limiter.take(`key ${i}`, 1, NOW).allowed) left += 1
    for (let i = 0; i < 1000; i++) limiter.take(`another key ${i}`, 1, NOW)
    assert.ok(performance.now() - started < 5000)
    const total = given(ground) + left
    // A process that was killed may have been given one that it did not count any more.
    assert.ok(total <= 3 * plan.count, `${total} were given`)
    assert.ok(limiter.take('a new key', 1, NOW).allowed)
    clear(ground)
  })

  test(`a process is stopped while it takes, again and again: others go on, and nobody is given more, from ${name}`, async () => {
    const ground = layGround(plan)
    const stopped = await hammer(ground, 0)
    const others = await Promise.all([1, 2].map((worker) => hammer(ground, worker)))
    go(ground)
    for (let stop = 0; stop < 12; stop++) {
      await until(() => askedBy(ground, 0) > stop * 100)
      stopped.kill('SIGSTOP')
      const asked = askedBy(ground, 1)
      await until(() => askedBy(ground, 1) > asked + 3000)
      stopped.kill('SIGCONT')
    }
    await until(() => [0, 1, 2].every((worker) => askedBy(ground, worker) > plan.count))
    assert.ok(given(ground) <= plan.count, `${given(ground)} were given`)
    const over = [stopped, ...others].map((child) => once(child, 'exit'))
    for (const child of [stopped, ...others]) child.kill('SIGKILL')
    await Promise.all(over)
    clear(ground)
  })
}
