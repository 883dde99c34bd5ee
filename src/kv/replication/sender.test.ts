/** How changes of a node go up where not all of it works. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import type { KvOperation } from '../../contract/kv.ts'
import type { KvUplink } from '../../contract/kv-replication.ts'
import type { KvRole } from '../keeper.ts'
import { bucketOf } from './encoding.ts'
import { MemoryLog } from './shared-log.support.ts'
import { Node, World } from './simulation.support.ts'

const increment = (namespace: string, by = 1): KvOperation => ({
  op: 'increment',
  namespace,
  key: 'n',
  by,
  ttlMs: 0,
})

function worldOf(t: TestContext, role: KvRole) {
  const world = new World(11)
  world.isFaulty = false
  const node = new Node(world, 'node', () => role)
  t.after(() => {
    node.close()
    world.close()
  })
  return { world, node }
}

test('where the log of one bucket does not answer, changes of the others go on, and what waited is done once it does', async (t) => {
  let isDown = true
  const [u, v] = ['u', 'v'].map(bucketOf)
  assert.notEqual(u, v)
  const logs = Array.from(
    { length: 16 },
    (_, bucket) =>
      new MemoryLog({
        name: `log-${bucket}`,
        // As an engine that tries until its time is over.
        delay: () =>
          bucket === v && isDown ? new Promise((resolve) => world.after(1000, resolve)) : Promise.resolve(),
        isLost: () => bucket === v && isDown,
      }),
  )
  const { world, node } = worldOf(t, {
    kind: 'shared',
    log: (bucket) => logs[bucket]!,
    onProblem: () => {},
  })
  const countOf = async (bucket: number, namespace: string) =>
    (await logs[bucket]!.snapshot()).entries.get(`${namespace}/n`)
  node.do(increment('v'))
  await world.run(3000)
  assert.match(node.keeper.problem ?? '', /was lost/)
  for (let i = 1; i <= 5; i++) {
    node.do(increment('u'))
    node.do(increment('v'))
    await world.run(50)
    assert.equal(await countOf(u!, 'u'), `0t${i}`, 'within moments, each time')
  }
  let exact: unknown
  void node.strong(increment('u')).then((result) => (exact = result))
  await world.run(50)
  assert.deepEqual(exact, { value: 6 })
  isDown = false
  await world.run(10_000)
  assert.equal(await countOf(v!, 'v'), '0t6')
  assert.equal(node.keeper.problem, undefined)
  assert.equal(node.keeper.counts()['outbox'], 0)
})

test('a row of the outbox that cannot be read is told as a problem, and takes nothing down', async (t) => {
  const uplink: KvUplink = { send: async () => assert.fail('nothing can be sent') }
  const { world, node } = worldOf(t, { kind: 'edge', uplink })
  node.do(increment('u'))
  node.close()
  const db = new DatabaseSync(node.path)
  db.exec(`UPDATE outbox SET step = ${2n ** 54n}`)
  db.close()
  node.restart()
  await world.run(1000)
  assert.match(node.keeper.problem ?? '', /too large/)
})
