import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_GATE, type RolloutSample } from '../../contract/rollout.ts'
import { planAbort, planAdvance, planPause, planResume } from '../../unit/rollout/changes.ts'
import { stagedTerms, UnitStore } from '../../unit/rollout/testing/unit-store.ts'
import { RolloutController } from './rollout-controller.ts'

/** A rollout of page@2 over page@1, whose nodes say what a test says. */
class Stand {
  readonly units = new UnitStore()
  nowMs = 0
  samples: readonly RolloutSample[] = []
  /** What it was asked to do and could not: how often. */
  failures = 0
  readonly warnings: string[] = []
  readonly acted: string[] = []
  controller = this.#controller()

  constructor(stages: readonly string[], minRuns = 50) {
    this.units.deploy()
    this.units.start(stagedTerms(stages, { gate: { ...DEFAULT_GATE, minRuns } }))
  }

  #controller(): RolloutController {
    const { units } = this
    return new RolloutController({
      clock: { now: () => 0, monotonic: () => this.nowMs },
      store: units.store,
      live: () => units.set(),
      health: [{ samples: async () => this.samples }],
      warn: (line) => this.warnings.push(line),
      acts: {
        advance: async (name, seen) => {
          this.#fail()
          this.acted.push(`advance ${seen.step}`)
          units.apply(planAdvance(units.store, name, units.context(), seen))
        },
        rollBack: async (name, version, reason) => {
          this.#fail()
          this.acted.push(`rollBack ${reason}`)
          units.apply(planAbort(units.store, name, 1, reason, { version }))
        },
      },
    })
  }

  #fail(): void {
    if (this.failures === 0) return
    this.failures -= 1
    throw new Error('the disk is full')
  }

  restart(): void {
    this.controller = this.#controller()
  }

  async look(seconds: number): Promise<void> {
    this.nowMs += seconds * 1000
    await this.controller.look()
    // What it asked for is done in a later turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const sample = (version: number, requests: number, more: Partial<RolloutSample> = {}): RolloutSample => ({
  node: 'a',
  instance: more.node ?? 'a',
  countedForMs: 3_600_000,
  unit: 'page',
  version,
  requests,
  serverErrors: 0,
  errors: {},
  cpuSeconds: undefined,
  wallSeconds: undefined,
  isBreakerOpen: false,
  shadow: { same: 0, different: 0, failed: 0, skipped: 0 },
  examples: [],
  ...more,
})

test('a step lasts its time, and until enough requests ran the new version', async () => {
  const stand = new Stand(['5%,100%'])
  await stand.look(0)
  await stand.look(30)
  stand.samples = [sample(1, 5000), sample(2, 49)]
  await stand.look(30)
  // The first counts of a node are where it begins.
  stand.samples = [sample(1, 6000), sample(2, 98)]
  await stand.look(60)
  assert.deepEqual(stand.acted, [])
  assert.equal(stand.controller.standing('page')?.judgement.kind, 'waiting')
  stand.samples = [sample(1, 6000), sample(2, 99)]
  await stand.look(1)
  assert.deepEqual([stand.acted, stand.units.staged.step], [['advance 0'], 1])

  // The next step counts anew, and has its own time.
  await stand.look(1)
  stand.samples = [sample(1, 6000), sample(2, 500)]
  await stand.look(58)
  assert.equal(stand.acted.length, 1)
  await stand.look(3)
  assert.deepEqual([stand.acted.at(-1), stand.units.pointer().live], ['advance 1', 2])
  await stand.look(100)
  assert.equal(stand.acted.length, 2)
})

test('with no request asked for, time alone moves it on; a restart begins the step anew', async () => {
  const stand = new Stand(['5%'], 0)
  await stand.look(0)
  stand.samples = [sample(1, 1), sample(2, 0)]
  await stand.look(59)
  stand.restart()
  await stand.look(5)
  stand.samples = [sample(1, 2), sample(2, 0)]
  await stand.look(59)
  assert.deepEqual(stand.acted, [])
  await stand.look(1)
  assert.deepEqual(stand.acted, ['advance 0'])
})

