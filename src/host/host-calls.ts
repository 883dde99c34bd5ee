/** All that units can ask of their worker, by kind. */
import type { HostAnswer, HostCall, HostCalls } from '../contract/host-calls.ts'
import { KvCalls, type KvCallsOptions } from './kv-calls.ts'

export interface WorkerCalls extends HostCalls {
  readonly kv: KvCalls
}

export function createHostCalls(options: KvCallsOptions): WorkerCalls {
  const kv = new KvCalls(options)
  return {
    kv,
    start(call: HostCall, answer: (answer: HostAnswer) => void) {
      return kv.start(call, answer)
    },
  }
}
