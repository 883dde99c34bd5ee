/** A program tried on one packet, without any interface. */
import { constants } from 'node:os'
import type { LibbpfCalls, TestRunOptions } from './libbpf-calls.ts'
import { BpfFailure, errorText } from './libbpf-failure.ts'

/** What a program made of a packet. */
export interface TestRun {
  /** What it returned: an XDP action, from 0 (aborted). */
  readonly returned: number
  /** The packet after it. */
  readonly packet: Buffer
  /** Nanoseconds of one run, on average. */
  readonly ns: number
}

/** How often a trial that was interrupted is begun again. */
const EINTR_TRIES = 100
/** By how much a program may make a packet longer. */
const GROWTH_BYTES = 256

export function testRun(calls: LibbpfCalls, fd: number, packet: Buffer, repeat: number): TestRun {
  const out = Buffer.alloc(packet.length + GROWTH_BYTES)
  const run: TestRunOptions = {
    sz: 72,
    data_in: packet,
    data_out: out,
    data_size_in: packet.length,
    data_size_out: out.length,
    retval: 0,
    repeat,
    duration: 0,
  }
  let result = calls.bpf_prog_test_run_opts(fd, run)
  // The kernel breaks off between two runs when the process has something to see to, which it does as soon as it returns from the call.
  for (let left = EINTR_TRIES; result === -constants.errno.EINTR && left > 0; left--) {
    Object.assign(run, { data_in: packet, data_out: out, data_size_out: out.length })
    result = calls.bpf_prog_test_run_opts(fd, run)
  }
  if (result < 0) throw new BpfFailure(`cannot try a packet: ${errorText(calls, result)}`, -result)
  return { returned: run.retval, packet: out.subarray(0, run.data_size_out), ns: run.duration }
}
