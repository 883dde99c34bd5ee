/**
 * CPU time in nanoseconds, from the clocks that the kernel keeps for each process and thread.
 *
 * `clock_getcpuclockid` names the clock of a process, `clock_gettime` reads it: all threads of the process together, those that have ended
 * included, children not. A thread of another process has no clock that may be read; the scheduler's own count of it, which
 * is what the clock would be made from, stands in `/proc/PID/task/TID/schedstat`.
 */
import { readFileSync } from 'node:fs'
import { getSystemErrorMap } from 'node:util'
import koffi from 'koffi'
import { EdgeError } from './errors.ts'
import { threadsOf } from './proc.ts'

type GetClock = (pid: number, clock: Int32Array) => number
type GetTime = (clock: number, time: BigInt64Array) => number

const libc = koffi.load(null)
const clockOf = libc.func('int clock_getcpuclockid(int pid, int *clock)') as unknown as GetClock
const timeOf = libc.func('int clock_gettime(int clock, int64_t *time)') as unknown as GetTime

const CLOCK_MONOTONIC = 1
const CLOCK_THREAD_CPUTIME_ID = 3
const ESRCH = 3
const EPERM = 1

function read(clock: number): bigint | undefined {
  const time = new BigInt64Array(2)
  return timeOf(clock, time) === 0 ? time[0]! * 1_000_000_000n + time[1]! : undefined
}

export const wallNs = (): bigint => read(CLOCK_MONOTONIC)!

const ownTime = new BigInt64Array(2)

/**
 * What this thread has used so far, in microseconds with their fractions. `process.threadCpuUsage()` is cheaper and may lag by a tick of the
 * scheduler, which is milliseconds: too coarse for one call of a few microseconds.
 */
export function ownThreadCpuUs(): number {
  timeOf(CLOCK_THREAD_CPUTIME_ID, ownTime)
  return Number(ownTime[0]!) * 1e6 + Number(ownTime[1]!) / 1e3
}

/** What a process has used so far. Also of one that has ended and was not waited for yet. */
export function processCpuNs(pid: number): bigint {
  const clock = new Int32Array(1)
  const error = clockOf(pid, clock)
  const ns = error === 0 ? read(clock[0]!) : undefined
  if (ns !== undefined) return ns
  if (error === EPERM)
    throw new EdgeError('process-unreadable', `this user may not read the clock of process ${pid}`)
  if (error === 0 || error === ESRCH) throw noProcess(pid)
  throw new EdgeError('process-unreadable', `the clock of process ${pid}: ${errorText(error)}`)
}

/** What one thread of a process has used so far. */
export function threadCpuNs(pid: number, thread: number): bigint {
  // A process shows itself; with `hidepid` those of others are not there.
  processCpuNs(pid)
  try {
    const [ran] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')
    return BigInt(ran!)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM')
      throw new EdgeError('process-unreadable', `this user may not read thread ${thread} of process ${pid}`)
    const threads = threadsOf(pid)
    const known =
      threads.length === 0
        ? ''
        : `; it has ${threads.slice(0, 20).join(', ')}${threads.length > 20 ? '…' : ''}`
    throw new EdgeError('process-unknown', `process ${pid} has no thread ${thread}${known}`)
  }
}

const noProcess = (pid: number) => new EdgeError('process-unknown', `there is no process ${pid}`)

export const errorText = (errno: number): string => getSystemErrorMap().get(-errno)?.[1] ?? `error ${errno}`
