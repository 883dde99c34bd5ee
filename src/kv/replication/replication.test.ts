/** What key/value data does on several nodes, one story at a time; `simulation.test.ts` has them all at once. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { KvOperation } from '../../contract/kv.ts'
import type { LogEntry } from '../../contract/store.ts'
import type { KvKeeperOptions } from '../keeper.ts'
import { openForReading } from '../file.ts'
import { bucketOf } from './encoding.ts'
import { stateOf } from './feed.ts'
import { feedSources, followedLogs } from './log-ends.ts'
import { MemoryLog } from './shared-log.support.ts'
import { follow, LIMITS, Node, settled, uplinkTo, World } from './simulation.support.ts'

const put = (key: string, value: string | Uint8Array, ttlMs = 0): KvOperation => ({
  op: 'put',
  namespace: 'u',
  key,
  value: Buffer.from(value),
  ttlMs,
})
const increment = (key: string, by = 1): KvOperation => ({
  op: 'increment',
  namespace: 'u',
  key,
  by,
  ttlMs: 0,
})
const get = (key: string): KvOperation => ({ op: 'get', namespace: 'u', key })
const BUCKET = bucketOf('u')

interface Stand {
  readonly world: World
  readonly plane: Node
  readonly edge: Node
  readonly other: Node
  readonly log: LogEntry[]
  /** Of the network between them. */
  isCut: boolean
}

/** A control plane and two edges, over a network that does what it should. */
function stand(
  t: TestContext,
  options: { plane?: Partial<KvKeeperOptions>; edge?: Partial<KvKeeperOptions> } = {},
) {
  const world = new World(7)
  world.isFaulty = false
  const plane = new Node(world, 'plane', () => ({ kind: 'authority' }), options.plane)
  const made: Stand = {
    world,
    plane,
    edge: edgeOf('edge'),
    other: edgeOf('other'),
    log: [],
    isCut: false,
  }
  function edgeOf(name: string): Node {
    const role = (node: Node) => {
      const uplink = uplinkTo(node, () => plane)
      const send: typeof uplink.send = async (batch) => {
        if (made.isCut) throw new Error('no way to the control plane')
        return uplink.send(batch)
      }
      return { kind: 'edge', uplink: { send } } as const
    }
    const edge = new Node(world, name, role, options.edge)
    follow(edge, () => plane)
    return edge
  }
  plane.keeper.feed!.positions()
  plane.keeper.feed!.onAppended((_, entries) => made.log.push(...entries))
  t.after(() => {
    for (const node of [plane, made.edge, made.other]) node.close()
    world.close()
  })
  return made
}

/** The state of a promise, once time has passed. */
async function within<T>(world: World, ms: number, promise: Promise<T>): Promise<T | 'still waits'> {
  let result: T | 'still waits' = 'still waits'
  void promise.then((value) => (result = value))
  await world.run(ms)
  return result
}

test('a stand-alone node has a file as before, with no log; it has one from when somebody follows', async (t) => {
  const world = new World(1)
  const plane = new Node(world, 'plane', () => ({ kind: 'authority' }))
  t.after(() => {
    plane.close()
    world.close()
  })
  const tables = () => {
    const db = openForReading(plane.path)
    const one = (sql: string) => Object.values(db.prepare(sql).get()!)[0]
    const version = one('PRAGMA user_version')
    const logged = one(`SELECT count(*) FROM sqlite_schema WHERE name = 'log_entry'`)
    db.close()
    return { version, logged }
  }
  plane.do(put('a', '1'))
  assert.deepEqual(tables(), { version: 1, logged: 0 })
  const before = plane.keeper.feed!.positions()[BUCKET]!
  plane.do(put('a', '2'))
  assert.deepEqual(tables(), { version: 2, logged: 1 })
  const entries = plane.keeper.feed!.entriesAfter(BUCKET, before, 10)
  assert.deepEqual(entries === 'reset' || entries.map(({ key, value }) => [key, value]), [['u/a', '0t2']])
  plane.restart()
  plane.do(put('a', '3'))
  assert.equal(plane.keeper.feed!.positions()[BUCKET]!.id, 2, 'also after a restart')
})

test('keys and values of every kind come through as they are', async (t) => {
  const { world, plane, edge, other } = stand(t)
  const odd = ['a/b', '!x', '/', 'nul\0nul', 'ã/🙂', ' ', '%2F', '"\\', 't', 'b']
  for (const key of odd) edge.do(put(key, key))
  edge.do(put('bytes', Uint8Array.from([0, 255, 128, 10])))
  edge.do(put('empty', ''))
  await settled(world, [plane, edge, other])
  for (const key of odd) assert.equal(Buffer.from(other.get(key)!, 'latin1').toString(), key)
  assert.equal(other.get('bytes'), '\0\u00ff\u0080\n')
  assert.equal(other.get('empty'), '')
})

