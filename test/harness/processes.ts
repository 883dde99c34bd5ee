/** The processes of a node, by what they are for, read from `/proc`. */
import { readdirSync, readFileSync } from 'node:fs'

export interface NodeProcesses {
  readonly supervisor: number
  readonly workers: readonly number[]
  readonly sandboxes: readonly number[]
  readonly checkers: readonly number[]
}

export function processesBelow(supervisor: number): NodeProcesses {
  const below = descendants(supervisor).map((pid) => ({ pid, command: commandOf(pid) }))
  const having = (part: RegExp) => below.filter(({ command }) => part.test(command)).map(({ pid }) => pid)
  return {
    supervisor,
    workers: having(/worker/),
    sandboxes: having(/sandbox/),
    checkers: having(/checker/),
  }
}

/** All processes below one, children before their own. */
export function descendants(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = parentOf(name)
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found = [...(children.get(root) ?? [])]
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

/** The name in the second field may hold anything, also spaces and brackets: fields are counted from its last one. */
function parentOf(pid: string): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state === undefined || state === 'Z' ? undefined : Number(parent)
}

const commandOf = (pid: number): string => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')

/** Empty for a process that has gone in the meantime. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
