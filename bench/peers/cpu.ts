/** CPU time of a server under load, all its processes summed: what is paid for. Wall time lies on a shared machine. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** The kernel counts in ticks of 10 ms. */
const TICK_US = 10_000

/** The fields of `/proc/PID/stat` after the name, which may hold anything. */
function statFields(pid: number | string): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** A process and all that descend from it. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const parent = Number(statFields(entry)[1])
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
    } catch {
      // It ended meanwhile.
    }
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

export function cpuMicroseconds(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    try {
      const fields = statFields(pid)
      ticks += Number(fields[11]) + Number(fields[12])
    } catch {
      // It ended meanwhile.
    }
  }
  return ticks * TICK_US
}

export interface Load {
  readonly requests: number
  readonly cpuUsPerRequest: number
  readonly p99: string
  readonly failed: number
}

/** Loads `url` with wrk and charges the processes below `pid`. */
export async function measureLoad(
  url: string,
  pid: number,
  connections: number,
  seconds: number,
): Promise<Load> {
  const before = cpuMicroseconds(processTree(pid))
  const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', url])
  const cpu = cpuMicroseconds(processTree(pid)) - before
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0)
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0)
  const errors =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)?.slice(1) ?? []
  return {
    requests,
    cpuUsPerRequest: cpu / requests,
    p99: /99%\s+(\S+)/.exec(stdout)?.[1] ?? '?',
    failed: refused + errors.reduce((sum, count) => sum + Number(count), 0),
  }
}
