/**
 * `kill -9` in the middle of a handover, of the program that runs, of the one that takes over, or of both. Whoever is left serves, or nobody;
 * what was acknowledged is there, nothing that the dead had started runs on, and the data and the ports are free or used.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import {
  COUNTER,
  get,
  holder,
  holdingOrigin,
  household,
  isAlive,
  load,
  newcomer,
  startTakeover,
} from '../harness/takeover.ts'

type Program = 'old' | 'new'

const MOMENTS = {
  'while the new program prepares': () => true,
  'when the new program has the store': (node: TestNode, pid: number) => holder(node) === pid,
  'when the new program serves and the one before drains': (node: TestNode) =>
    node.stderr().includes('has taken over'),
} as const

for (const [moment, killed, left] of [
  ['while the new program prepares', ['new'], 'old'],
  ['while the new program prepares', ['old'], 'new'],
  ['when the new program has the store', ['new'], 'old'],
  ['when the new program has the store', ['old'], 'new'],
  ['when the new program has the store', ['old', 'new'], 'nobody'],
  ['when the new program serves and the one before drains', ['old'], 'new'],
  ['when the new program serves and the one before drains', ['new'], 'nobody'],
] as const satisfies readonly (readonly [keyof typeof MOMENTS, readonly Program[], Program | 'nobody'])[]) {
  test(`${moment}, ${killed.join(' and ')} killed: ${left} serves`, async (t) => {
    const origin = holdingOrigin()
    const node = await startTakeover(t, { counter: COUNTER }, origin.handler)
    const running = load(`${node.url}/count`, 4)
    await eventually(() => running.answers.length > 20)
    const held = get(`${node.url}/held`)
    held.catch(() => undefined)
    await eventually(origin.isAsked)
    const command = node.orla('upgrade')
    const pid = await newcomer(node)
    await eventually(() => MOMENTS[moment](node, pid))

    const programs = { old: node.pid, new: pid }
    const households = { old: household(node.pid, pid), new: household(pid) }
    for (const program of killed) process.kill(programs[program], 'SIGKILL')
    const dead = killed.flatMap((program) => households[program])
    await eventually(() => !dead.some(isAlive), { what: 'what the dead had started runs on' })
    const { code, stderr } = await command
    origin.answer('to its end')
    if (left === 'old') {
      assert.equal(code, 1)
      assert.match(stderr, /the new program ended: SIGKILL\n.*the one that ran before goes on/s)
      assert.equal(await held, 'to its end')
    }

    if (left === 'nobody') return startsAgain(t, node, running, [...households.old, ...households.new])
    await servesOn(node, programs[left], running)
    // No client has noticed that somebody wanted to take over.
    if (left === 'old') assert.deepEqual((await running.stop()).failures, [])
    await running.stop()
    const all = [...households.old, ...households.new]
    await eventually(() => !all.some(isAlive), { what: 'something runs on after the next upgrade' })
  })
}

type Load = ReturnType<typeof load>

async function servesOn(node: TestNode, pid: number, running: Load): Promise<void> {
  await eventually(() => holder(node) === pid)
  // The sockets were never closed: a connection waits until somebody accepts it.
  const soFar = running.answers.length
  await eventually(() => running.answers.length > soFar + 20)
  await eventually(async () => (await node.api('GET', '/readyz')).status === 200)
  assert.equal((await node.deploy('other', 'export default { access() {} }')).version, 1)
  await assertNothingLost(node.url, running)
  const { code, stderr } = await node.orla('upgrade')
  assert.equal(code, 0, stderr)
}

/** The next start finds free ports and a free folder, and all that was acknowledged in it. */
async function startsAgain(
  t: TestContext,
  node: TestNode,
  running: Load,
  all: readonly number[],
): Promise<void> {
  await eventually(() => !all.some(isAlive), { what: 'something runs on' })
  await running.stop()
  const { host } = new URL(node.url)
  const again = await startNode(t, { folder: node.folder, config: { edge: { listen: host } } })
  await assertNothingLost(again.url, running)
  assert.equal((await again.deploy('counter', COUNTER)).version, 2)
  await again.stop()
}

async function assertNothingLost(url: string, { answers }: Load): Promise<void> {
  const told = answers.map(Number)
  assert.equal(new Set(told).size, told.length, 'a number was given twice')
  assert.ok(Number(await get(`${url}/count`)) > Math.max(...told), 'a number that was told was lost')
}
