/** Has a worker try what is not live yet: a version in its spare sandbox, and the tests of a unit. */
import { EdgeError } from '../../base/errors.ts'
import { Refused } from '../../control/node.ts'
import type { FromWorker } from '../../contract/messages.ts'
import { DEFAULT_MANIFEST, PHASE_BITS, type UnitVersion } from '../../contract/unit.ts'
import type { ModuleFacts, TestReport } from '../../contract/unit-runner.ts'
import { notDone, refusalOfTests, refusalOfTry } from './refusals.ts'
import type { FlippingPool, FlippingWorker } from '../workers/epochs.ts'

type Tried = Extract<FromWorker, { kind: 'tried' }>
type Tested = Extract<FromWorker, { kind: 'tested' }>

/** The unit's own tests, bundled. */
export interface UnitTests {
  readonly code: string
  readonly sourceMap: string
}

/**
 * A worker that has not answered by then hangs: a unit whose top level never ends is ended by its sandbox far earlier. A sandbox that is just
 * being started is waited for, which takes half of that on a machine without time; who answers nothing at all is ended by the pulse.
 */
const TRY_MAX_MS = 60_000
/** What a unit's own tests may take. */
const TESTS_MAX_MS = 120_000

const NOTHING: UnitVersion = {
  name: 'nothing',
  version: 0,
  code: 'module.exports = { default: { content: () => undefined } }',
  sourceMap: '',
  phases: PHASE_BITS.content,
  manifest: DEFAULT_MANIFEST,
  env: {},
}

export class UnitTrials {
  readonly #pool: Pick<FlippingPool, 'ready'>
  #tryId = 0
  #trying: FlippingWorker | undefined

  constructor(pool: Pick<FlippingPool, 'ready'>) {
    this.#pool = pool
  }

  /** The worker that tries something now. */
  get trying(): FlippingWorker | undefined {
    return this.#trying
  }

  /**
   * Asks a worker; where it dies over it or does not answer, a second one. Not all of them: a death takes connections with it.
   * What trying it brought to light; throws `Refused` where it does not run.
   */
  async try(unit: UnitVersion): Promise<ModuleFacts | undefined> {
    const workers = this.#pool.ready().slice(0, 2)
    if (workers.length === 0) throw new EdgeError('worker-failed', 'no worker is there to try it in')
    let failure: unknown
    for (const worker of workers) {
      const id = ++this.#tryId
      const isAnswer = (heard: FromWorker): heard is Tried => heard.kind === 'tried' && heard.id === id
      this.#trying = worker
      try {
        const { problems, module } = await worker.ask({ kind: 'try', id, unit }, isAnswer, TRY_MAX_MS)
        if (problems.length === 0) return module
        throw refusalOfTry(unit, problems)
      } catch (error) {
        if (error instanceof Refused) throw error
        failure = error
      } finally {
        this.#trying = undefined
      }
    }
    throw notDone(unit, 'it could not be tried', failure)
  }

  /**
   * Tries a unit that does nothing: the first isolate of a sandbox costs ten times as much as those after it, and on an edge what is published
   * waits for it.
   */
  async warm(): Promise<void> {
    // A worker that is not there yet tries the first unit then.
    await this.try(NOTHING).catch(() => undefined)
  }

  /** Why it does not run, in words; undefined where it does. */
  problemOf(unit: UnitVersion): Promise<string | undefined> {
    return this.try(unit).then(
      () => undefined,
      (error: Error) => error.message,
    )
  }

  /** Runs its own tests, as the version that it would be. How many passed; throws `Refused` where one failed. */
  async test(unit: UnitVersion, tests: UnitTests): Promise<number> {
    const [worker] = this.#pool.ready()
    if (!worker) throw new EdgeError('worker-failed', 'no worker is there to run its tests')
    const id = ++this.#tryId
    const isAnswer = (heard: FromWorker): heard is Tested => heard.kind === 'tested' && heard.id === id
    let report: TestReport
    try {
      report = await worker.ask({ kind: 'test', id, unit, tests }, isAnswer, TESTS_MAX_MS)
    } catch (error) {
      throw notDone(unit, 'its tests could not be run', error)
    }
    if (report.failures.length > 0) throw refusalOfTests(unit, report)
    return report.passed
  }
}
