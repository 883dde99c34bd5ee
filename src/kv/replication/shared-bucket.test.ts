/** What an engine may turn out to be, and what of it a control plane takes. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { KvOperation, KvResult } from '../../contract/kv.ts'
import { openKeeper } from '../keeper.ts'
import { bucketOf } from './encoding.ts'
import { MemoryLog } from './shared-log.support.ts'
import { LIMITS, Node, World } from './simulation.support.ts'

const put = (key: string, value: string): KvOperation => ({
  op: 'put',
  namespace: 'u',
  key,
  value: Buffer.from(value),
  ttlMs: 0,
})
const get = (key: string): KvOperation => ({ op: 'get', namespace: 'u', key })
const BUCKET = bucketOf('u')

/** Nobody is told of changes, so a control plane knows what it asks for. */
class QuietLog extends MemoryLog {
  override watch(): () => void {
    return () => {}
  }
}

const logsOf = (name: string) =>
  Array.from(
    { length: 16 },
    (_, bucket) => new QuietLog({ name: `${name}-${bucket}`, delay: async () => {}, isLost: () => false }),
  )

function stand(t: TestContext) {
  const world = new World(5)
  world.isFaulty = false
  const told: string[] = []
  const open: Node[] = []
  t.after(() => {
    for (const node of open) node.close()
    world.close()
  })
  const made = {
    world,
    told,
    /** What the engine is. */
    logs: logsOf('log'),
    node(name: string): Node {
      const onProblem = ({ message }: Error) => void told.push(message)
      const log = (bucket: number) => made.logs[bucket]!
      const node = new Node(world, name, () => ({ kind: 'shared', log, onProblem }))
      open.push(node)
      return node
    },
    async strong(node: Node, operation: KvOperation): Promise<KvResult | undefined> {
      let result: KvResult | undefined
      void node.strong(operation).then((done) => (result = done))
      await world.run(200)
      return result
    },
  }
  return made
}

test('an engine that comes back empty takes no data away, and is told once', async (t) => {
  const made = stand(t)
  const { world, told } = made
  const node = made.node('one')
  await world.run(100)
  await made.strong(node, put('a', '1'))
  made.logs = logsOf('other')
  node.restart()
  await world.run(20_000)
  assert.deepEqual(node.all(), { 'u/a': '1' })
  assert.deepEqual(told, [`the log of bucket ${BUCKET} is empty, and this replica has 2 entries`])
  node.do(put('b', '2'))
  assert.equal(node.get('b'), '2', 'and goes on')
  const before = node.keeper.feed!.position(BUCKET)
  assert.notEqual(before.log, 'other-0')
  assert.deepEqual(node.keeper.feed!.entriesAfter(BUCKET, before, 10), [], 'nor do its edges')
})

test('a node with data of its own refuses an engine that has others’, and neither has changed then', async (t) => {
  const made = stand(t)
  const { world } = made
  const one = made.node('one')
  await world.run(100)
  await made.strong(one, put('a', 'theirs'))
  const alone = new Node(world, 'two', () => ({ kind: 'authority' }))
  alone.do(put('a', 'mine'))
  const before = alone.keeper.feed!.position(BUCKET)
  alone.do(put('b', 'mine'))
  const { hash } = alone.keeper.feed!.position(BUCKET)
  alone.close()
  const two = made.node('two')
  await assert.rejects(two.started, { code: 'store-foreign', message: /data of its own \(such as of u\)/ })
  await world.run(1000)
  assert.deepEqual(two.all(), { 'u/a': 'mine', 'u/b': 'mine' })
  two.close()
  const again = new Node(world, 'two', () => ({ kind: 'authority' }))
  t.after(() => again.close())
  const entries = again.keeper.feed!.entriesAfter(BUCKET, before, 10)
  assert.deepEqual(entries !== 'reset' && entries.map((entry) => entry.hash), [hash], 'with the same log')
  assert.equal((await made.logs[BUCKET]!.snapshot()).entries.get('u/a'), '0ttheirs')
})

test('nothing is written to an engine before a node is told that it is the one of its store', async (t) => {
  const made = stand(t)
  const { world } = made
  const alone = new Node(world, 'one', () => ({ kind: 'authority' }))
  alone.do(put('a', '1'))
  alone.close()
  const { path, words } = alone
  const { clock, after, random } = world
  const log = (bucket: number) => made.logs[bucket]!
  const role = { kind: 'shared', log, onProblem: assert.fail } as const
  const keeper = openKeeper(role, { path, words, clock, after, random, limits: LIMITS })
  t.after(() => keeper.close())
  keeper.apply([put('b', '2')], false)
  await world.run(1000)
  assert.equal((await log(BUCKET).head()).id, 0)
  await keeper.start!()
  await world.run(1000)
  assert.equal((await log(BUCKET).snapshot()).entries.get('u/a'), '0t1')
})

test('a strong read is not answered from a history that the engine has lost', async (t) => {
  const made = stand(t)
  const { world } = made
  const [one, two] = [made.node('one'), made.node('two')]
  await world.run(100)
  await made.strong(one, put('a', 'before'))
  await made.strong(two, get('a'))
  await made.strong(one, put('a', 'lost'))
  // A server that had not everything takes over, and another control plane goes on there: as many entries, and others.
  made.logs[BUCKET]!.lose(2)
  await made.strong(two, put('a', 'kept'))
  assert.equal((await made.logs[BUCKET]!.head()).id, one.keeper.feed!.position(BUCKET).id)
  assert.deepEqual(await made.strong(one, get('a')), { value: 1, bytes: Buffer.from('kept') })
})

test('a large snapshot is taken in parts, and others are served in between', async (t) => {
  const made = stand(t)
  const log = made.logs[BUCKET]!
  const keys = Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? `\u{1f600}${i}` : `\uff00${i}`))
  const there = await log.head()
  const entries = new Map(keys.map((key) => [`u/${key}`, '0tx']))
  await log.replace(there, { position: { ...there, id: 1 }, entries })
  const node = made.node('one')
  const seen = new Set<number>()
  for (let turn = 0; turn < 50; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    seen.add(node.keeper.usage[0]?.keys ?? 0)
  }
  assert.ok(
    [1000, 2000, 3000, 4000].every((count) => seen.has(count)),
    [...seen].join(),
  )
  assert.ok(keys.every((key) => node.get(key) === 'x'))
})
