/** What control planes do that share an engine, one story at a time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryLog } from './shared-log.support.ts'
import { Node, settled, World } from './simulation.support.ts'

import { put, increment, get, BUCKET, within } from './stand.support.ts'

test('a strong read asks the engine: it sees what another control plane has just written', async (t) => {
  const world = new World(3)
  world.isFaulty = false
  const logs = new Map<number, MemoryLog>()
  // Nobody is told of changes, so a control plane knows what it asks for.
  class Quiet extends MemoryLog {
    override watch(): () => void {
      return () => {}
    }
  }
  const logOf = (bucket: number) => {
    const name = `log-${bucket}`
    const log = logs.get(bucket) ?? new Quiet({ name, delay: async () => {}, isLost: () => false })
    logs.set(bucket, log)
    return log
  }
  const role = { kind: 'shared', log: logOf, onProblem: (error: Error) => assert.fail(error) } as const
  const [one, two] = [new Node(world, 'one', () => role), new Node(world, 'two', () => role)]
  t.after(() => {
    one.close()
    two.close()
    world.close()
  })
  await world.run(100)
  assert.deepEqual(await within(world, 100, one.strong(put('a', 'new'))), { value: 0 })
  assert.equal(two.get('a'), undefined)
  assert.deepEqual(await within(world, 100, two.strong(get('a'))), { value: 1, bytes: Buffer.from('new') })
  assert.equal(two.get('a'), 'new', 'and has it from then on')
  // An exact counter goes on where the other one left it, and nothing is lost to who comes second.
  const adds = [one, two, one, two].map((node) => node.strong(increment('n')))
  const counts = await within(world, 500, Promise.all(adds))
  assert.ok(counts !== 'still waits')
  assert.deepEqual(counts.map((count) => ('value' in count ? count.value : count)).toSorted(), [1, 2, 3, 4])
  one.do(put('short', 'x', 50))
  await world.run(100)
  for (const node of [one, two]) node.keeper.sweep()
  await world.run(100)
  const { entries } = await logOf(BUCKET).snapshot()
  assert.deepEqual([...entries.keys()].filter((key) => !key.startsWith('!')).toSorted(), ['u/a', 'u/n'])
})

test('a control plane that goes to an empty engine brings what it had, and puts back what an engine has lost', async (t) => {
  const world = new World(4)
  world.isFaulty = false
  const options = { delay: async () => {}, isLost: () => false }
  const logs = Array.from({ length: 16 }, (_, bucket) => new MemoryLog({ ...options, name: `log-${bucket}` }))
  const told: string[] = []
  const onProblem = ({ message }: Error) => void told.push(message)
  const role = { kind: 'shared', log: (bucket: number) => logs[bucket]!, onProblem } as const
  const before = new Node(world, 'one', () => ({ kind: 'authority' }))
  before.do(put('a', '1'))
  before.keeper.feed!.positions()
  before.close()
  const one = new Node(world, 'one', () => role)
  await world.run(100)
  const two = new Node(world, 'two', () => role)
  t.after(() => {
    one.close()
    two.close()
    world.close()
  })
  await settled(world, [one, two])
  assert.deepEqual(two.all(), { 'u/a': '1' })
  for (const value of ['2', '3', '4']) await within(world, 100, one.strong(put('a', value)))
  logs[BUCKET]!.lose(4)
  one.restart()
  await settled(world, [one, two])
  assert.deepEqual(one.all(), { 'u/a': '4' })
  assert.deepEqual(told.length, 1)
  assert.match(told[0]!, /^the log of bucket \d+ had lost 4 entries after \d+: they were put back$/)
  assert.equal((await logs[BUCKET]!.snapshot()).entries.get('u/a'), '0t4')
})

test('a control plane that has not reached its engine yet tells edges nothing, and takes nothing from them', async (t) => {
  const world = new World(5)
  const delay = async () => {}
  let isAway = true
  const log = (bucket: number) => new MemoryLog({ name: `log-${bucket}`, delay, isLost: () => isAway })
  const role = { kind: 'shared', log, onProblem: () => {} } as const
  const plane = new Node(world, 'plane', () => role)
  t.after(() => {
    plane.close()
    world.close()
  })
  await world.run(100)
  const { feed } = plane.keeper
  assert.deepEqual(feed!.entriesAfter(BUCKET, { log: 'known', id: 7, hash: 'x' }, 10), [])
  assert.throws(() => feed!.snapshot(BUCKET), { code: 'kv-unavailable' })
  isAway = false
  await world.run(2000)
  assert.equal(feed!.entriesAfter(BUCKET, { log: 'known', id: 7, hash: 'x' }, 10), 'reset')
})
