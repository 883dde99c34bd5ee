/** `orla cputime`: CPU time beside wall time, of a command, a process or a thread. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChildRun, NO_COMMAND, runChild } from '../../base/child-run.ts'
import { processCpuNs, threadCpuNs, wallNs } from '../../base/cpu-clock.ts'
import { EdgeError } from '../../base/errors.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { type Command, EXIT, JSON_OPTION, type Terminal } from '../command.ts'

export const command: Command = {
  name: 'cputime',
  operands: '[-- COMMAND…]',
  operandsMin: 0,
  operandsMax: Number.POSITIVE_INFINITY,
  text: [
    'Measures CPU time beside wall time, in nanoseconds, from the clocks that the kernel keeps for each process. Time in which a program',
    'sleeps or waits is wall time alone.',
    'Of a command: `cpu` is the command itself with all its threads, `children` the processes below it that it waited for (to the',
    'microsecond; those that outlive it are not counted). Its input, output and exit code are passed on; the figures go to standard error.',
    'Of a running process or thread: what it has used since it started, or within `--for`.',
  ].join('\n'),
  options: {
    pid: { value: 'PID', text: 'a process that runs; its children are not counted' },
    thread: { value: 'TID', text: 'one thread of it alone' },
    for: { value: 'TIME', text: 'with --pid: measure for that long, such as 5s' },
    runs: { value: 'N', text: 'run the command N times, and tell mean, least and most' },
    ...JSON_OPTION,
  },
  examples: [
    [
      'orla cputime -- node examples/cputime/pi.ts',
      'what 2,800 digits of π take, a hundred times, without the sleeps between',
    ],
    ['orla cputime --runs 10 --json -- gzip -k file', 'ten runs, as JSON on standard error'],
    ['orla cputime --pid 4711 --for 5s', 'how busy a process is'],
  ],
  exits: {
    1: 'there is no such process or thread, or it may not be read; a command passes on its own exit code, 126 and 127 where it cannot be run',
  },
  run: async (args, terminal) => {
    const pid = args.number('pid', 1, PID_MAX)
    if (pid !== undefined) return ofProcess(pid, args, terminal)
    for (const name of ['thread', 'for']) if (args.flag(name)) throw new UsageError(`--${name} needs --pid`)
    if (args.operands.length === 0) throw new UsageError('-- COMMAND or --pid PID is missing')
    return ofCommand(args, terminal)
  },
}

/** PID_MAX_LIMIT of the kernel. */
const PID_MAX = 4_194_304

/** As shells have it, and `env` and `nice`. */
const NOT_RUN = 126
const NOT_FOUND = 127

async function ofProcess(pid: number, args: Arguments, terminal: Terminal): Promise<number> {
  if (args.operands.length > 0) throw new UsageError('either a command or --pid')
  if (args.flag('runs')) throw new UsageError('--runs is for commands')
  const thread = args.number('thread', 1, PID_MAX)
  const cpuNs = () => (thread === undefined ? processCpuNs(pid) : threadCpuNs(pid, thread))
  const forMs = args.duration('for')
  if (forMs === undefined) {
    const used = cpuNs()
    if (args.flag('json')) terminal.print(json({ pid, thread, cpuNs: used }))
    else terminal.print(`cpu ${text(used)} since it started`)
    return EXIT.done
  }
  const [cpuBefore, wallBefore] = [cpuNs(), wallNs()]
  // A timer may be early by a part of a millisecond.
  for (let leftMs = forMs; leftMs > 0; leftMs = forMs - Number(wallNs() - wallBefore) / 1e6)
    await sleep(Math.ceil(leftMs))
  const [cpu, wall] = [cpuNs() - cpuBefore, wallNs() - wallBefore]
  if (args.flag('json')) terminal.print(json({ pid, thread, cpuNs: cpu, wallNs: wall }))
  else terminal.print(`cpu ${text(cpu)}  wall ${text(wall)}  ${share(cpu, wall)}`)
  return EXIT.done
}

function ofCommand(args: Arguments, terminal: Terminal): number {
  const wanted = args.number('runs', 1, 1_000_000) ?? 1
  // Ctrl-C reaches the command as well, and how it ends is told.
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, () => {})
  const runs: ChildRun[] = []
  try {
    while (runs.length < wanted && (runs.at(-1)?.code ?? 0) === 0)
      runs.push(runChild(args.operands, terminal.env))
  } catch (error) {
    if (!(error instanceof EdgeError) || error.code !== 'command-not-run') throw error
    terminal.note(`orla: ${error.message}`)
    return error.message.endsWith(NO_COMMAND) ? NOT_FOUND : NOT_RUN
  }
  const last = runs.at(-1)!
  const sum = (of: (run: ChildRun) => bigint) => runs.reduce((total, run) => total + of(run), 0n)
  const whole = {
    cpuNs: sum((run) => run.ownNs),
    childrenNs: sum((run) => run.childrenNs),
    wallNs: sum((run) => run.wallNs),
  }
  const cpus = runs.map(({ ownNs, childrenNs }) => ownNs + childrenNs).toSorted((a, b) => (a < b ? -1 : 1))
  const spread = {
    minNs: cpus[0]!,
    meanNs: (whole.cpuNs + whole.childrenNs) / BigInt(runs.length),
    maxNs: cpus.at(-1)!,
  }
  if (args.flag('json')) {
    terminal.note(
      json({ ...whole, ...(wanted > 1 && { runs: runs.length, ...spread }), exitCode: last.code }),
    )
    return last.code
  }
  const { cpuNs, childrenNs, wallNs: wall } = whole
  const below = childrenNs === 0n ? '' : `  children ${text(childrenNs)}`
  terminal.note(`cpu ${text(cpuNs)}${below}  wall ${text(wall)}  ${share(cpuNs + childrenNs, wall)}`)
  if (wanted > 1) {
    terminal.note(
      `${runs.length} runs: mean ${text(spread.meanNs)}, least ${text(spread.minNs)}, most ${text(spread.maxNs)}`,
    )
  }
  return last.code
}

const text = (ns: bigint): string => `${ns} ns`

const share = (cpu: bigint, wall: bigint): string =>
  `${wall === 0n ? '0.0' : (Number((cpu * 1000n) / wall) / 10).toFixed(1)} %`

/** Nanoseconds of a hundred days fit a number exactly. */
const json = (value: object): string =>
  JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? Number(inner) : inner))
