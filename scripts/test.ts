/**
 * `npm test`: every `*.test.ts`, in Node's own runner, with its closing counts.
 *
 * Arguments are handed on: files or patterns to run instead of all, and options of `node --test` (`--test-name-pattern`).
 */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const COMPILE_CACHE = 'node_modules/.cache/orla'
const ALL = ['src/**/*.test.ts', 'units/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts']

const given = process.argv.slice(2)
const hasFiles = given.some((argument) => !argument.startsWith('-'))

const { status, signal } = spawnSync(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-reporter=spec',
    // Many tests start whole nodes of several processes each: more at a time would only make them wait for each other.
    `--test-concurrency=${Math.max(2, Math.ceil(availableParallelism() / 2))}`,
    // A test that hangs is named, and the rest goes on.
    '--test-timeout=600000',
    ...given,
    ...(hasFiles ? [] : ALL),
  ],
  {
    cwd: ROOT,
    stdio: 'inherit',
    // Each test file is a process, and starts others in folders of their own: what one compiles is kept for the next.
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: resolve(ROOT, process.env['NODE_COMPILE_CACHE'] ?? COMPILE_CACHE),
    },
  },
)
if (signal) process.kill(process.pid, signal)
process.exit(status ?? 1)