test('increments that come together are one entry of the log, and come to the sum everywhere', async (t) => {
  const { world, plane, edge, other, log } = stand(t)
  for (let i = 0; i < 500; i++) edge.do(increment('n'))
  other.do(increment('n', 1000))
  assert.equal(edge.number('n'), 500, 'at once, without asking')
  await settled(world, [plane, edge, other])
  assert.equal(plane.number('n'), 1500)
  assert.equal(log.filter(({ key }) => key === 'u/n').length, 2)
})

test('what is asked strongly is seen here when it is answered, and exact over all nodes', async (t) => {
  const { world, plane, edge, other } = stand(t)
  edge.do(put('a', 'mine'))
  // After what this node did before, which is still on its way.
  const read = await within(world, 1000, edge.strong(get('a')))
  assert.deepEqual(read, { value: 1, bytes: Buffer.from('mine') })
  let seen = -1
  const add = edge.strong(increment('n')).then((result) => {
    seen = edge.number('n')
    return result
  })
  assert.deepEqual(await within(world, 1000, add), { value: 1 })
  assert.equal(seen, 1)
  const cas = (expected: string | null, value: string): KvOperation => ({
    op: 'compareAndSet',
    namespace: 'u',
    key: 'lock',
    expected: expected === null ? null : Buffer.from(expected),
    value: Buffer.from(value),
    ttlMs: 0,
  })
  const both = Promise.all([edge.strong(cas(null, 'edge')), other.strong(cas(null, 'other'))])
  const results = await within(world, 1000, both)
  assert.ok(results !== 'still waits')
  const values = results.map((result) => 'value' in result && result.value)
  assert.deepEqual(values.toSorted(), [0, 1])
  assert.equal(plane.get('lock'), values[0] === 1 ? 'edge' : 'other')
  assert.deepEqual(await within(world, 1000, edge.strong(cas('nobody', 'x'))), { value: 0 })
})

test('in an outage reads and merged writes go on, what is strong is refused in time, and later all is there once', async (t) => {
  const made = stand(t, { edge: { strongTimeoutMs: 800, outboxBytesMax: 2000 } })
  const { world, plane, edge, other } = made
  await settled(world, [plane, edge, other])
  made.isCut = true
  edge.do(increment('n', 3), true)
  const refused = await within(world, 900, edge.strong(increment('n')))
  assert.ok(refused !== 'still waits' && 'code' in refused)
  assert.equal(refused.code, 'kv-unavailable')
  assert.match(refused.message, /no answer of the control plane within 800 ms: no way to the control plane/)
  assert.match(edge.keeper.problem ?? '', /no way/)
  // The outbox has a bound; a counter that waits already grows on.
  edge.do(increment('n'))
  const results = Array.from({ length: 30 }, (_, i) => edge.do(put(`k${i}`, 'x')))
  const full = results.find((result) => 'code' in result)
  assert.ok(full && 'code' in full && full.code === 'kv-outbox')
  assert.match(
    full.message,
    /bytes of changes of u wait for the control plane, and \d+ of all; 2000 are allowed/,
  )
  assert.deepEqual(edge.do(increment('n', 4)), { value: 8 })
  // And it takes no room from others, each of whom leaves some to those after it.
  for (const namespace of ['v', 'w']) {
    assert.deepEqual(edge.do({ ...put('k', 'x'), namespace }), { value: 0 })
    const more = Array.from({ length: 30 }, (_, i) => edge.do({ ...put(`k${i}`, 'x'), namespace }))
    assert.ok(more.some((result) => 'code' in result && result.code === 'kv-outbox'))
  }
  edge.restart()
  assert.equal(edge.number('n'), 8)
  made.isCut = false
  await settled(world, [plane, edge, other])
  assert.equal(plane.number('n'), 8, 'and not the one that was refused')
  assert.equal(edge.keeper.problem, undefined)
})

test('a quota that is full where changes are ordered takes the change back here', async (t) => {
  const { world, plane, edge, other } = stand(t, { plane: { limits: { ...LIMITS, keysMax: 2 } } })
  for (const key of ['a', 'b', 'c']) assert.deepEqual(edge.do(put(key, '1')), { value: 0 })
  assert.equal(edge.get('c'), '1')
  await settled(world, [plane, edge, other])
  assert.equal(edge.get('c'), undefined)
  assert.deepEqual(Object.keys(plane.all()), ['u/a', 'u/b'])
  assert.equal(edge.keeper.counts()['refused'], 1)
  const strong = await within(world, 1000, edge.strong(put('d', '1')))
  assert.ok(strong !== 'still waits' && 'code' in strong && strong.code === 'kv-quota')
  assert.deepEqual(edge.keeper.usage, [{ namespace: 'u', keys: 2, bytes: 4 }])
})

