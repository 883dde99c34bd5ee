/** Runs `bin/orla`, the real one, as a person would. */
import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

export const ORLA = fileURLToPath(new URL('../../bin/orla', import.meta.url))

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly cwd?: string
  /** Added to the environment of the test, from which `ORLA_…` is taken away. */
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  /** In a process group of its own, as a shell makes for each command: so that it can be interrupted. */
  readonly ownGroup?: boolean
}

export function orla(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = spawn(ORLA, argv, {
    cwd: options.cwd,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 300_000,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface RunningCommand {
  readonly pid: number
  /** What it printed when it served: `ready edge=… control=…`, with ` dns=…` behind where it answers DNS. */
  readonly ready: string
  readonly edges: readonly string[]
  readonly control: string
  /** `dns://127.0.0.1:5300` for each address at which it answers DNS. */
  readonly dns: readonly string[]
  /** Everything on standard output so far. */
  stdout(): string
  /** Everything on standard error so far. */
  stderr(): string
  readonly ended: Promise<Ending>
  kill(signal: NodeJS.Signals): void
  /** To this process and all of its group, as Ctrl-C in a terminal does it with SIGINT. Asks for `ownGroup`. */
  interrupt(signal?: NodeJS.Signals): void
}

/** A command that goes on until it is told to stop, from the line on that says it serves. Killed with the test. */
export async function startOrla(
  t: TestContext,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<RunningCommand> {
  const child = spawn(ORLA, argv, {
    cwd: options.cwd,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.ownGroup ?? false,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<Ending>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  t.after(async () => {
    child.kill('SIGKILL')
    // A program that took over has them too, and may go on.
    child.stdout.destroy()
    child.stderr.destroy()
    await ended
  })
  const ready = await readyLine(child.stdout, ended, options.timeoutMs ?? 300_000).catch((error: Error) => {
    throw new Error(`${error.message}:\n${stderr}`)
  })
  const [, edges, control, dns] = /^ready edge=(\S+) control=(\S+)(?: dns=(\S+))?$/.exec(ready) ?? []
  if (edges === undefined || control === undefined) throw new Error(`not a ready line: ${ready}`)
  return {
    pid: child.pid!,
    ready,
    edges: edges.split(','),
    control,
    dns: dns?.split(',') ?? [],
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    kill: (signal) => void child.kill(signal),
    interrupt: (signal = 'SIGINT') => void process.kill(-child.pid!, signal),
  }
}

function readyLine(stdout: Readable, ended: Promise<Ending>, withinMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready within ${withinMs} ms`)), withinMs)
    let text = ''
    stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      const line = /^ready .*(?=\n)/m.exec(text)?.[0]
      if (line === undefined) return
      clearTimeout(timer)
      resolve(line)
    })
    void ended.then(({ code, signal }) => {
      clearTimeout(timer)
      reject(new Error(`it ended with ${code ?? signal} before it was ready`))
    })
  })
}

/** What the shell of the person who runs the tests has set must not decide them. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('ORLA_') && name !== 'NODE_OPTIONS' && name !== 'NODE_TEST_CONTEXT',
  )
  return Object.fromEntries(kept)
}

/** Commands that change what is live: on a starved machine a first deploy takes more than the half minute that a change has. */
const CHANGES = [
  'deploy',
  'env',
  'rollback',
  'enable',
  'disable',
  'reload',
  'remove',
  'rollouts',
  'secrets',
  'sites',
]
const IN_TIME = ['--timeout', '4m']

/** A command with time. What a test says of it itself counts instead: an option that stands there twice is refused. */
export function inTime([command = '', ...rest]: readonly string[]): readonly string[] {
  const isLeftOpen = CHANGES.includes(command) && !rest.includes('--timeout')
  return [command, ...(isLeftOpen ? IN_TIME : []), ...rest]
}

/**
 * A line that a page or the demo shows, as it is run here: in time, and with all the CPU that a unit may have, so that a machine that
 * stands still is not held against it. But not one that loops: it is meant to be stopped.
 */
export const patient = (line: string): string =>
  line
    .replaceAll(/\borla deploy (?!\S*loop)/g, '$&--cpu-ms 1000 ')
    .replaceAll(
      new RegExp(`\\borla (?:${CHANGES.join('|')})\\b(?![^;|&]*--timeout)`, 'g'),
      `$& ${IN_TIME.join(' ')}`,
    )
