/** Whose instances are whose, where changes are ordered: an edge may be somebody else's machine. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { KvOperation } from '../../contract/kv.ts'
import type { KvUplinkAnswer, KvUplinkBatch } from '../../contract/kv-replication.ts'
import type { KvRole } from '../keeper.ts'
import { bucketOf } from './encoding.ts'
import { INSTANCES_MAX } from './plan.ts'
import { MemoryLog } from './shared-log.support.ts'
import { follow, Node, settled, World } from './simulation.support.ts'

const BUCKET = bucketOf('u')
const increment: KvOperation = { op: 'increment', namespace: 'u', key: 'n', by: 1, ttlMs: 0 }

const part = (instance: string, seq: number, key = 'x') => ({
  bucket: BUCKET,
  instance,
  operations: [{ op: 'put', seq, namespace: 'u', key, value: 't', ttlMs: 0 } as const],
})

const ROLES: Readonly<Record<string, () => KvRole>> = {
  'the file of a control plane': () => ({ kind: 'authority' }),
  'logs of an engine': () => {
    const options = { delay: async () => {}, isLost: () => false }
    const logs = Array.from({ length: 16 }, (_, n) => new MemoryLog({ ...options, name: `log-${n}` }))
    return { kind: 'shared', log: (bucket) => logs[bucket]!, onProblem: assert.fail }
  },
}

async function stand(t: TestContext, role: KvRole) {
  const world = new World(9)
  world.isFaulty = false
  const plane = new Node(world, 'plane', () => role)
  await world.run(100)
  const made = { batches: [] as KvUplinkBatch[], token: 'mine' }
  const edge = new Node(world, 'edge', () => ({
    kind: 'edge',
    uplink: {
      async send(batch) {
        made.batches.push(batch)
        return plane.keeper.uplink!.send(structuredClone(batch), made.token)
      },
    },
  }))
  plane.keeper.feed!.positions()
  follow(edge, () => plane)
  t.after(() => {
    edge.close()
    plane.close()
    world.close()
  })
  const hostile = (...parts: readonly ReturnType<typeof part>[]): Promise<readonly KvUplinkAnswer[]> =>
    plane.keeper.uplink!.send({ parts }, 'hostile')
  return Object.assign(made, { world, plane, edge, hostile })
}

function markersOf(plane: Node): Readonly<Record<string, string>> {
  const [begin] = plane.keeper.feed!.snapshot(BUCKET)
  assert.ok(begin?.kind === 'begin')
  return begin.markers
}

for (const [where, role] of Object.entries(ROLES)) {
  test(`nobody has an edge's changes taken for done by numbers that it has not sent: ${where}`, async (t) => {
    const made = await stand(t, role())
    const { world, plane, edge, hostile } = made
    edge.do(increment)
    edge.do({ ...increment, namespace: 'v' })
    await settled(world, [plane, edge])
    const names = made.batches.flatMap(({ parts }) => parts).map(({ instance }) => instance)
    assert.equal(new Set(names).size, 2, 'what stands in one log is no name in another')
    const [instance] = Object.keys(markersOf(plane))
    const [answer] = await hostile(part(instance!, Number.MAX_SAFE_INTEGER))
    assert.ok(answer && 'code' in answer && answer.code === 'kv-instance', JSON.stringify(answer))
    edge.do(increment)
    await settled(world, [plane, edge])
    assert.deepEqual(plane.all(), { 'u/n': '2', 'v/n': '1' })
  })

  test(`an edge that gets another token goes on under another name, with all its changes: ${where}`, async (t) => {
    const made = await stand(t, role())
    const { world, plane, edge } = made
    edge.do(increment)
    await settled(world, [plane, edge])
    made.token = 'another'
    edge.do(increment)
    let exact: unknown
    void edge.strong(increment).then((result) => (exact = result))
    await settled(world, [plane, edge])
    assert.deepEqual(exact, { value: 3 })
    edge.do(increment)
    await settled(world, [plane, edge])
    assert.deepEqual(plane.all(), { 'u/n': '4' })
    const seen = new Set(made.batches.map(({ parts }) => parts[0]!.instance))
    assert.deepEqual([...seen].toSorted(), Object.keys(markersOf(plane)).toSorted())
    assert.equal(edge.keeper.problem, undefined)
  })

  test(`instances of one token have a bound, and those of others stay: ${where}`, async (t) => {
    const { world, plane, edge, hostile } = await stand(t, role())
    edge.do(increment)
    await settled(world, [plane, edge])
    for (let i = 0; i < INSTANCES_MAX + 40; i += 20) {
      world.now += 1
      for (let j = 0; j < 20; j++) await hostile(part(`instance-${i + j}`, 1))
    }
    const names = Object.keys(markersOf(plane))
    const theirs = names.filter((name) => name.startsWith('instance-'))
    assert.equal(theirs.length, INSTANCES_MAX)
    assert.ok(theirs.includes(`instance-${INSTANCES_MAX + 39}`) && !theirs.includes('instance-0'))
    assert.equal(names.length - theirs.length, 1)
  })
}
