/** Every algorithm against its oracle: what it decides, what it says is left, and when it says that there is more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../cache/seeded-random.ts'
import type { Decision } from '../limiter.ts'
import { ALGORITHM_NAMES, createAlgorithm, type RatePlan } from './algorithm.ts'
import { type Oracle, oracleOf } from './oracles.support.ts'

const SEED = Number(process.env['ORLA_SEED'] ?? 20_261)

for (const name of ALGORITHM_NAMES)
  test(`${name} decides as its definition in fractions does, on any input (seed ${SEED})`, () => {
    const random = seededRandom(SEED)
    const upTo = (most: number): number => Math.floor(random() * (most + 1))
    for (let round = 0; round < 150; round += 1) {
      const plan = planOf(name, upTo)
      const algorithm = createAlgorithm(plan)
      const oracle = oracleOf(plan)
      const state = new Float64Array(algorithm.words + 2)
      let now = upTo(5000)
      for (let step = 0; step < 40; step += 1) {
        // Often at once, often exactly where something changes, now and then much later.
        now += [0, 1, upTo(3), Math.ceil(plan.windowMs / plan.count), plan.windowMs, upTo(3 * plan.windowMs)][
          upTo(5)
        ]!
        const cost = [1, 1, 1, 0, upTo(3), upTo(algorithm.costMax + 1)][upTo(5)]!
        const told = `${JSON.stringify(plan)}, round ${round}, step ${step}: ${cost} at ${now}`
        const decision = algorithm.take(state, 1, cost, now)
        const waitMs = cost === 0 ? 0 : oracle.take(cost, now)
        assert.equal(decision.allowed, waitMs !== undefined, told)
        assert.equal(decision.waitMs ?? 0, waitMs ?? 0, told)
        assert.equal(decision.retryAfterMs, retryOf(oracle, cost, now, decision, algorithm.costMax), told)
        // `remaining` and `resetMs` are about a key that has been asked for, also where that only looked.
        const asked = oracle.copy()
        asked.take(0, now)
        checkRemaining(asked, now, decision, plan, told)
        assert.deepEqual([state[0], state.at(-1)], [0, 0], `${told} wrote beside its state`)
      }
    }
  })

function planOf(algorithm: RatePlan['algorithm'], upTo: (most: number) => number): RatePlan {
  const windowMs = [1, 7, 10, 1000, 1 + upTo(50)][upTo(4)]!
  const startMs = upTo(20)
  const [burst, queue] = [(algorithm === 'gcra' ? 0 : 1) + upTo(6), upTo(6)]
  const plan = { algorithm, count: 1 + upTo(9), windowMs, startMs, startFull: upTo(1) === 1 }
  return upTo(3) === 0 ? plan : { ...plan, burst, queue }
}

/** What `retryAfterMs` has to be: at that moment the oracle allows it, and a millisecond before it does not. */
function retryOf(oracle: Oracle, cost: number, now: number, decision: Decision, costMax: number): number {
  if (decision.allowed) return 0
  if (cost > costMax) return Infinity
  const { retryAfterMs } = decision
  const allows = (afterMs: number): boolean => oracle.copy().take(cost, now + afterMs) !== undefined
  return Number.isFinite(retryAfterMs) && allows(retryAfterMs) && !allows(retryAfterMs - 1)
    ? retryAfterMs
    : NaN
}

/** What is left is as many single units as the oracle allows; and from `resetMs` on, and no sooner, it is all. */
function checkRemaining(oracle: Oracle, now: number, decision: Decision, plan: RatePlan, told: string): void {
  assert.equal(decision.remaining, unitsOf(oracle, now), `${told}: remaining`)
  const all = unitsOf(oracle, now + 1_000_000)
  assert.equal(unitsOf(oracle, now + decision.resetMs), all, `${told}: resetMs ${decision.resetMs}`)
  if (decision.resetMs > 0 && plan.startFull !== true)
    assert.notEqual(
      unitsOf(oracle, now + decision.resetMs - 1),
      all,
      `${told}: resetMs ${decision.resetMs} is late`,
    )
}

function unitsOf(oracle: Oracle, now: number): number {
  const copy = oracle.copy()
  let units = 0
  while (copy.take(1, now) !== undefined) units += 1
  return units
}
