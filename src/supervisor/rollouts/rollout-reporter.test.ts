import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_MANIFEST, type UnitVersion } from '../../contract/unit.ts'
import type { UnitSet } from '../../contract/messages.ts'
import { type RolloutSample } from '../../contract/rollout.ts'
import { RolloutReporter } from './rollout-reporter.ts'

const sample = (requests: number, countedForMs: number): RolloutSample => ({
  node: 'a',
  instance: 'a',
  countedForMs,
  unit: 'page',
  version: 2,
  requests,
  serverErrors: 0,
  errors: {},
  cpuSeconds: undefined,
  wallSeconds: undefined,
  isBreakerOpen: false,
  shadow: { same: 0, different: 0, failed: 0, skipped: 0 },
  examples: [],
})

const unit: UnitVersion = {
  name: 'page',
  version: 2,
  code: '',
  sourceMap: '',
  phases: 2,
  manifest: DEFAULT_MANIFEST,
  env: {},
}
const live: UnitSet = {
  epoch: 1,
  enabled: true,
  units: [],
  lastGood: {},
  rollouts: { page: { kind: 'shadow', unit, share: 1 } },
}

test('what is new is told once, and that time goes by is nothing new', async () => {
  const told: number[] = []
  let samples = [sample(1, 1000)]
  const health = { samples: async () => samples }
  const reporter = new RolloutReporter({
    health,
    live: () => live,
    report: () => told.push(samples[0]!.requests),
    warn: (line) => assert.fail(line),
  })
  await reporter.look()
  samples = [sample(1, 3000)]
  await reporter.look()
  samples = [sample(2, 5000)]
  await reporter.look()
  assert.deepEqual(told, [1, 2])
})

test('what fails is told as a warning, once, and tried again; a look that takes long is not overtaken', async () => {
  const warnings: string[] = []
  const asked: PromiseWithResolvers<readonly RolloutSample[]>[] = []
  let reports = 0
  const reporter = new RolloutReporter({
    health: {
      samples() {
        const one = Promise.withResolvers<readonly RolloutSample[]>()
        asked.push(one)
        return one.promise
      },
    },
    live: () => live,
    report: () => void (reports += 1),
    warn: (line) => void warnings.push(line),
  })
  for (let n = 1; n <= 2; n += 1) {
    const looks = [reporter.look(), reporter.look()]
    assert.equal(asked.length, n)
    asked.at(-1)!.reject(new Error('no worker answers'))
    await Promise.all(looks)
  }
  const last = reporter.look()
  asked.at(-1)!.resolve([sample(1, 1000)])
  await last
  assert.deepEqual([warnings, reports], [['how rollouts fare here is not told: no worker answers'], 1])
})
