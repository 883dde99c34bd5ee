/** Control planes and three edges over a bad network, by seeds: `ORLA_SEEDS=1000` for more of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KvOperation, KvResult } from '../../contract/kv.ts'
import type { LogEntry } from '../../contract/store.ts'
import { MemoryLog } from './shared-log.support.ts'
import { follow, Node, replay, settled, uplinkTo, USED, World } from './simulation.support.ts'

const SEEDS = Number(process.env['ORLA_SEEDS'] ?? 15)
const FIRST = Number(process.env['ORLA_SEED'] ?? 1)

const bytes = (text: string) => Buffer.from(text)
const put = (key: string, value: string): KvOperation => ({
  op: 'put',
  namespace: 'u',
  key,
  value: bytes(value),
  ttlMs: 0,
})
const increment = (key: string, by: number): KvOperation => ({
  op: 'increment',
  namespace: 'u',
  key,
  by,
  ttlMs: 0,
})
const isDone = (result: KvResult) => 'value' in result

interface Tally {
  merged: number
  readonly exact: number[]
  unknown: number
  /** Strong reads that were behind. */
  readonly stale: string[]
  readonly winners: Map<string, string[]>
  readonly puts: Map<string, number>
}

/** What a reader of a node must never see less of. */
class Watch {
  readonly #seen = new Map<string, number>()
  readonly #node: Node

  constructor(node: Node) {
    this.#node = node
  }

  look(): void {
    for (const key of ['merged', 'exact', 'own-0', 'own-1', 'own-2', 'own-3', 'own-4']) {
      const now = this.#node.number(key)
      const before = this.#seen.get(key) ?? 0
      assert.ok(now >= before, `${this.#node.name} went back: ${key} was ${before}, and is ${now}`)
      this.#seen.set(key, now)
    }
  }
}

function act(world: World, edges: readonly Node[], tally: Tally, round: number): void {
  const which = world.below(edges.length)
  const edge = edges[which]!
  const kind = world.below(10)
  if (kind < 4) {
    const by = 1 + world.below(5)
    if (isDone(edge.do(increment('merged', by), world.chance(0.3)))) tally.merged += by
  } else if (kind < 6) {
    const key = `own-${which}`
    const value = (tally.puts.get(key) ?? 0) + 1
    if (isDone(edge.do(put(key, String(value))))) tally.puts.set(key, value)
    assert.equal(edge.number(key), value, `${edge.name} reads what it wrote`)
  } else if (kind < 7) {
    edge.do(
      world.chance(0.3)
        ? { op: 'delete', namespace: 'v', key: 'k' }
        : { ...put('k', `${which}-${round}`), namespace: 'v' },
    )
  } else if (kind < 8) {
    // What was acknowledged before it was asked is in what a strong read says.
    const least = Math.max(0, ...tally.exact)
    void edge.strong({ op: 'get', namespace: 'u', key: 'exact' }).then((result) => {
      if ('code' in result) return
      const read = Number(Buffer.from(result.bytes ?? '0').toString())
      if (read < least) tally.stale.push(`${edge.name} read ${read} after ${least} was acknowledged`)
    })
  } else if (kind < 9) {
    void edge.strong(increment('exact', 1)).then((result) => {
      if ('value' in result) tally.exact.push(result.value)
      else tally.unknown++
    })
  } else {
    const key = `lock-${world.below(6)}`
    const me = `${edge.name}-${round}`
    const take: KvOperation = {
      op: 'compareAndSet',
      namespace: 'w',
      key,
      expected: null,
      value: bytes(me),
      ttlMs: 0,
    }
    void edge.strong(take).then((result) => {
      if ('value' in result && result.value === 1)
        tally.winners.set(key, [...(tally.winners.get(key) ?? []), me])
    })
  }
}

interface Nodes {
  /** Control planes: of one log, or each the whole. */
  readonly planes: readonly Node[]
  readonly edges: readonly Node[]
  readonly log: readonly LogEntry[]
  /** Something that happens to what keeps the log. */
  trouble(): void
}

