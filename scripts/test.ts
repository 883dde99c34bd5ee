/**
 * `npm test`: every `*.test.ts`, in Node's own runner, with its closing counts.
 *
 * Arguments are handed on: files or patterns to run instead of all, and options of `node --test` (`--test-name-pattern`).
 */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { LANES, runAll } from './test/suite.ts'
import { ROOT } from './test/parts.ts'

const COMPILE_CACHE = 'node_modules/.cache/orla'
const ALL = ['src/**/*.test.ts', 'units/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts']
const NODE_OPTIONS = ['--disable-warning=ExperimentalWarning']
/** A test that hangs is named, and the rest goes on. */
const TIMEOUT_MS = 900_000

// Each part is a process, and starts others in folders of their own: what one compiles is kept for the next.
process.env['NODE_COMPILE_CACHE'] = resolve(ROOT, process.env['NODE_COMPILE_CACHE'] ?? COMPILE_CACHE)
process.chdir(ROOT)

const given = process.argv.slice(2)
process.exitCode = given.length === 0 ? await runAll(ALL, NODE_OPTIONS, TIMEOUT_MS) : runSome()

function runSome(): number {
  const files = given.some((argument) => !argument.startsWith('-')) ? [] : ALL
  const options = [
    '--test',
    '--test-reporter=spec',
    `--test-timeout=${TIMEOUT_MS}`,
    `--test-concurrency=${LANES}`,
  ]
  const { status, signal } = spawnSync(process.execPath, [...NODE_OPTIONS, ...options, ...given, ...files], {
    stdio: 'inherit',
  })
  if (signal) process.kill(process.pid, signal)
  return status ?? 1
}
