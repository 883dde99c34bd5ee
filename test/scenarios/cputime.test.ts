/** `orla cputime`: what counts is work, of commands, processes and threads; and what a command does stays as it was. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { orla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'

const NODE = process.execPath
const PI = fileURLToPath(new URL('../../examples/cputime/pi.ts', import.meta.url))

interface Figures {
  readonly cpuNs: number
  readonly childrenNs: number
  readonly wallNs: number
  readonly runs?: number
  readonly minNs?: number
  readonly maxNs?: number
  readonly exitCode: number
}

const figures = (stderr: string): Figures => JSON.parse(stderr.trim().split('\n').at(-1)!) as Figures

test('sleep does not count: the CPU time of π with pauses is its wall time without them, at most', async () => {
  const idle = await orla(['cputime', '--json', '--', 'sleep', '3'])
  assert.ok(figures(idle.stderr).wallNs >= 3_000_000_000, idle.stderr)
  assert.ok(figures(idle.stderr).cpuNs < 1_000_000_000, idle.stderr)
  const { code, stdout, stderr } = await orla(['cputime', '--json', '--', NODE, PI, '10', '200'])
  assert.equal(code, 0, stderr)
  assert.ok(stdout.startsWith('31415926535897932384626433832795'))
  assert.equal(stdout.trim().length, 2800)
  const { cpuNs, wallNs } = figures(stderr)
  assert.ok(wallNs >= 2_000_000_000, String(wallNs))
  // Ten sleeps are two seconds. Node's other threads work at the same time, a little.
  assert.ok(wallNs - cpuNs > 1_500_000_000, `${cpuNs} of ${wallNs}`)
  assert.ok(cpuNs > 10_000_000 && cpuNs % 1_000_000 !== 0, 'nanoseconds, not ticks')
})

test('children that were waited for are told apart from the command itself', async () => {
  const burn = `${NODE} -e 'const end=process.cpuUsage().user+300000;while(process.cpuUsage().user<end);'`
  const { code, stderr } = await orla(['cputime', '--json', '--', 'sh', '-c', `${burn}; true`])
  assert.equal(code, 0)
  const { cpuNs, childrenNs } = figures(stderr)
  assert.ok(childrenNs >= 300_000_000, String(childrenNs))
  assert.ok(cpuNs < 100_000_000, String(cpuNs))
})

test('output, input and exit code of a command pass through', async () => {
  const seven = await orla(['cputime', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'])
  assert.equal(seven.code, 7)
  assert.equal(seven.stdout, 'out\n')
  assert.match(seven.stderr, /^err\ncpu \d+ ns .*wall \d+ ns +[\d.]+ %\n$/)
  assert.equal((await orla(['cputime', '--', 'sh', '-c', 'kill -9 $$'])).code, 137)
  assert.equal((await orla(['cputime', '--', 'sh', '-c', 'kill -PIPE $$'])).code, 141)
  const large = await orla(['cputime', '--', 'head', '-c', '3000000', '/dev/zero'])
  assert.equal(large.stdout.length, 3_000_000)
})

test('several runs tell their spread, and end with the first that fails', async () => {
  const { stderr } = await orla(['cputime', '--runs', '3', '--json', '--', 'true'])
  const { runs, minNs, maxNs } = figures(stderr)
  assert.equal(runs, 3)
  assert.ok(minNs! > 0 && minNs! <= maxNs!)
  const failed = await orla(['cputime', '--runs', '3', '--json', '--', 'false'])
  assert.deepEqual([failed.code, figures(failed.stderr).runs], [1, 1])
})

test('a running process and its threads are read, in total and over a while', async (t) => {
  const child = spawn(NODE, ['-e', `console.log('runs'); for (;;);`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  await eventually(() => child.stdout.read() !== null)
  const pid = String(child.pid)
  const read = async (...argv: string[]) => {
    const { code, stdout, stderr } = await orla(['cputime', '--pid', pid, '--json', ...argv])
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as { cpuNs: number; wallNs: number }
  }
  const [first, second] = [await read(), await read()]
  assert.ok(second.cpuNs > first.cpuNs)
  const over = await read('--for', '300ms')
  const told = JSON.stringify(over)
  assert.ok(over.wallNs >= 300_000_000, told)
  assert.ok(over.cpuNs > 0 && over.cpuNs < over.wallNs * 4, told)
  const thread = await read('--thread', pid)
  assert.ok(thread.cpuNs > 0)
  assert.ok(thread.cpuNs <= (await read()).cpuNs)
})

test('what is not there is named', async () => {
  const refused = async (code: number, pattern: RegExp, ...argv: string[]) => {
    const result = await orla(['cputime', ...argv])
    assert.equal(result.code, code, result.stderr)
    assert.match(result.stderr, pattern)
  }
  await refused(1, /there is no process 4194304/, '--pid', '4194304')
  await refused(1, /process \d+ has no thread 1; it has \d+/, '--pid', String(process.pid), '--thread', '1')
  await refused(127, /no-such-command: there is no such command/, '--', 'no-such-command')
  await refused(126, /\/: permission denied/, '--', '/')
  await refused(64, /-- COMMAND or --pid PID is missing/)
  await refused(64, /--thread needs --pid/, '--thread', '1')
  await refused(64, /--pid takes a number/, '--pid', 'x')
})
