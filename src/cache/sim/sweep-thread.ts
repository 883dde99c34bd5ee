/** A thread of `sweepInThreads`: runs the settings that it is sent, one at a time. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Setting, Simulator } from './sweep.ts'
import type { ThreadStart } from './sweep-threads.ts'

const { trace, seeds } = workerData as ThreadStart
const simulator = new Simulator(trace, seeds)

parentPort!.on('message', (setting: Setting) => {
  parentPort!.postMessage(simulator.run(setting))
})