test('a control plane whose edges met no request of either version moves nothing on', async () => {
  const stand = new Stand(['5%'], 0)
  stand.samples = [sample(1, 700), sample(2, 30)]
  await stand.look(0)
  await stand.look(1000)
  assert.deepEqual([stand.acted, stand.controller.standing('page')?.judgement.kind], [[], 'waiting'])
  // What an open breaker says is no count.
  stand.samples = [sample(1, 700), sample(2, 30, { isBreakerOpen: true })]
  await stand.look(1)
  assert.match(stand.acted[0]!, /^rollBack its breaker opened/)
})

test('a new version that is worse is rolled back before its time, by what all nodes counted', async () => {
  const stand = new Stand(['5%'])
  const on = (node: string, failed: number) => [
    sample(1, 5000, { node }),
    sample(2, 10, { node, errors: { throw: failed }, serverErrors: failed }),
  ]
  stand.samples = [sample(1, 0), sample(2, 0), sample(1, 0, { node: 'b' }), sample(2, 0, { node: 'b' })]
  await stand.look(0)
  stand.samples = on('a', 4)
  await stand.look(1)
  assert.deepEqual(stand.acted, [])
  stand.samples = [...on('a', 4), ...on('b', 4)]
  await stand.look(1)
  assert.match(stand.acted[0]!, /^rollBack runs that failed: 8 of 20 of the new version, 0 of 10000 /)
  assert.equal(stand.units.staged.state, 'rolled-back')
})

test('at 100 % the new version is compared with what the old one did before', async () => {
  const stand = new Stand(['50%,100%'], 10)
  const at = (old: number, oldFailed: number, next: number, nextFailed: number) => [
    sample(1, old, { errors: { throw: oldFailed } }),
    sample(2, next, { errors: { throw: nextFailed } }),
  ]
  stand.samples = at(0, 0, 0, 0)
  await stand.look(0)
  stand.samples = at(1000, 200, 1000, 200)
  await stand.look(60)
  assert.deepEqual(stand.acted, ['advance 0'])
  await stand.look(1)
  // As bad as the old one was.
  stand.samples = at(1000, 200, 2000, 400)
  await stand.look(60)
  assert.deepEqual(stand.acted, ['advance 0', 'advance 1'])
})

test('an open breaker or a quarantine on any node ends it at once', async () => {
  for (const [more, says] of [
    [{ isBreakerOpen: true }, /its breaker opened on b/],
    [{ quarantined: 'crash' }, /in quarantine on b \(crash\)/],
  ] as const) {
    const stand = new Stand(['5%'])
    stand.samples = [sample(2, 0), sample(2, 0, { node: 'b', ...more })]
    await stand.look(0)
    assert.match(stand.acted[0]!, says)
  }
})

test('the old version in trouble is no reason', async () => {
  const stand = new Stand(['5%'])
  stand.samples = [sample(1, 0, { isBreakerOpen: true, quarantined: 'cpu' }), sample(2, 0)]
  await stand.look(0)
  assert.deepEqual(stand.acted, [])
})

test('while it is paused nothing is judged; what could not be done is tried again, and told once', async () => {
  const stand = new Stand(['5%,50%'], 0)
  const { units } = stand
  units.apply(planPause(units.store, 'page', 1))
  await stand.look(0)
  await stand.look(1000)
  assert.deepEqual(stand.acted, [])
  units.at = 2
  units.apply(planResume(units.store, 'page', units.context()))
  stand.failures = 3
  await stand.look(1)
  stand.samples = [sample(1, 1)]
  await stand.look(1)
  stand.samples = [sample(1, 2)]
  for (let n = 0; n < 4; n += 1) await stand.look(60)
  assert.deepEqual(stand.acted, ['advance 0'])
  assert.deepEqual(stand.warnings, ['the rollout of page could not be moved on: the disk is full'])
})
