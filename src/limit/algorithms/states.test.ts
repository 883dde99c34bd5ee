/** What holds of all algorithms and the words that they keep: alike where they must be, on any clock, and whatever happened to the words. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom } from '../../cache/seeded-random.ts'
import type { Decision } from '../limiter.ts'
import { type Algorithm, ALGORITHM_NAMES, createAlgorithm, type RatePlan } from './algorithm.ts'
import { MOMENT_MAX, STEP_BACK_MS } from './moment.ts'

const SEED = Number(process.env['ORLA_SEED'] ?? 31_337)
const random = seededRandom(SEED)
const upTo = (most: number): number => Math.floor(random() * (most + 1))
const WINDOWS_MS = [1, 3, 10, 1000, 60_000, 30 * 24 * 3_600_000]

const algorithmOf = (algorithm: RatePlan['algorithm'], plan: Partial<RatePlan> = {}): Algorithm =>
  createAlgorithm({ algorithm, count: 1 + upTo(9), windowMs: WINDOWS_MS[upTo(5)]!, queue: upTo(5), ...plan })

/** Some questions, so that the state is one that happens. */
function used(algorithm: Algorithm, now: number, stepMs: number): Float64Array {
  const state = new Float64Array(algorithm.words)
  for (let step = 10; step > 0; step -= 1) algorithm.take(state, 0, 1 + upTo(2), now - upTo(step * stepMs))
  return state
}

function checkShape(decision: Decision, told: string): void {
  const { allowed, remaining, retryAfterMs, resetMs, waitMs = 0 } = decision
  for (const value of [remaining, resetMs, waitMs]) assert.ok(Number.isSafeInteger(value) && value >= 0, told)
  assert.ok(allowed ? retryAfterMs === 0 : retryAfterMs === Infinity || retryAfterMs > 0, told)
  assert.ok(retryAfterMs === Infinity || Number.isSafeInteger(retryAfterMs), told)
}

