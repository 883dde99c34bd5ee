/** Facts about processes, from `/proc` (see proc(5)). What cannot be read is 0 or undefined: processes come and go. */
import { readdirSync, readFileSync } from 'node:fs'

/** Resident memory, in bytes. */
export function residentBytes(pid: number): number {
  // size resident shared text lib data dt, in pages
  return Number(read(`/proc/${pid}/statm`)?.split(' ')[1] ?? 0) * PAGE_BYTES
}

/** Proportional set size, in bytes: what is shared counts in parts. Costs the kernel a walk over the page tables. */
export function proportionalBytes(pid: number): number {
  const line = /^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '')
  return Number(line?.[1] ?? 0) * 1024
}

/** CPU time used so far, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  const fields = statFields(pid)
  return fields ? (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND : 0
}

/** When the process started, in clock ticks since the machine did. With the pid, it names a process for ever. */
export function startTicks(pid: number): string | undefined {
  return statFields(pid)?.[19]
}

/** Seconds since 1970 at which the process started. */
export function startSeconds(pid: number): number {
  const ticks = startTicks(pid)
  return ticks === undefined ? 0 : BOOT_SECONDS + Number(ticks) / TICKS_PER_SECOND
}

/** The core on which the main thread of a process runs or ran last. */
export function coreOf(pid: number): number | undefined {
  const core = statFields(pid)?.[36]
  return core === undefined ? undefined : Number(core)
}

/** One of its threads runs or waits for a core, or for memory: it does not sleep, and was not stopped. */
export function isRunnable(pid: number): boolean {
  return threadsOf(pid).some((thread) => {
    const state = fieldsOf(`/proc/${pid}/task/${thread}/stat`)?.[0]
    return state === 'R' || state === 'D'
  })
}

/** Numbers of its threads. */
export function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** The fields of `/proc/PID/stat` after the name, which may itself hold spaces and parentheses: [0] is the state. */
const statFields = (pid: number) => fieldsOf(`/proc/${pid}/stat`)

function fieldsOf(path: string): readonly string[] | undefined {
  const text = read(path)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** USER_HZ: 100 on every architecture that Linux and Node share. */
const TICKS_PER_SECOND = 100

/** AT_PAGESZ of the auxiliary vector: 4096 on x86, up to 65536 on ARM. */
const PAGE_BYTES = ((): number => {
  const AT_PAGESZ = 6n
  try {
    const vector = readFileSync('/proc/self/auxv')
    for (let at = 0; at + 16 <= vector.length; at += 16) {
      if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8))
    }
  } catch {
    // Without /proc there is nothing to multiply either.
  }
  return 4096
})()

const BOOT_SECONDS = Number(/^btime (\d+)$/m.exec(read('/proc/stat') ?? '')?.[1] ?? 0)
