/** Another program takes over from the one that runs: under load, with a failure at each step, and by whoever is left when one is killed. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { UpgradeResult } from '../../src/control/shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

/** A run that wrote is not run again: a unit has all the CPU and time that it may have, so that none is cut off. */
const LIMITS = 'limits: { cpuMs: 1000, wallMs: 60000 }'
const COUNTER = `export default {
  paths: ['/count'], ${LIMITS},
  async content(_, edge) { return new Response(String(await edge.kv.increment('n'))) },
}`
const SLOW = `export default {
  paths: ['/slow'], ${LIMITS},
  async content(_, edge) {
    await new Promise((resolve) => setTimeout(resolve, 700))
    return new Response('done ' + await edge.kv.increment('slow'))
  },
}`

const NEW = `export default { limits: { cpuMs: 1000 }, content: () => new Response('new') }`

async function start(t: TestContext, units: Readonly<Record<string, string>> = { counter: COUNTER }) {
  const origin = await startOrigin(t)
  // What is under way when the one before is to end has minutes, on a machine that stands still as well.
  const edge = { workers: 2, limits: { ...PATIENT, drain: '4m' } }
  const config: ConfigInput = { sites: [{ origin: origin.url }], edge }
  const started: { node?: TestNode } = {}
  // Whoever serves in the end is no child of this test. Before its folder is removed: hooks run in the order in which they were added.
  t.after(async () => {
    const { node } = started
    const pid = node && holder(node)
    if (pid !== undefined && pid !== node?.pid) await end(pid)
  })
  started.node = await startNode(t, { config, units })
  return started.node
}

/** Who has the data directory. */
function holder({ folder }: TestNode): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(folder, 'data/orla.pid'), 'utf8'), 10)
  } catch {
    return undefined
  }
}

/** One that has ended and that nobody waited for is not: whose parent has ended belongs to whatever is process 1 here. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

async function end(pid: number): Promise<void> {
  if (isAlive(pid)) process.kill(pid, 'SIGTERM')
  await eventually(() => !isAlive(pid)).catch(() => process.kill(pid, 'SIGKILL'))
}

/** A request on a connection of its own. Rejects where it is refused, reset or cut. */
function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent: false, headers: { connection: 'close' } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (piece: string) => (text += piece))
      answer.on('end', () => {
        if (answer.statusCode === 200 && answer.complete) resolve(text)
        else reject(new Error(`${answer.statusCode} ${text}`))
      })
      answer.on('error', reject)
    })
    call.on('error', reject)
    call.end()
  })
}