describe(`states of all algorithms (seed ${SEED})`, () => {
  it('a token bucket and a leaky bucket of b + 1 and GCRA with burst b decide alike on any input', () => {
    for (let round = 0; round < 2000; round += 1) {
      const burst = [0, upTo(4), upTo(1000)][upTo(2)]!
      const rate = { count: 1 + upTo([3, 50, 1_000_000][upTo(2)]!), windowMs: WINDOWS_MS[upTo(5)]! }
      const alike = [
        createAlgorithm({ algorithm: 'token-bucket', ...rate, burst: burst + 1 }),
        createAlgorithm({ algorithm: 'leaky-bucket', ...rate, burst: burst + 1 }),
        createAlgorithm({ algorithm: 'gcra', ...rate, burst }),
      ]
      const states = alike.map(({ words }) => new Float64Array(words))
      let now = upTo(1_000_000)
      for (let step = 0; step < 30; step += 1) {
        const intervalMs = Math.ceil(rate.windowMs / rate.count)
        const steps = [
          0,
          1,
          intervalMs,
          upTo(rate.windowMs),
          -upTo(intervalMs),
          -upTo(2 * STEP_BACK_MS),
          upTo(MOMENT_MAX / 1000),
        ]
        now = Math.max(0, now + steps[upTo(steps.length - 1)]!)
        const cost = [1, 1, upTo(burst + 2), 0, upTo(2 ** 40)][upTo(4)]!
        const decisions = alike.map((one, index) => one.take(states[index]!, 0, cost, now))
        const told = `${JSON.stringify(rate)}, burst ${burst}, round ${round}, step ${step}: ${cost} at ${now}`
        assert.deepEqual(decisions[1], decisions[0], told)
        assert.deepEqual(decisions[2], decisions[0], told)
        checkShape(decisions[0]!, told)
      }
    }
  })

  for (const name of ALGORITHM_NAMES) {
    it(`${name}: a look takes nothing and writes nothing`, () => {
      for (let round = 0; round < 100; round += 1) {
        const algorithm = algorithmOf(name)
        const now = 1_000_000 + upTo(1000)
        const state = used(algorithm, now, 100)
        const before = state.slice()
        assert.equal(algorithm.take(state, 0, 0, now).allowed, true)
        assert.deepEqual(state, before)
      }
    })

    it(`${name}: more than can ever be taken at once is refused for ever, and takes nothing`, () => {
      const algorithm = algorithmOf(name, { count: 5, queue: 4, burst: 5 })
      const state = new Float64Array(algorithm.words)
      for (const cost of [algorithm.costMax + 1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
        const { allowed, retryAfterMs } = algorithm.take(state, 0, cost, 100)
        assert.deepEqual([allowed, retryAfterMs], [false, Infinity])
      }
      assert.equal(algorithm.isIdle(state, 0, 100), true)
      assert.equal(algorithm.take(state, 0, algorithm.costMax, 100).allowed, true)
    })

    it(`${name}: a key that is left alone is idle again, and has all that a new one has`, () => {
      for (let round = 0; round < 100; round += 1) {
        const algorithm = algorithmOf(name)
        const fresh = new Float64Array(algorithm.words)
        assert.equal(algorithm.isIdle(fresh, 0, 5), true)
        const state = used(algorithm, 1_000_000, 10)
        assert.equal(algorithm.isIdle(state, 0, MOMENT_MAX), true)
        assert.equal(algorithm.used(state, 0, MOMENT_MAX), 0)
        const [now, later] = [
          algorithm.take(fresh, 0, 0, MOMENT_MAX),
          algorithm.take(state, 0, 0, MOMENT_MAX),
        ]
        assert.deepEqual(later, now)
      }
    })

    it(`${name}: a clock that steps back a little gives nothing twice, and counts on from where it was`, () => {
      const algorithm = algorithmOf(name, { count: 2, windowMs: 1000, queue: 1, burst: 1 })
      const state = new Float64Array(algorithm.words)
      const all = algorithm.take(state, 0, 0, 500_000).remaining
      while (algorithm.take(state, 0, 1, 500_000).allowed);
      for (const now of [499_999, 499_000, 500_000 - STEP_BACK_MS, 500_000]) {
        const decision = algorithm.take(state, 0, 1, now)
        assert.equal(decision.allowed, false, `at ${now}`)
        const again = algorithm.take(state.slice(), 0, 1, now + decision.retryAfterMs)
        assert.equal(again.allowed, true, `at ${now} + ${decision.retryAfterMs}`)
      }
      assert.equal(algorithm.take(state, 0, 0, 503_000).remaining, all)
    })

    it(`${name}: a clock that is set back stays usable, and gives nothing for it`, () => {
      const algorithm = algorithmOf(name, { count: 2, windowMs: 1000, queue: 1, burst: 1 })
      for (const to of [0, 1_000_000, 500_000_000 - STEP_BACK_MS - 1]) {
        const state = new Float64Array(algorithm.words)
        const all = algorithm.take(state, 0, 0, to).remaining
        while (algorithm.take(state, 0, 1, 500_000_000).allowed);
        const { allowed, retryAfterMs } = algorithm.take(state, 0, 1, to)
        assert.equal(allowed, false)
        assert.ok(retryAfterMs <= 2000, `${retryAfterMs}`)
        assert.equal(algorithm.take(state, 0, 1, to + retryAfterMs).allowed, true)
        assert.equal(algorithm.take(state, 0, 0, to + 6000).remaining, all)
      }
    })

    it(`${name}: a clock that jumps far forward, and back again, stays usable`, () => {
      const algorithm = algorithmOf(name, { count: 2, windowMs: 1000, queue: 1, burst: 1 })
      const state = new Float64Array(algorithm.words)
      const all = algorithm.take(state, 0, 0, 1000).remaining
      while (algorithm.take(state, 0, 1, 1000).allowed);
      while (algorithm.take(state, 0, 1, MOMENT_MAX).allowed);
      const { allowed, retryAfterMs } = algorithm.take(state, 0, 1, 5000)
      assert.equal(allowed, false)
      assert.ok(retryAfterMs <= 2000, `${retryAfterMs}`)
      assert.equal(algorithm.take(state, 0, 0, 10_000).remaining, all)
    })

    it(`${name}: what is loaded is never less strict than what it was read from`, () => {
      for (let round = 0; round < 300; round += 1) {
        const algorithm = algorithmOf(name)
        const now = 50_000_000_000 + upTo(100_000)
        const state = used(algorithm, now, 1 + upTo(2000))
        const loaded = new Float64Array(algorithm.words)
        algorithm.load(loaded, 0, algorithm.used(state, 0, now), now)
        for (const later of [0, 1, upTo(100), upTo(3000), upTo(100_000)]) {
          const [truth, remembered] = [state, loaded].map(
            (one) => algorithm.take(one.slice(), 0, 0, now + later).remaining,
          )
          assert.ok(remembered! <= truth!, `round ${round}: ${remembered} of ${truth}, ${later} ms later`)
        }
      }
    })

    it(`${name}: two states that are merged are as strict as the stricter of both, then and later`, () => {
      for (let round = 0; round < 300; round += 1) {
        const algorithm = algorithmOf(name, { windowMs: WINDOWS_MS[upTo(4)]! })
        const now = 50_000_000 + upTo(100_000)
        const stepMs = 1 + upTo([10, 3000][upTo(1)]!)
        const states = [used(algorithm, now - upTo(stepMs), stepMs), used(algorithm, now, stepMs)]
        const merged = states[0]!.slice()
        algorithm.merge(merged, 0, states[1]!, 0, now)
        for (const later of [0, 1, upTo(100), upTo(3000), upTo(100_000)]) {
          const left = (state: Float64Array): number =>
            algorithm.take(state.slice(), 0, 0, now + later).remaining
          const told = `round ${round}: ${states.map(left)} become ${left(merged)}, ${later} ms later`
          const both = Math.min(...states.map(left))
          // Of two sliding windows, the larger of each counter.
          assert.ok(name === 'sliding-window' ? left(merged) <= both : left(merged) === both, told)
        }
      }
    })

    it(`${name}: words that cannot be are mended to the stricter side`, () => {
      const words = [NaN, Infinity, -Infinity, -1, 0.5, 1e300, 2 ** 53, 0, 1, 77]
      for (let round = 0; round < 1000; round += 1) {
        const algorithm = algorithmOf(name, { windowMs: 1000 })
        const state = Float64Array.from({ length: algorithm.words }, () => words[upTo(words.length - 1)]!)
        const told = `round ${round}: ${[...state]}`
        checkShape(algorithm.take(state, 0, upTo(2), 100_000), told)
        assert.ok(algorithm.used(state, 0, 100_000) >= 0 && algorithm.used(state, 0, 100_000) <= 1000, told)
        for (let at = 100_000; at < 120_000; at += 4000) checkShape(algorithm.take(state, 0, 1, at), told)
        algorithm.take(state, 0, 1, 140_000)
        assert.ok(algorithm.take(state, 0, 1, 160_000).allowed, told)
      }
      const full = algorithmOf(name, { count: 3, windowMs: 1000, burst: 2, queue: 1 })
      const state = new Float64Array(full.words).fill(NaN)
      assert.equal(full.take(state, 0, 1, 5000).allowed, false)
    })

    it(`${name}: a process that dies after any of its writes leaves nothing that allows more`, () => {
      for (let round = 0; round < 200; round += 1) {
        const algorithm = algorithmOf(name, { windowMs: [1, 10, 1000][upTo(2)]! })
        const before = used(algorithm, 1_000_000, 1 + upTo(300))
        const now = 1_000_000 + upTo(1500)
        for (let writes = 0; writes < 6; writes += 1) {
          const torn = before.slice()
          takeAndDie(algorithm, torn, 1 + upTo(2), now, writes)
          for (const later of [0, 1, upTo(20), upTo(1000), upTo(3000)]) {
            const [truth, left] = [before, torn].map(
              (one) => algorithm.take(one.slice(), 0, 0, now + later).remaining,
            )
            assert.ok(
              left! <= truth!,
              `round ${round}: ${left} of ${truth} after ${writes} writes, ${later} ms later`,
            )
          }
        }
      }
    })
  }
})

/** Takes, and is gone before the write after so many. */
function takeAndDie(
  algorithm: Algorithm,
  state: Float64Array,
  cost: number,
  now: number,
  writes: number,
): void {
  let left = writes
  const dying = new Proxy(state, {
    get: (words, name) => Reflect.get(words, name, words) as unknown,
    set(words, name, value: unknown) {
      if (left === 0) throw new Error('dead')
      left -= 1
      return Reflect.set(words, name, value, words)
    },
  })
  try {
    algorithm.take(dying, 0, cost, now)
  } catch (thrown) {
    assert.equal((thrown as Error).message, 'dead')
  }
}
