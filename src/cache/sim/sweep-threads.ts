/**
 * A sweep over several threads, where it would take long: each has the trace in shared memory and asks for the next setting
 * when it is done with one. Results are those of one thread, and in the same order.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { settingsOf, type Setting, type SimResult, Simulator, type SweepPlan } from './sweep.ts'
import type { Trace } from './trace.ts'

/** Below so many requests in all runs a thread takes longer to start than it helps. */
const WORTH_REQUESTS = 10_000_000
const THREADS_MAX = 8

export interface ThreadStart {
  readonly trace: Trace
  readonly seeds: number
}

export interface ThreadOptions {
  /** Default: as many as there are cores, where it is worth it. */
  readonly threads?: number
  /** Called after each result. */
  readonly onProgress?: (result: SimResult, done: number, of: number) => void
}

export async function sweepInThreads(
  trace: Trace,
  plan: SweepPlan,
  { threads, onProgress }: ThreadOptions = {},
): Promise<readonly SimResult[]> {
  const settings = settingsOf(plan)
  const results: SimResult[] = []
  let done = 0
  const note = (at: number, result: SimResult) => {
    results[at] = result
    done += 1
    onProgress?.(result, done, settings.length)
  }
  const worth = settings.length * trace.requests.length >= WORTH_REQUESTS
  const count = Math.min(
    threads ?? (worth ? Math.min(availableParallelism(), THREADS_MAX) : 1),
    settings.length,
  )
  if (count <= 1) {
    const simulator = new Simulator(trace, plan.seeds)
    for (const [at, setting] of settings.entries()) note(at, simulator.run(setting))
    return results
  }
  const start: ThreadStart = { trace: inSharedMemory(trace), seeds: plan.seeds }
  const left = settings.entries()
  const workers = Array.from(
    { length: count },
    () => new Worker(new URL('./sweep-thread.ts', import.meta.url), { workerData: start }),
  )
  try {
    await Promise.all(workers.map((worker) => workOff(worker, left, note)))
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
  return results
}

/** Hands the worker one setting after the other until none is left. */
function workOff(
  worker: Worker,
  left: IterableIterator<[number, Setting]>,
  note: (at: number, result: SimResult) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let at = 0
    const next = () => {
      const { done, value } = left.next()
      if (done === true) return resolve()
      at = value[0]
      worker.postMessage(value[1])
    }
    worker.on('message', (result: SimResult) => {
      note(at, result)
      next()
    })
    worker.on('error', reject)
    worker.on('exit', (code) => reject(new Error(`a thread of the simulation ended with ${code}`)))
    next()
  })
}

function inSharedMemory(trace: Trace): Trace {
  const requests = new Uint32Array(new SharedArrayBuffer(trace.requests.byteLength))
  const sizes = new Float64Array(new SharedArrayBuffer(trace.sizes.byteLength))
  requests.set(trace.requests)
  sizes.set(trace.sizes)
  return { ...trace, requests, sizes }
}
