/** Another program takes over from the one that runs: under load, told by a command or a signal, and where it cannot. For `kill -9` see `faults/handover.test.ts`. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, type RequestListener } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import type { UpgradeResult } from '../../src/control/shapes.ts'
import { eventually } from '../harness/eventually.ts'
import type { TestNode } from '../harness/node.ts'
import { processesBelow } from '../harness/processes.ts'
import {
  COUNTER,
  get,
  holder,
  holdingOrigin,
  isAlive,
  LIMITS,
  load,
  startTakeover,
} from '../harness/takeover.ts'

const SLOW = `export default {
  paths: ['/slow'], ${LIMITS},
  async content(_, edge) {
    await new Promise((resolve) => setTimeout(resolve, 700))
    return new Response('done ' + await edge.kv.increment('slow'))
  },
}`

const NEW = `export default { limits: { cpuMs: 1000 }, content: () => new Response('new') }`

async function upgrade(node: TestNode): Promise<UpgradeResult> {
  const { code, stdout, stderr } = await node.orla('upgrade', '--json')
  assert.equal(code, 0, stderr + node.stderr())
  return JSON.parse(stdout) as UpgradeResult
}

test('another program takes over under load: no connection is refused, and nothing is lost', async (t) => {
  const node = await startTakeover(t, { counter: COUNTER, slow: SLOW })
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
  const node = await startTakeover(t)
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

test('a program that is told to end while the one before drains waits for that', async (t) => {
  const origin = holdingOrigin()
  const node = await startTakeover(t, {}, origin.handler)
  const held = get(`${node.url}/held`)
  await eventually(origin.isAsked)
  const { pid } = await upgrade(node)
  process.kill(pid, 'SIGTERM')
  await eventually(() => processesBelow(pid).workers.length === 0)
  // As long as a command takes, which is more than it needs to end.
  await node.orla('version')
  assert.ok(isAlive(pid), 'a service manager would kill the one before now')
  origin.answer('to its end')
  assert.equal(await held, 'to its end')
  assert.deepEqual(await node.ended, { code: 0, signal: null })
  await eventually(() => !isAlive(pid))
})

test('what the new program purges is purged for connections that the one before still has', async (t) => {
  let version = 1
  const answer: RequestListener = (_, response) => {
    response.setHeader('cache-control', 'max-age=600')
    response.end(`version ${version}`)
  }
  const node = await startTakeover(t, {}, answer, { cache: {} })
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const answers = async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => node.request('/page', { agent })))
    return new Set(all.map(({ text }) => text))
  }
  assert.deepEqual(await answers(), new Set(['version 1']))
  const { before } = await upgrade(node)
  version = 2
  const { status, text } = await node.api('POST', '/v1/purge', { everything: true })
  assert.equal(status, 200, text)
  assert.ok(isAlive(before), 'it has connections that may bring one more request')
  assert.deepEqual(await answers(), new Set(['version 2']))
  await eventually(() => !isAlive(before))
  version = 3
  assert.equal((await node.api('POST', '/v1/purge', { everything: true })).status, 200)
  assert.deepEqual(await answers(), new Set(['version 3']))
})

test('whom the new program bans is kept out by the one before, too', async (t) => {
  const origin = holdingOrigin()
  const node = await startTakeover(t, {}, origin.handler, {}, { trustedProxies: ['127.0.0.1'] })
  const heldFor = (address: string) =>
    node.request('/held', { headers: { 'x-forwarded-for': address } }).then(
      ({ text }) => text,
      () => 'cut',
    )
  const [held, other] = [heldFor('192.0.2.7'), heldFor('192.0.2.8')]
  await eventually(() => origin.count() === 2)
  const { before } = await upgrade(node)
  const { code, stderr } = await node.orla('ban', '192.0.2.7')
  assert.equal(code, 0, stderr)
  assert.equal(await held, 'cut')
  assert.ok(isAlive(before), 'it has another request to answer')
  origin.answer('to its end')
  assert.equal(await other, 'to its end')
  await eventually(() => !isAlive(before))
  assert.equal((await node.orla('unban', '--all')).code, 0)
})

test('a program that cannot start leaves the one that runs as it was', async (t) => {
  const node = await startTakeover(t)
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
  const node = await startTakeover(t)
  const [first, second] = await Promise.all([node.orla('upgrade', '--json'), node.orla('upgrade', '--json')])
  const [good, bad] = first.code === 0 ? [first, second] : [second, first]
  assert.equal(good.code, 0, good.stderr)
  // The second one met the first, or came when that was done.
  if (bad.code !== 0) assert.match(bad.stderr, /under way|taken over already/)
})
