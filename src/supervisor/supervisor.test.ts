import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { EdgeError } from '../base/errors.ts'
import { eventually, startTestNode } from './testing/test-node.ts'
import type { PoolTime } from './workers/worker-pool.ts'

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a deployed unit is live on every worker when the deploy is answered', async (t) => {
  const node = await startTestNode(t)
  const { status, body } = await node.deploy('greeter')
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body['name'], 'greeter')
  assert.equal(body['version'], 1)
  assert.deepEqual(body['live'], { workers: 2, of: 2 })
  for (const worker of await node.everyWorker()) {
    assert.deepEqual(worker.units, ['greeter@1'])
    assert.equal(worker.epoch, body['epoch'])
  }
})

test('workers share the port that the system chose, and nothing of the environment that they do not need', async (t) => {
  process.env['A_SECRET_OF_THE_SUPERVISOR'] = 'x'
  const node = await startTestNode(t, { edge: { workers: 3 } }).finally(
    () => delete process.env['A_SECRET_OF_THE_SUPERVISOR'],
  )
  assert.match(node.supervisor.addresses[0]!, /^127\.0\.0\.1:[1-9]\d+$/)
  const workers = await node.everyWorker()
  assert.equal(new Set(workers.map(({ pid }) => pid)).size, 3)
  assert.ok(!workers[0]!.environment.includes('A_SECRET_OF_THE_SUPERVISOR'))
})

test('units survive a restart, and go on from the epoch they had', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'orla-supervisor-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const first = await startTestNode(t, {}, { directory })
  const deployed = await first.deploy('greeter', 'export default {}', {
    env: { A: '1' },
    secrets: { B: 'two' },
  })
  await first.supervisor.stop()
  const second = await startTestNode(t, {}, { directory })
  const worker = await second.edge()
  assert.deepEqual(worker.units, ['greeter@1'])
  assert.deepEqual(worker.env['greeter'], { A: '1', B: 'two' })
  assert.equal(worker.epoch, deployed.body['epoch'])
})

test('a worker that is killed is replaced, and its replacement runs what is live', async (t) => {
  const node = await startTestNode(t)
  await node.deploy('greeter')
  const [, second] = await node.everyWorker()
  process.kill(second!.pid, 'SIGKILL')
  const log = await eventually(
    () => node.log,
    (lines) => lines.length > 0,
  )
  await eventually(
    () => node.call('GET', '/readyz'),
    ({ status }) => status === 200,
  )
  const workers = await node.everyWorker()
  assert.notEqual(workers[1]!.pid, second!.pid)
  assert.deepEqual(workers[1]!.units, ['greeter@1'])
  assert.ok(log.some((line) => line.includes(`worker 1 (pid ${second!.pid}) ended: SIGKILL`)))
})

test('a worker that dies again and again waits longer each time, and changes go on meanwhile', async (t) => {
  // Every life is short, also where a start takes long; and a wait is over when the test says so.
  const waits: { readonly ms: number; readonly end: () => void }[] = []
  const poolTime: PoolTime = {
    now: () => 0,
    later(ms, end) {
      waits.push({ ms, end })
      return () => {}
    },
  }
  const node = await startTestNode(t, {}, { poolTime })
  for (let deaths = 1; deaths <= 4; deaths += 1) {
    waits.at(-1)?.end()
    const [first] = await node.everyWorker()
    process.kill(first!.pid, 'SIGKILL')
    await eventually(
      () => waits.length,
      (count) => count === deaths,
    )
  }
  assert.deepEqual(
    waits.map(({ ms }) => ms),
    [50, 100, 200, 400],
  )
  const { body } = await node.deploy('greeter', 'export default {}', { wait: 'stored', timeoutMs: 120_000 })
  assert.equal(body['version'], 1, JSON.stringify(body))
  assert.equal(waits.length, 4)
  waits.at(-1)!.end()
  const [replaced] = await node.everyWorker()
  assert.deepEqual(replaced!.units, ['greeter@1'])
})

test('the sandboxes of a worker that is killed are killed too', async (t) => {
  const { spawn } = await import('node:child_process')
  const node = await startTestNode(t)
  const sandbox = spawn(process.execPath, ['-e', 'for(;;);'], { stdio: 'ignore' })
  t.after(() => sandbox.kill('SIGKILL'))
  const { pid } = await node.edge(`/sandbox/${sandbox.pid}`)
  // The report has arrived when the process is counted.
  await eventually(
    async () => String((await node.call('GET', '/metrics')).body['text']),
    (text) => text.includes('orla_processes{role="sandbox"} 1'),
  )
  process.kill(pid, 'SIGKILL')
  await eventually(
    () => sandbox.signalCode,
    (signal) => signal === 'SIGKILL',
  )
})