/** A control plane that keeps the logs in its own file. */
function alone(world: World): Nodes {
  const plane = new Node(world, 'plane', () => ({ kind: 'authority' }), { keepEntries: 20 + world.below(60) })
  const log: LogEntry[] = []
  const note = () => plane.keeper.feed!.onAppended((_, entries) => log.push(...entries))
  note()
  plane.keeper.feed!.positions()
  const edges = [0, 1, 2].map((i) => edgeOf(world, `edge-${i}`, () => plane))
  const trouble = () => {
    plane.restart()
    note()
  }
  return { planes: [plane], edges, log, trouble }
}

/** Two control planes on the logs of an engine, and edges that go from one to the other. */
function shared(world: World): Nodes {
  const lost = () => world.isFaulty && world.chance(0.04)
  const logs = new Map(
    [...USED].map((bucket) => {
      const delay = () => new Promise<void>((resolve) => world.after(world.below(8), resolve))
      return [bucket, new MemoryLog({ name: `log${bucket}`, delay, isLost: lost })] as const
    }),
  )
  const unused = new MemoryLog({ name: 'none', delay: async () => {}, isLost: () => false })
  const role = {
    kind: 'shared',
    log: (bucket: number) => logs.get(bucket) ?? unused,
    onProblem: () => {},
  } as const
  const planes = ['plane-0', 'plane-1'].map((name) => new Node(world, name, () => role, { keepEntries: 50 }))
  let first = 0
  const edges = [0, 1, 2].map((i) => edgeOf(world, `edge-${i}`, () => planes[(first + i) % 2]!))
  return {
    planes,
    edges,
    get log() {
      return [...logs.values()].flatMap(({ entries }) => entries)
    },
    trouble() {
      const kind = world.below(4)
      if (kind < 2) first++
      else if (kind < 3) planes[world.below(2)]!.restart()
      else for (const log of logs.values()) void log.trim(log.entries.length - world.below(10))
    },
  }
}

function edgeOf(world: World, name: string, plane: () => Node): Node {
  const edge = new Node(world, name, (node) => ({ kind: 'edge', uplink: uplinkTo(node, plane) }))
  follow(edge, plane)
  return edge
}

async function simulate(seed: number, make: (world: World) => Nodes): Promise<void> {
  const world = new World(seed)
  const made = make(world)
  const { planes, edges } = made
  const writers = planes.length > 1 ? [...edges, ...planes] : edges
  const all = [...planes, ...edges]
  const tally: Tally = { merged: 0, exact: [], unknown: 0, stale: [], winners: new Map(), puts: new Map() }
  const watches = all.map((node) => new Watch(node))
  world.observe = () => {
    for (const watch of watches) watch.look()
  }
  for (let round = 0; round < 120; round++) {
    act(world, writers, tally, round)
    if (world.chance(0.04)) edges[world.below(edges.length)]!.restart()
    if (world.chance(0.03)) made.trouble()
    if (world.chance(0.05) && isDone(planes[0]!.do(increment('merged', 100)))) tally.merged += 100
    world.observe()
    await world.run(world.below(60))
    world.observe()
  }
  await world.run(6000)
  await settled(world, all)
  world.observe()

  const [plane] = planes as [Node]
  assert.equal(plane.number('merged'), tally.merged, 'the total of what was merged')
  for (const [key, value] of tally.puts) assert.equal(plane.number(key), value)
  assert.equal(new Set(tally.exact).size, tally.exact.length, 'no exact number is given twice')
  assert.deepEqual(tally.stale, [])
  const total = plane.number('exact')
  const { length } = tally.exact
  assert.ok(total >= length && total <= length + tally.unknown, 'no exact number is left out')
  for (const [key, winners] of tally.winners)
    assert.deepEqual(winners, [plane.get(key, 'w')], `${key} has one winner`)
  const state = Object.entries(plane.all()).toSorted()
  const { log } = made
  assert.deepEqual([...replay(log)].toSorted(), state, 'the log adds up to the state')
  assert.deepEqual([...replay(log, replay(log))].toSorted(), state, 'and does so once more')
  for (const node of all) node.close()
  world.close()
}

for (const [name, make] of [
  ['one control plane', alone],
  ['two control planes on one engine', shared],
] as const) {
  test(`${name}: totals are exact, numbers distinct, winners one, readers never go back, and all come to the same`, async () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      try {
        await simulate(seed, make)
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error })
      }
    }
  })
}