test('a time to live counts by the clock of the control plane, and what is over goes from the log', async (t) => {
  const early = { now: () => 1, monotonic: () => 1 }
  const { world, plane, edge, other, log } = stand(t, { edge: { clock: early } })
  edge.do(put('a', '1', 10_000))
  await settled(world, [plane, edge, other])
  const expiresAt = plane.reader.list('u', '', 10, '').keys[0]!.expiresAt!
  assert.ok(expiresAt > 1_000_000, 'not by the clock of the edge')
  assert.equal(edge.reader.list('u', '', 10, '').keys[0]!.expiresAt, expiresAt)
  await world.run(20_000)
  assert.equal(plane.get('a'), undefined)
  plane.keeper.sweep()
  await settled(world, [plane, edge, other])
  assert.equal(edge.get('a'), undefined)
  assert.deepEqual(log.at(-1) && [log.at(-1)!.operation, log.at(-1)!.key], ['DELETE', 'u/a'])
})

test('a snapshot is of one moment, while others write, and replaces what was there', async (t) => {
  const { world, plane, edge, other } = stand(t, { plane: { keepEntries: 8 } })
  for (let i = 0; i < 900; i++) plane.do(put(`k${i}`, 'x'.repeat(900)))
  const parts = plane.keeper.feed!.snapshot(BUCKET)
  const first = parts.next().value!
  plane.do(put('k0', 'later'))
  plane.do({ op: 'delete', namespace: 'u', key: 'k1' })
  const all = [first, ...parts]
  assert.ok(all.filter(({ kind }) => kind === 'rows').length > 2, 'in parts')
  const { entries, position } = stateOf(all)
  assert.equal(entries.get('u/k0'), `0t${'x'.repeat(900)}`)
  assert.ok(entries.has('u/k1'))
  assert.equal(first.kind === 'begin' && first.position.id, position.id)
  edge.do(put('waits', 'here'))
  for (const part of all) edge.keeper.intake!.load(BUCKET, part)
  assert.deepEqual(edge.keeper.intake!.positions()[BUCKET], position)
  assert.equal(edge.get('waits'), 'here')
  await settled(world, [plane, edge, other])
  assert.equal(edge.get('k1'), undefined)
  assert.equal(other.get('waits'), 'here')
})

test('a snapshot that breaks off is taken anew, and the node follows from there', async (t) => {
  const { world, plane, edge, other } = stand(t)
  for (let i = 0; i < 50; i++) plane.do(put(`k${i}`, 'x'))
  const [begin, ...rest] = plane.keeper.feed!.snapshot(BUCKET)
  edge.keeper.intake!.load(BUCKET, begin!)
  edge.keeper.intake!.load(BUCKET, rest[0]!)
  edge.restart()
  assert.equal(edge.keeper.intake!.positions()[BUCKET]!.log, '')
  await settled(world, [plane, edge, other])
  assert.throws(
    () =>
      edge.keeper.intake!.applyEntries(BUCKET, [
        { id: 99, operation: 'SET', key: 'u/a', value: '0t', at: 1, hash: 'x' },
      ]),
    { code: 'store-diverged' },
  )
})

test('a node that becomes another’s edge takes over what is there, and an edge that becomes its own begins a new log', async (t) => {
  const { world, plane, edge, other } = stand(t)
  plane.do(put('a', '1'))
  edge.do(increment('n'))
  await settled(world, [plane, edge, other])
  edge.close()
  const alone = new Node(world, 'edge', () => ({ kind: 'authority' }))
  assert.deepEqual(alone.all(), { 'u/a': '1', 'u/n': '1' })
  const { log } = alone.keeper.feed!.positions()[BUCKET]!
  assert.notEqual(log, plane.keeper.feed!.positions()[BUCKET]!.log)
  alone.do(put('own', 'x'))
  alone.close()
  edge.restart()
  await settled(world, [plane, edge, other])
  assert.deepEqual(edge.all(), { 'u/a': '1', 'u/n': '1' })
})

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

test('buckets are followed as logs beside the one of units: entries, and a snapshot in pairs', async (t) => {
  const { plane, edge } = stand(t)
  const followed = followedLogs(edge.keeper.intake!)
  const sources = feedSources(plane.keeper.feed!)
  const loadAll = () => {
    for (const source of sources) {
      const log = followed.get(source.log)!
      const { position, entries } = source.snapshot()
      const load = log.load(position)
      const pairs = [...entries]
      for (let i = 0; i < pairs.length; i += 7) load.add(pairs.slice(i, i + 7))
      load.commit()
      assert.deepEqual(log.position(), source.position())
      assert.deepEqual(source.entriesAfter(log.position(), 10), [])
    }
    assert.deepEqual(edge.all(), plane.all())
  }
  const namespaces = ['gone', 'v', 'w', 'x', 'y']
  for (const namespace of namespaces) plane.do({ ...put('k', namespace), namespace })
  for (let i = 0; i < 300; i++) plane.do(put(`k${i}`, `${i}`))
  loadAll()
  plane.do({ op: 'delete', namespace: 'gone', key: 'k' })
  for (const key of ['k0', 'k7', 'k299']) plane.do({ op: 'delete', namespace: 'u', key })
  loadAll()
  plane.do(increment('n', 5))
  for (const source of sources) {
    const log = followed.get(source.log)!
    const entries = source.entriesAfter(log.position(), 10)
    assert.ok(entries !== 'reset')
    log.apply(entries)
  }
  assert.equal(edge.number('n'), 5)
})
