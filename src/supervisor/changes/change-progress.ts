/** How far a change is, for whoever asks why it is not done. */
import type { ChangeTimings, Laggard, Problem } from '../../control/shapes.ts'
import type { Position } from '../../contract/store.ts'
import { versionKey } from '../../contract/unit.ts'
import type { Epochs } from '../workers/epochs.ts'
import type { Undo } from './taking-back.ts'
import type { UnitTrials } from './unit-trials.ts'
import type { WorkerProcess } from '../workers/worker-process.ts'

/** A change on its way. */
export interface Progress {
  /** On the monotonic clock, as are other times here. */
  readonly startedMs: number
  /** What it is doing, for those who ask why it is not done. */
  step: string
  timings: ChangeTimings
  warnings: readonly Problem[]
  /** Tests that passed; undefined where there are none. */
  tests: number | undefined
  version: number
  epoch: number
  workers: number
  /** Where the log ends with it. */
  position: Position
  /** When it was appended. */
  appendedMs: number
  /** What takes it back; undefined before it is stored. */
  undo: Undo | undefined
  /** Nobody wants it any more: it is not stored. */
  isCalledOff: boolean
}

export const beginProgress = (position: Position, startedMs: number): Progress => ({
  startedMs,
  step: 'it is built and checked',
  timings: {},
  warnings: [],
  tests: undefined,
  version: 0,
  epoch: 0,
  workers: 0,
  position,
  appendedMs: 0,
  undo: undefined,
  isCalledOff: false,
})

export const nameOf = (name: string, { version }: Progress): string =>
  version === 0 ? name : versionKey({ name, version })

/** What a change asks of the workers of its node. */
export interface ChangedPool {
  readonly size: number
  readonly slots: readonly {
    readonly index: number
    readonly worker: Pick<WorkerProcess, 'phase'> | undefined
  }[]
  ready(): readonly unknown[]
  whenAllReady(timeoutMs: number): Promise<boolean>
}

interface Here {
  readonly pool: ChangedPool
  readonly epochs: Epochs
  readonly trials: UnitTrials
}

/** What of this node is not done. */
export function laggardsHere({ step }: Progress, { pool, epochs, trials }: Here): readonly Laggard[] {
  const { trying } = trials
  if (trying) {
    const reason = `pid ${trying.pid} has not said yet whether it runs in a sandbox`
    return [{ who: `worker ${trying.index}`, reason }]
  }
  const preparing = epochs.waitingFor.map(({ index, pid }) => ({
    who: `worker ${index}`,
    reason: `pid ${pid} has not prepared the new set yet`,
  }))
  const missing = pool.slots
    .filter(({ worker }) => worker?.phase !== 'ready')
    .map(({ index }) => ({ who: `worker ${index}`, reason: 'it is being replaced' }))
  const laggards = [...preparing, ...missing]
  return laggards.length > 0 ? laggards : [{ who: 'control', reason: step }]
}
