/** Runs the `timer` of a version: a trip of no request. How it fails is told by the runner. */
import type { TripOutcome, UnitRunner } from '../contract/unit-runner.ts'
import { PHASE_BITS, type UnitVersion } from '../contract/unit.ts'

/** `unit` undefined: it is not live any more. */
export function runTimer(runner: UnitRunner, unit: UnitVersion | undefined): Promise<'ok' | 'failed'> {
  if (unit === undefined) return Promise.resolve('failed')
  const { promise, resolve } = Promise.withResolvers<'ok' | 'failed'>()
  const done = ({ kind }: TripOutcome) => resolve(kind === 'failed' ? 'failed' : 'ok')
  const nothing = { meta: '', head: '', response: '', edits: '', body: '' }
  runner.run({ steps: [{ unit, phases: PHASE_BITS.timer }], ...nothing, done })
  return promise
}