test('a sandbox that outgrows its memory is killed', async (t) => {
  const { spawn } = await import('node:child_process')
  const node = await startTestNode(t, { edge: { sandboxMemory: '200mb' } })
  const hog = spawn(process.execPath, [
    '-e',
    'const kept=[];setInterval(()=>kept.push(Buffer.alloc(2**23,1)),5)',
  ])
  t.after(() => hog.kill('SIGKILL'))
  await node.edge(`/sandbox/${hog.pid}`)
  await eventually(
    () => hog.signalCode,
    (signal) => signal === 'SIGKILL',
  )
  assert.match(node.log.join('\n'), /sandbox \(pid \d+\) uses \d{3,5} MiB of 200: it is ended/)
})

test('when the supervisor is killed, workers end', async (t) => {
  const { fork } = await import('node:child_process')
  const directory = mkdtempSync(join(tmpdir(), 'orla-supervisor-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const child = fork(new URL('testing/node-process.ts', import.meta.url), [directory], { silent: true })
  t.after(() => child.kill('SIGKILL'))
  const { workers } = await new Promise<{ workers: number[] }>((resolve) =>
    child.once('message', resolve as never),
  )
  child.kill('SIGKILL')
  await eventually(
    () => workers.filter(isAlive),
    (alive) => alive.length === 0,
  )
})

for (const [name, signals, expected] of [
  ['SIGTERM lets what is in flight finish, and exits with 0', ['SIGTERM'], { code: 0, answered: true }],
  ['a second SIGTERM ends the node at once', ['SIGTERM', 'SIGTERM'], { code: 143, answered: false }],
  ['SIGINT drains as well', ['SIGINT'], { code: 0, answered: true }],
] as const) {
  test(name, async (t) => {
    const { fork } = await import('node:child_process')
    const directory = mkdtempSync(join(tmpdir(), 'orla-supervisor-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const child = fork(new URL('testing/node-process.ts', import.meta.url), [directory], { silent: true })
    t.after(() => child.kill('SIGKILL'))
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    let told = ''
    child.stderr!.on('data', (text) => (told += String(text)))
    const { address } = await new Promise<{ address: string }>((resolve) =>
      child.once('message', resolve as never),
    )
    // Its head is sent at once, so it is in flight when that has come.
    const slow = await fetch(`http://${address}/slow/${expected.answered ? 500 : 600_000}`)
    const inFlight = slow.text().then(
      () => true,
      () => false,
    )
    for (const signal of signals) {
      child.kill(signal)
      // Two signals at once would be one to the kernel.
      await eventually(
        () => told,
        (text) => text.includes(`${signal}: draining`),
      )
    }
    assert.equal(await ended, expected.code)
    assert.equal(await inFlight, expected.answered)
  })
}

test('a port that is taken is an error that says by whom, and leaves nothing behind', async (t) => {
  const words = () =>
    readdirSync('/dev/shm').filter((name) => name.startsWith(`orla-words-${process.pid}-`)).length
  const before = words()
  const { createServer } = await import('node:net')
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen({ host: '127.0.0.1', port: 0, reusePort: true }, resolve))
  t.after(() => taken.close())
  const address = `127.0.0.1:${(taken.address() as { port: number }).port}`
  const directory = mkdtempSync(join(tmpdir(), 'orla-supervisor-'))
  t.after(() => rmSync(directory, { recursive: true }))
  for (const config of [{ edge: { listen: address } }, { control: { listen: address } }]) {
    await assert.rejects(startTestNode(t, config, { directory }), (error: unknown) => {
      assert.ok(error instanceof EdgeError)
      assert.equal(error.code, 'port-in-use')
      assert.match(error.message, new RegExp(`${address} is taken by pid ${process.pid} `))
      return true
    })
  }
  // The lock of the data directory is free again.
  await startTestNode(t, {}, { directory })
  // The words of the epoch, of key/value data and of what workers have, of the node that runs.
  assert.equal(words() - before, 3)
})

test('a data directory in use is an error that says by whom', async (t) => {
  const node = await startTestNode(t)
  await assert.rejects(startTestNode(t, {}, { directory: node.directory }), {
    code: 'data-in-use',
    message: new RegExp(`is used by process ${process.pid} `),
  })
})

test('a worker that cannot start ends the start with its reason', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'orla-supervisor-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const workerEntry = new URL('testing/failing-worker.ts', import.meta.url).pathname
  await assert.rejects(startTestNode(t, {}, { directory, workerEntry }), {
    code: 'worker-failed',
    message: 'the certificate is missing',
  })
})
