/** What key/value data does on several nodes, one story at a time; `simulation.test.ts` has them all at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KvOperation } from '../../contract/kv.ts'
import { openForReading } from '../file.ts'
import { stateOf } from './feed.ts'
import { feedSources, followedLogs } from './log-ends.ts'
import { LIMITS, Node, settled, World } from './simulation.support.ts'
import { put, increment, get, BUCKET, stand, within } from './stand.support.ts'

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