/** New connections without end, some at a time, until it is stopped; resolves to what came. With pauses: the program that starts needs CPU. */
function load(url: string, atOnce: number) {
  let isStopped = false
  const answers: string[] = []
  const failures: string[] = []
  const one = async () => {
    while (!isStopped) {
      await get(url).then(
        (text) => answers.push(text),
        (error: Error) => failures.push(error.message),
      )
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const all = Promise.all(Array.from({ length: atOnce }, one))
  return {
    answers,
    async stop() {
      isStopped = true
      await all
      return { answers, failures }
    },
  }
}

async function upgrade(node: TestNode): Promise<UpgradeResult> {
  const { code, stdout, stderr } = await node.orla('upgrade', '--json')
  assert.equal(code, 0, stderr + node.stderr())
  return JSON.parse(stdout) as UpgradeResult
}

test('another program takes over under load: no connection is refused, and nothing is lost', async (t) => {
  const node = await start(t, { counter: COUNTER, slow: SLOW })
  const running = load(`${node.url}/count`, 8)
  await eventually(() => running.answers.length > 50)
  const slow = get(`${node.url}/slow`)
  const result = await upgrade(node)
  assert.equal(result.before, node.pid)
  assert.equal(holder(node), result.pid)
  assert.match(await slow, /^done 1$/, 'what was in progress is finished, and its write is not lost')
  const soFar = running.answers.length
  await eventually(() => !isAlive(node.pid))
  await eventually(() => running.answers.length > soFar + 50)
  const { answers, failures } = await running.stop()
  assert.deepEqual(failures, [])
  const counts = answers.map(Number).toSorted((a, b) => a - b)
  assert.deepEqual(
    counts,
    [...counts.keys()].map((index) => index + 1),
    'each write was done once',
  )

  const { version } = await node.deploy('counter', NEW)
  assert.equal(version, 2, 'the new program has the store')
  assert.equal(await get(`${node.url}/`), 'new')

  const again = await upgrade(node)
  assert.equal(again.before, result.pid)
  assert.equal(await get(`${node.url}/`), 'new')
  await eventually(() => !isAlive(result.pid))
})

test('SIGUSR2 does it too, and the whole configuration is read anew', async (t) => {
  const node = await start(t)
  const path = join(node.folder, 'orla.config.json')
  const config = JSON.parse(readFileSync(path, 'utf8')) as { edge: Record<string, unknown> }
  config.edge = { ...config.edge, workers: 1, listen: ['127.0.0.1:0', '127.0.0.1:0'] }
  writeFileSync(path, JSON.stringify(config))
  await eventually(() => /not reloaded/.test(node.stderr()))
  const running = load(`${node.url}/count`, 4)
  node.kill('SIGUSR2')
  await eventually(() => !isAlive(node.pid))
  const { failures } = await running.stop()
  assert.deepEqual(failures, [])
  const { text } = await node.api('GET', '/v1/edges')
  const [edge] = JSON.parse(text) as [{ workers: unknown[] }]
  assert.equal(edge.workers.length, 1)
})

test('a program that cannot start leaves the one that runs as it was', async (t) => {
  const node = await start(t)
  const path = join(node.folder, 'orla.config.json')
  writeFileSync(path, '{ "edge": { "workrs": 3 } }')
  const { code, stderr } = await node.orla('upgrade')
  assert.equal(code, 1)
  assert.match(stderr, /did not start: .*workrs/s)
  assert.match(stderr, /the one that ran before goes on/)
  assert.equal(holder(node), node.pid)
  assert.equal((await node.deploy('other', 'export default { access() {} }')).version, 1)
  assert.equal(await get(`${node.url}/count`), '1')
})

test('of two upgrades at once one is told that the other is under way, or comes after it', async (t) => {
  const node = await start(t)
  const [first, second] = await Promise.all([node.orla('upgrade', '--json'), node.orla('upgrade', '--json')])
  const [good, bad] = first.code === 0 ? [first, second] : [second, first]
  assert.equal(good.code, 0, good.stderr)
  // The second one met the first, or came when that was done.
  if (bad.code !== 0) assert.match(bad.stderr, /under way|taken over already/)
})

/** The process that is to take over, from the moment it is there. */
async function newcomer(node: TestNode): Promise<number> {
  return eventually(() => starting(node.pid)[0])
}

/** Children of the process that run the command as well. */
const starting = (parent: number) => childrenOf(parent, /main\.ts\0start/)

/** Its own, and not those of a program that it started. */
const workersOf = (parent: number) => childrenOf(parent, /^orla worker/)

function childrenOf(parent: number, command: RegExp): number[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ')
  return children.filter((pid) => pid !== '' && command.test(commandOf(pid))).map(Number)
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

for (const [moment, isThen] of [
  ['while the new program prepares', () => true],
  ['when the new program has the store', (node: TestNode, pid: number) => holder(node) === pid],
] as const) {
  test(`${moment}, that is killed: the one before goes on`, async (t) => {
    const node = await start(t)
    const running = load(`${node.url}/count`, 4)
    const command = node.orla('upgrade')
    const pid = await newcomer(node)
    await eventually(() => isThen(node, pid) || !isAlive(node.pid))
    process.kill(pid, 'SIGKILL')
    const { code, stderr } = await command
    assert.equal(code, 1)
    assert.match(stderr, /the new program ended: SIGKILL\n.*the one that ran before goes on/s)
    assert.equal(holder(node), node.pid)
    assert.equal((await node.deploy('other', 'export default { access() {} }')).version, 1)
    const soFar = running.answers.length
    await eventually(() => running.answers.length > soFar + 20)
    const { answers, failures } = await running.stop()
    assert.deepEqual(failures, [])
    const counts = answers.map(Number).toSorted((a, b) => a - b)
    assert.deepEqual(
      counts,
      [...counts.keys()].map((index) => index + 1),
    )
    assert.ok(await upgrade(node), 'the next one may come')
  })

  test(`${moment}, the one before is killed: the new one serves all the same`, async (t) => {
    const node = await start(t)
    node.kill('SIGUSR2')
    const pid = await newcomer(node)
    await eventually(() => isThen(node, pid))
    const before = [node.pid, ...workersOf(node.pid)]
    node.kill('SIGKILL')
    // A worker that has not noticed yet would take the connection along.
    await eventually(() => !before.some(isAlive) && holder(node) === pid)
    // The sockets were never closed: a connection waits until somebody accepts it.
    assert.match(await get(`${node.url}/count`), /^\d+$/)
    await eventually(async () => (await node.api('GET', '/readyz')).status === 200)
    assert.equal((await node.deploy('other', 'export default { access() {} }')).version, 1)
  })
}
