/** All that units can ask of their worker, by kind. */
import type { HostAnswer, HostCall, HostCalls } from '../contract/host-calls.ts'
import { CryptoCalls } from './crypto-calls.ts'
import { KvCalls, type KvCallsOptions } from './kv-calls.ts'

export interface WorkerCalls extends HostCalls {
  readonly kv: KvCalls
}

export function createHostCalls(options: KvCallsOptions): WorkerCalls {
  const kv = new KvCalls(options)
  const crypto = new CryptoCalls()
  return {
    kv,
    start(call: HostCall, answer: (answer: HostAnswer) => void) {
      return call.kind === 'crypto.verify' ? crypto.start(call, answer) : kv.start(call, answer)
    },
  }
}
