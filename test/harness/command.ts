/** Runs `bin/orla`, the real one, as a person would. */
import { spawn } from 'node:child_process'
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
}

export function orla(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = spawn(ORLA, argv, {
    cwd: options.cwd,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 60_000,
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

/** What the shell of the person who runs the tests has set must not decide them. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('ORLA_') && name !== 'NODE_OPTIONS' && name !== 'NODE_TEST_CONTEXT',
  )
  return Object.fromEntries(kept)
}
