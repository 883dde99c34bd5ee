/** What the commands that change what is live share: how far to wait, and how the outcome is told. */
import { EdgeError } from '../base/errors.ts'
import { nearest } from '../base/nearest.ts'
import type { ChangeResult } from '../control/shapes.ts'
import { type Arguments, UsageError } from './arguments.ts'
import { EXIT, type ExitCode, type Terminal } from './command.ts'

export interface ChangeWait {
  readonly wait?: 'stored' | 'edges' | 'all'
  /** How many nodes, or which edges. */
  readonly edges?: number | readonly string[]
  readonly onTimeout?: 'keep' | 'withdraw'
  readonly timeoutMs?: number
}

const LEVELS = ['stored', 'edges', 'all'] as const
const FORMS = 'stored, edges, edges:N, edges:NAME,NAME or all'

/** Only what was given: the control plane has the defaults. */
export function changeWait(args: Arguments): ChangeWait {
  const timeoutMs = args.duration('timeout')
  if (timeoutMs === 0) throw new UsageError('--timeout takes 1ms or more')
  const onTimeout = args.choice('on-timeout', ['keep', 'withdraw'])
  return {
    ...waitLevel(args.text('wait')),
    ...(onTimeout && { onTimeout }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  }
}

function waitLevel(given: string | undefined): Pick<ChangeWait, 'wait' | 'edges'> {
  if (given === undefined) return {}
  const [word = '', ...rest] = given.split(':')
  const level = LEVELS.find((one) => one === word)
  const isOpen = rest.length === 0
  if (level !== undefined && isOpen) return { wait: level }
  if (level === 'edges') return { wait: level, edges: whichEdges(rest.join(':'), given) }
  const meant = isOpen ? nearest(word, LEVELS) : undefined
  const guess = meant === undefined ? '' : `; did you mean ${meant}?`
  throw new UsageError(`--wait takes ${FORMS}, not "${given}"${guess}`)
}

/** A number counts nodes; an edge is hardly called by a number. */
function whichEdges(text: string, given: string): number | readonly string[] {
  if (/^\d+$/.test(text)) {
    const count = Number(text)
    if (count >= 1 && count <= 10_000) return count
    throw new UsageError(`--wait edges:N takes a number of nodes from 1 to 10000, not "${text}"`)
  }
  const names = text.split(',').map((name) => name.trim())
  if (names.every((name) => name !== '')) return names
  throw new UsageError(`--wait takes ${FORMS}, not "${given}": a name is empty`)
}

/** What `--env` and `--secret` say, for the body of a request; empty where neither was given. */
export function valuesFrom(args: Arguments) {
  const env = args.pairs('env')
  const secrets = args.pairs('secret')
  return { ...(env && { env }), ...(secrets && { secrets }) }
}

/** The control plane answers when the time is up; a moment more, and it counts as gone. */
export const callTimeoutMs = ({ timeoutMs = 30_000 }: ChangeWait): number => timeoutMs + 5000

/** As a query says it, where the body is something else. */
export function waitQuery({ edges, ...rest }: ChangeWait): Readonly<Record<string, string | number>> {
  return {
    ...rest,
    ...(edges !== undefined && { edges: typeof edges === 'number' ? edges : edges.join(',') }),
  }
}

/** Scripts read this line: keep its form. */
export const deployedLine = ({ name, version, live, ms }: ChangeResult): string =>
  `deployed ${name} ${version} live on ${live.workers}/${live.of} workers in ${Math.round(ms)} ms`

/** Prints the outcome: JSON, or the line; and of edges, where there are some, one on standard error. */
export function tellChange(
  args: Arguments,
  terminal: Terminal,
  result: Pick<ChangeResult, 'edges'>,
  line: string,
): void {
  if (args.flag('json')) return terminal.print(JSON.stringify(result))
  terminal.print(line)
  noteEdges(terminal, result)
}

export function noteEdges(terminal: Terminal, { edges }: Pick<ChangeResult, 'edges'>): void {
  if (!edges) return
  const { live, of, ms } = edges
  terminal.note(`edges: ${live}/${of} run it${ms === undefined ? '' : ` after ${Math.round(ms)} ms`}`)
}

export const exitOf = (error: EdgeError): ExitCode =>
  error.code === 'not-finished' ? EXIT.notFinished : EXIT.refused
