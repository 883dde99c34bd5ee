/**
 * Measures a unit: CPU time of each call of each phase, crossing into its isolate included, as a sandbox pays it.
 *
 * It runs in this very process, so that one thread's clock tells the time of one call; a first request in a sandbox of its own shows
 * whether that is safe. Calls of the host are real, but a fetch is made once and its answer repeated: a bench is no load test of others.
 */
import { ownThreadCpuUs } from '../base/cpu-clock.ts'
import { refusalOf, type HostAnswer } from '../contract/host-calls.ts'
import { PHASE_BITS, PHASES, type Phase, type UnitVersion } from '../contract/unit.ts'
import { makeBundles } from '../sandbox/bundle-files.ts'
import { mapStack } from '../unit/source-map.ts'
import { startTrial, type TrialOptions } from './trial.ts'
import { OpenLimits } from './trial-limits.ts'
import { PhaseFailed, runRequest, tripOf, type UnitAnswer, type UnitRequest } from './unit-request.ts'

export interface BenchOptions extends Pick<TrialOptions, 'node' | 'fetchSites'> {
  /** Asked for once the unit's module is known. */
  request(): UnitRequest
  readonly calls: number
  readonly warmUp: number
  /** It ends by then with what there is. */
  readonly msMax: number
  onProgress(done: number, of: number): void
}

export interface PhaseFigures {
  readonly phase: Phase
  readonly calls: number
  readonly meanUs: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

export interface BenchResult {
  readonly figures: readonly PhaseFigures[]
  /** What became of the first request. */
  readonly answer: { readonly status: number; readonly by: UnitAnswer['by'] }
}

/** The unit did not come through a request. */
export class BenchFailed extends Error {}

/** `describe` makes a version of what its module says of itself; figures come in the order of phases, without those that did not run. */
export async function benchUnit(
  given: UnitVersion,
  describe: (phases: number, fields: unknown) => UnitVersion,
  options: BenchOptions,
): Promise<BenchResult> {
  let spentUs = 0
  const take = (): number => {
    const us = spentUs
    spentUs = 0
    return us
  }
  const answers = new Map<string, HostAnswer>()
  const limits = new OpenLimits()
  const trial = startTrial({
    ...options,
    limits,
    bundles: await makeBundles(),
    crossings: { cpuUs: ownThreadCpuUs, took: (cpuUs) => (spentUs += cpuUs) },
    intercept: (call, answer, start) => {
      if (call.kind !== 'fetch') return start(call, answer)
      const key = `${call.head}\n${call.body}`
      const known = answers.get(key)
      if (known) {
        setImmediate(() => answer(known))
        return undefined
      }
      let giveUp = start(call, (came) => {
        giveUp = () => came.rest?.cancel()
        whole(came, (fresh) => (keep(answers, key, fresh), answer(fresh)))
      })
      return () => giveUp?.()
    },
  })
  try {
    const { problems, module } = await trial.runner.try(given)
    if (!module) throw new BenchFailed(mapStack(given, problems.join('\n')))
    const unit = describe(module.phases, module.fields)
    const request = options.request()
    const samples = new Map<Phase, number[]>()
    const once = async (of: UnitVersion, isKept: boolean): Promise<BenchResult['answer']> => {
      take()
      const { runs, response, by } = await runRequest(trial.runner, of, request, { takeCpuUs: take })
      const all = [...runs, ...(await runTimer(trial.runner, of, take))]
      const answer = { status: response.status, by }
      if (!isKept) return answer
      for (const { phase, cpuUs } of all) {
        const list = samples.get(phase)
        if (list) list.push(cpuUs)
        else samples.set(phase, [cpuUs])
      }
      return answer
    }
    let answer: BenchResult['answer']
    try {
      answer = await once({ ...unit, manifest: { ...unit.manifest, isolation: 'process' } }, false)
      const inline: UnitVersion = { ...unit, manifest: { ...unit.manifest, isolation: 'inline' } }
      const end = performance.now() + options.msMax
      const of = options.warmUp + options.calls
      // One call is measured, however long it takes.
      let measured = 0
      for (let i = 0; i < of && (measured === 0 || performance.now() < end); i++) {
        // Half of the time is for warming up at most: a slow unit is measured too.
        const isWarm = i >= options.warmUp || performance.now() > end - options.msMax / 2
        await once(inline, isWarm)
        measured += Number(isWarm)
        options.onProgress(i + 1, of)
      }
    } catch (error) {
      if (!(error instanceof PhaseFailed)) throw error
      throw new BenchFailed(mapStack(unit, error.message))
    }
    const figures = PHASES.flatMap((phase) => {
      const list = samples.get(phase)
      return list ? [figuresOf(phase, list)] : []
    })
    return { figures, answer }
  } finally {
    await trial.close()
    limits.close()
  }
}

const ANSWERS_MAX = 1000

function keep(answers: Map<string, HostAnswer>, key: string, answer: HostAnswer): void {
  if (answers.size < ANSWERS_MAX) answers.set(key, answer)
}

/** What is repeated has to be whole: up to what a unit may fetch. */
function whole(came: HostAnswer, done: (answer: HostAnswer) => void): void {
  const { rest, ...head } = came
  if (rest === undefined) {
    done(came)
    return
  }
  const pieces: Uint8Array[] = []
  const take = (piece: Uint8Array, isLast: boolean): boolean => {
    pieces.push(piece)
    if (isLast) done({ ...head, body: Buffer.concat(pieces).toString('latin1') })
    return true
  }
  rest.start({ take, fail: (error) => done(refusalOf(error, came.target)) }, true)
}

async function runTimer(
  runner: Parameters<typeof tripOf>[0],
  unit: UnitVersion,
  take: () => number,
): Promise<readonly { phase: Phase; cpuUs: number }[]> {
  if ((unit.phases & PHASE_BITS.timer) === 0) return []
  const nothing = { meta: '', head: '', response: '', edits: '', body: '' }
  const outcome = await tripOf(runner, unit, 'timer', nothing)
  if (outcome.kind === 'failed') throw new PhaseFailed(outcome)
  return [{ phase: 'timer', cpuUs: take() }]
}

function figuresOf(phase: Phase, list: readonly number[]): PhaseFigures {
  const sorted = list.toSorted((a, b) => a - b)
  /** The nearest rank: so many of a hundred are no larger. */
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!
  const meanUs = sorted.reduce((sum, us) => sum + us, 0) / sorted.length
  return { phase, calls: list.length, meanUs, p50Us: rank(0.5), p99Us: rank(0.99), maxUs: sorted.at(-1)! }
}
