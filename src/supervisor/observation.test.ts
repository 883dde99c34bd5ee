import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { eventually, startTestNode, type TestNode } from './testing/test-node.ts'

/** The value of each series, by name and labels. */
async function metrics(node: TestNode): Promise<Record<string, number>> {
  const { status, body } = await node.call('GET', '/metrics', undefined, {})
  assert.equal(status, 200)
  const lines = String(body['text'])
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}

test('metrics tell of changes, units, workers and processes, without a token on this machine', async (t) => {
  const began = Date.now() / 1000
  const node = await startTestNode(t)
  await node.deploy('a')
  await node.deploy('b', 'type-error')
  await node.call('POST', '/v1/units/a/disable')
  const seen = await metrics(node)
  assert.equal(seen['orla_changes_total{result="ok"}'], 2)
  assert.equal(seen['orla_changes_total{result="failed"}'], 1)
  assert.equal(seen['orla_change_duration_seconds_count'], 3)
  assert.equal(seen['orla_units{state="disabled"}'], 1)
  assert.equal(seen['orla_workers_ready'], 2)
  assert.equal(seen['orla_processes{role="worker"}'], 2)
  assert.ok(seen['orla_process_resident_bytes{role="worker"}']! > 20e6)
  assert.ok(seen['orla_process_cpu_seconds_total{role="supervisor"}']! > 0)
  const aMinute = 60
  const startedAt = seen['orla_process_start_time_seconds{role="worker"}']!
  assert.ok(startedAt > began - aMinute && startedAt < Date.now() / 1000 + aMinute, String(startedAt))
  assert.equal(seen['orla_epoch'], seen['orla_store_position'])
})

test('totals of workers do not go back when one of them dies', async (t) => {
  const node = await startTestNode(t)
  await metrics(node)
  const before = await metrics(node)
  const [first] = await node.everyWorker()
  process.kill(first!.pid, 'SIGKILL')
  await eventually(
    () => metrics(node),
    (seen) => seen['orla_worker_restarts_total{worker="0"}'] === 1,
  )
  const after = await metrics(node)
  assert.ok(after['fake_scrapes_total']! > before['fake_scrapes_total']!)
  assert.ok(
    after['orla_process_cpu_seconds_total{role="worker"}']! >=
      before['orla_process_cpu_seconds_total{role="worker"}']!,
  )
})

test('a scrape waits half a second for a worker that hangs, and shows it as it was', async (t) => {
  const node = await startTestNode(t)
  const before = await metrics(node)
  const [first] = await node.everyWorker()
  process.kill(first!.pid, 'SIGSTOP')
  await metrics(node)
  // Whoever waited for its answer would have waited until it is ended, for its silence.
  assert.doesNotMatch(node.log.join('\n'), /worker 0/)
  await eventually(
    () => metrics(node),
    (seen) => seen['fake_scrapes_total']! > (before['fake_scrapes_total'] ?? 0),
  )
})

/** Server-sent events as they come. */
async function listen(t: TestContext, node: TestNode, path: string) {
  const controller = new AbortController()
  t.after(() => controller.abort())
  const response = await fetch(`http://${node.supervisor.controlAddress}${path}`, {
    headers: { authorization: 'Bearer token' },
    signal: controller.signal,
  })
  const events: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const read = async () => {
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      events.push(...text.split('\n\n').filter((event) => event !== ''))
      resolve()
    }
  }
  read().catch(() => undefined)
  await promise
  return { events, leave: () => controller.abort() }
}

test('the tail shows what units log while somebody listens, and failures with what was dropped', async (t) => {
  const node = await startTestNode(t)
  const all = await listen(t, node, '/v1/tail')
  const other = await listen(t, node, '/v1/tail?unit=other')
  await eventually(
    () => node.everyWorker(),
    (workers) => workers.every(({ isTailing }) => isTailing),
  )
  await node.edge('/say/hello')
  await node.edge('/fail/oh')
  await eventually(
    () => all.events.length,
    (count) => count >= 4,
  )
  const [listening, said, failed, dropped] = all.events
  assert.equal(listening, ': listening')
  assert.match(said!, /^event: line\ndata: \{.*"message":"\/say\/hello"/)
  assert.match(failed!, /^event: line\ndata: \{.*"reason":"throw"/)
  assert.equal(dropped, 'event: dropped\ndata: {"count":3}')
  assert.deepEqual(
    other.events.filter((event) => event.startsWith('event: line')),
    [],
  )

  all.leave()
  other.leave()
  await eventually(
    () => node.everyWorker(),
    (workers) => workers.every(({ isTailing }) => !isTailing),
  )
})

test('the last failures of a unit are kept for whoever looks later', async (t) => {
  const node = await startTestNode(t)
  await node.deploy('speaker')
  for (let i = 0; i < 25; i += 1) await node.edge(`/fail/${i}`)
  const { body } = await eventually(
    () => node.call('GET', '/v1/units/speaker'),
    (answer) => JSON.stringify(answer.body).includes('/fail/24'),
  )
  const errors = body['errors'] as { message: string }[]
  assert.deepEqual(errors.map(({ message }) => message).at(0), '/fail/5')
  assert.equal(errors.length, 20)
})

test('edges tells what this node runs and how far it has read', async (t) => {
  const node = await startTestNode(t, { node: { name: 'gru1', groups: ['sa-east'] } })
  const { body: change } = await node.deploy('a')
  const { body } = await node.call('GET', '/v1/edges')
  const [edge, ...others] = body as unknown as Record<string, unknown>[]
  assert.equal(others.length, 0)
  assert.equal(edge!['name'], 'gru1')
  assert.deepEqual(edge!['groups'], ['sa-east'])
  assert.equal(edge!['epoch'], change['epoch'])
  assert.equal((edge!['position'] as { id: number }).id, change['epoch'])
  assert.deepEqual(edge!['addresses'], node.supervisor.addresses)
  assert.deepEqual(
    (edge!['workers'] as { worker: number; state: string }[]).map(({ worker, state }) => [worker, state]),
    [
      [0, 'ready'],
      [1, 'ready'],
    ],
  )
  assert.equal((await node.edge()).node, 'gru1')
})

test('a node is ready when all workers are, and not while one is missing', async (t) => {
  const node = await startTestNode(t)
  assert.deepEqual((await node.call('GET', '/readyz')).body, { ready: true, problems: [] })
  const [first] = await node.everyWorker()
  process.kill(first!.pid, 'SIGKILL')
  const { body } = await eventually(
    () => node.call('GET', '/readyz'),
    ({ status }) => status === 503,
  )
  assert.deepEqual(body, { ready: false, problems: ['1 of 2 workers are not ready'] })
})

test('the log and the snapshot are given out, the hashes in a chain', async (t) => {
  const node = await startTestNode(t)
  await node.deploy('a')
  const entries = (await node.call('GET', '/v1/log')).body as unknown as {
    id: number
    key: string
    hash: string
  }[]
  assert.deepEqual(
    entries.map(({ id, key }) => [id, key]),
    [
      [1, 'unit-version/a/1'],
      [2, 'unit/a'],
    ],
  )
  const rest = (await node.call('GET', '/v1/log?from=2')).body as unknown as { id: number }[]
  assert.deepEqual(
    rest.map(({ id }) => id),
    [2],
  )
  const { body } = await node.call('GET', '/v1/snapshot')
  assert.deepEqual(Object.keys(body['entries'] as object).toSorted(), ['unit-version/a/1', 'unit/a'])
  assert.equal((body['position'] as { hash: string }).hash, entries[1]!.hash)
})
