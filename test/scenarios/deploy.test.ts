/** Changes of units on a whole node: what clients see while they happen, and what is left when processes are killed. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode, WITH_TIME } from '../harness/node.ts'

const TWO_WORKERS = { config: { edge: { workers: 2 } } }

const numbered = (n: number) => `export default { content: () => new Response("${n}") }`

/** Asks without a pause, on new connections, from several clients at once, until it is stopped. */
function askSteadily(node: TestNode, clients: number) {
  const seen: string[] = []
  const failures: Error[] = []
  const stopping = new AbortController()
  const client = async () => {
    while (!stopping.signal.aborted) {
      await node.request('/').then(
        ({ text }) => seen.push(text),
        (error: Error) => failures.push(error),
      )
    }
  }
  const running = Promise.all(Array.from({ length: clients }, client))
  return {
    seen,
    failures,
    async stop() {
      stopping.abort()
      await running
    },
  }
}

test('no client sees an older version after a newer one, and no request fails while versions change', async (t) => {
  const node = await startNode(t, { ...TWO_WORKERS, units: { counter: numbered(0) } })
  const clients = askSteadily(node, 1)
  for (let n = 1; n <= 20; n += 1) {
    const { live } = await node.deploy('counter', numbered(n))
    assert.deepEqual(live, { workers: 2, of: 2 })
    assert.equal((await node.request('/')).text, String(n), 'live means live')
  }
  await clients.stop()
  assert.deepEqual(clients.failures, [])
  const versions = clients.seen.map(Number)
  assert.deepEqual(
    versions,
    versions.toSorted((a, b) => a - b),
  )
  assert.ok(new Set(versions).size > 5, `only ${versions.length} requests were answered meanwhile`)
})

test('what does not build, check or load is refused with its place, and what was live stays live', async (t) => {
  const node = await startNode(t, { units: { page: numbered(1) } })
  for (const [what, source, says] of [
    ['a syntax error', 'export default {\n  content( { return 1 }\n}', /page\.ts:2:/],
    [
      'a type error',
      'export default {\n  access(request) {\n    request.nothing()\n  },\n}',
      /page\.ts:3:13: .*nothing/,
    ],
    ['no handler', 'export default { paths: ["/x"] }', /handler/],
    ['an unknown field', 'export default { path: ["/x"], log() {} }', /paths/],
    ['a wrong value', 'export default { sample: 7, log() {} }', /sample/],
    ['a top level that throws', 'throw new Error("oh no")\nexport default { log() {} }', /oh no/],
    ['a top level that loops', 'for (;;) {}\nexport default { log() {} }', /does not run/],
    [
      'too much code',
      `export const x = "${'x'.repeat(1_100_000)}"; export default { x, log() {} }`,
      /at most 1 MB/,
    ],
  ] as const) {
    const answer = await node.api('PUT', '/v1/units/page', { source, ...WITH_TIME })
    assert.equal(answer.status, 422, `${what}: ${answer.text}`)
    const problem = JSON.parse(answer.text) as { detail: string; problems: object[] }
    assert.match(`${problem.detail} ${JSON.stringify(problem.problems)}`, says, what)
    assert.equal((await node.request('/')).text, '1', what)
  }
  assert.equal((await node.deploy('page', numbered(2))).live.workers, 1)
  assert.equal((await node.request('/')).text, '2')
})

/** A folder for a node that is started twice. */
function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'orla-node-'))
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

test('kill -9 of the supervisor in the middle of deploys: all processes end, and what was acknowledged serves after the restart', async (t) => {
  const folder = folderFor(t)
  const node = await startNode(t, { ...TWO_WORKERS, folder })
  await node.deploy('counter', numbered(0))
  const { workers, sandboxes, checkers } = node.processes()
  let acknowledged = 0
  const deploys = (async () => {
    for (let n = 1; ; n += 1) {
      await node.deploy('counter', numbered(n))
      acknowledged = n
    }
  })().catch(() => undefined)
  await eventually(() => acknowledged >= 3)
  node.kill('SIGKILL')
  await deploys
  await node.ended
  await eventually(() => [...workers, ...sandboxes, ...checkers].every((pid) => !isAlive(pid)), {
    what: 'the processes of the killed node did not end',
  })

  const again = await startNode(t, { ...TWO_WORKERS, folder })
  const served = Number((await again.request('/')).text)
  // The one under way when it was killed may have been stored.
  assert.ok(
    served === acknowledged || served === acknowledged + 1,
    `${served} is served, ${acknowledged} was acknowledged`,
  )
  assert.equal((await again.deploy('counter', numbered(1000))).version, served + 2)
})

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('kill -9 of a worker and of the checker: they are replaced, and deploys go on', async (t) => {
  const node = await startNode(t, { ...TWO_WORKERS, units: { counter: numbered(0) } })
  const before = node.processes()
  process.kill(before.workers[0]!, 'SIGKILL')
  process.kill(before.checkers[0]!, 'SIGKILL')
  const { live } = await node.deploy('counter', numbered(1))
  assert.deepEqual(live, { workers: 2, of: 2 })
  const after = await eventually(() => {
    const processes = node.processes()
    return processes.workers.length === 2 && processes.checkers.length === 1 && processes
  })
  assert.ok(!after.workers.includes(before.workers[0]!))
  for (let i = 0; i < 20; i += 1) assert.equal((await node.request('/')).text, '1')
})

test('a worker that hangs is named when the time is up, and the change is live once it goes on', async (t) => {
  const node = await startNode(t, { ...TWO_WORKERS, units: { counter: numbered(0) } })
  const [worker] = node.processes().workers
  process.kill(worker!, 'SIGSTOP')
  const late = await node.api('PUT', '/v1/units/counter', { source: numbered(1), timeoutMs: 3_000 })
  process.kill(worker!, 'SIGCONT')
  assert.equal(late.status, 504, late.text)
  const { laggards } = JSON.parse(late.text) as { laggards: { who: string; reason: string }[] }
  assert.equal(laggards.length, 1)
  assert.match(
    `${laggards[0]!.who}: ${laggards[0]!.reason}`,
    new RegExp(`^(worker \\d: pid ${worker} |control: )`),
  )
  await eventually(async () => (await node.request('/')).text === '1')
})

test('a unit that keeps failing is told as such, and every metric of the node is described', async (t) => {
  const node = await startNode(t, {
    units: { bad: 'export default { content() { throw new Error("always") } }' },
  })
  await eventually(async () => {
    assert.equal((await node.request('/')).status, 503)
    const unit = JSON.parse((await node.api('GET', '/v1/units/bad')).text) as {
      breaker: string
      errors: { reason: string; message: string; where: string }[]
    }
    if (unit.breaker !== 'open') return false
    const [error] = unit.errors
    assert.deepEqual([error!.reason, error!.where], ['throw', 'bad.ts:1:36'])
    assert.match(error!.message, /always/)
    return true
  })
  const { text } = await node.api('GET', '/metrics')
  for (const line of text.split('\n').filter((one) => one.startsWith('# HELP'))) {
    const [, , name, ...words] = line.split(' ')
    assert.notEqual(words.join(' '), name!.replaceAll('_', ' '), `${name} has no description`)
  }
})
