/**
 * `npm test`: every `*.test.ts`, in Node's own runner, with its closing counts.
 *
 * Arguments are handed on: files or patterns to run instead of all, and options of `node --test` (`--test-name-pattern`).
 */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

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
    '--test-timeout=180000',
    ...given,
    ...(hasFiles ? [] : ALL),
  ],
  {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: 'inherit',
    // Each test file is a process: what it compiles is kept for the next.
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? 'node_modules/.cache/orla',
    },
  },
)
if (signal) process.kill(process.pid, signal)
process.exit(status ?? 1)
