/** What the commands that change the live units share: how long to wait, and how the outcome is told. */
import { EdgeError } from '../base/errors.ts'
import type { ChangeResult } from '../control/shapes.ts'
import { type Arguments, UsageError } from './arguments.ts'
import { EXIT, type ExitCode } from './command.ts'

export interface ChangeWait {
  readonly wait?: 'stored' | 'edges' | 'all'
  readonly timeoutMs?: number
}

/** Only what was given: the control plane has the defaults. */
export function changeWait(args: Arguments): ChangeWait {
  const wait = args.choice('wait', ['stored', 'edges', 'all'])
  const timeoutMs = args.duration('timeout')
  if (timeoutMs === 0) throw new UsageError('--timeout takes 1ms or more')
  return { ...(wait && { wait }), ...(timeoutMs !== undefined && { timeoutMs }) }
}

/** What `--env` and `--secret` say, for the body of a request; empty where neither was given. */
export function valuesFrom(args: Arguments) {
  const env = args.pairs('env')
  const secrets = args.pairs('secret')
  return { ...(env && { env }), ...(secrets && { secrets }) }
}

/** The control plane answers when the time is up; a moment more, and it counts as gone. */
export const callTimeoutMs = ({ timeoutMs = 30_000 }: ChangeWait): number => timeoutMs + 5000

/** Scripts read this line: keep its form. */
export const deployedLine = ({ name, version, live, ms }: ChangeResult): string =>
  `deployed ${name} ${version} live on ${live.workers}/${live.of} workers in ${Math.round(ms)} ms`

export const exitOf = (error: EdgeError): ExitCode =>
  error.code === 'not-finished' ? EXIT.notFinished : EXIT.refused
