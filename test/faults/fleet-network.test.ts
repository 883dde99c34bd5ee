import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SILENCE_MAX_MS } from '../../src/contract/replication.ts'
import { seededRandom, type Random } from '../../src/wire/http1/fuzz/random.ts'
import { eventually } from '../harness/eventually.ts'
import { type FaultProxy, startFaultProxy } from '../harness/fault-proxy.ts'
import { assertWhole, failuresAt, startFleet, underPublishes } from '../harness/fleet.ts'
import { Publisher } from '../harness/publisher.ts'
import { rounds } from '../harness/rounds.ts'

/** An entry is some segments of TCP long, so that what happens to a connection happens in the middle of one. */
const PADDING = 30_000
const SLOW_BYTES_PER_SECOND = 60_000

type Fault = (proxy: FaultProxy, random: Random) => unknown

/** Each for a while, then the connection is a good one again. */
const FAULTS: readonly Fault[] = [
  (proxy) => proxy.cut('reset'),
  (proxy) => proxy.cut('end'),
  (proxy) => proxy.set({ kind: 'cut-after', bytes: { min: 1, max: 3 * PADDING } }, 'toClient'),
  (proxy, random) => proxy.set({ kind: 'garbage', bytes: 1 + random.below(40) }, 'toClient'),
  (proxy, random) => proxy.set({ kind: 'garbage', bytes: 1 + random.below(40) }, 'toTarget'),
  (proxy) => proxy.set({ kind: 'stall' }),
  (proxy) => proxy.set({ kind: 'hold' }),
  (proxy) => proxy.set({ kind: 'slow', bytesPerSecond: SLOW_BYTES_PER_SECOND }, 'toClient'),
  async (proxy) => {
    await proxy.refuse()
    proxy.cut('reset')
  },
]

async function behindProxy(t: TestContext, random: Random, others: 'none' | 'direct' = 'none') {
  let proxy: FaultProxy | undefined
  const fleet = await startFleet(t, {
    edges: ['a'],
    async through(_, controls) {
      proxy = await startFaultProxy(t, { target: { port: Number(new URL(controls[0]!).port) }, random })
      return [`http://${proxy.address}`, ...(others === 'direct' ? controls : [])]
    },
  })
  const publisher = new Publisher({
    targets: fleet.controls,
    unit: 'one',
    prefix: 'p',
    wait: 'stored',
    timeoutMs: 30_000,
    padding: PADDING,
  })
  return { fleet, proxy: proxy!, publishers: [publisher] }
}

for (const seed of [1, 2]) {
  test(`an edge behind a network that does what networks do gets every entry once, in order (seed ${seed})`, async (t) => {
    const random = seededRandom(seed)
    const { fleet, proxy, publishers } = await behindProxy(t, random)
    const published = await underPublishes(fleet, { publishers }, async (publisher) => {
      for (const _ of rounds(40, 12, 10_000)) {
        await random.pick(FAULTS)(proxy, random)
        await publisher.progress(random.below(4))
        await sleep(random.below(300))
        proxy.set({ kind: 'pass' })
        await proxy.accept()
      }
      await publisher.progress(1)
    })
    assert.deepEqual(failuresAt(published, 'control', 'a'), [])
    assert.deepEqual(published.publishers[0]!.unacknowledged, [])
    await assertWhole(fleet, published)
  })
}

test('a connection on which nothing is heard any more is given up, and the next control plane is asked', async (t) => {
  const { fleet, proxy, publishers } = await behindProxy(t, seededRandom(3), 'direct')
  const published = await underPublishes(fleet, { publishers }, async (publisher) => {
    const before = publisher.acknowledged.at(-1)!.text
    const sinceMs = performance.now()
    proxy.set({ kind: 'stall' })
    await publisher.progress(1)
    publisher.stop()
    const answer = async () => (await fleet.edge('a').node.request('/')).text
    assert.equal(await answer(), before)
    await eventually(async () => (await answer()) !== before)
    // What a busy machine adds is no part of it.
    assert.ok(performance.now() - sinceMs < 3 * SILENCE_MAX_MS)
  })
  await assertWhole(fleet, published)
})
