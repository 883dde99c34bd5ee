/** A control plane and its edges in a test, in one process, and what units ask of them. */
import type { TestContext } from 'node:test'
import type { KvOperation } from '../../contract/kv.ts'
import type { LogEntry } from '../../contract/store.ts'
import type { KvKeeperOptions } from '../keeper.ts'
import { bucketOf } from './encoding.ts'
import { follow, Node, uplinkTo, World } from './simulation.support.ts'

export const put = (key: string, value: string | Uint8Array, ttlMs = 0): KvOperation => ({
  op: 'put',
  namespace: 'u',
  key,
  value: Buffer.from(value),
  ttlMs,
})
export const increment = (key: string, by = 1): KvOperation => ({
  op: 'increment',
  namespace: 'u',
  key,
  by,
  ttlMs: 0,
})
export const get = (key: string): KvOperation => ({ op: 'get', namespace: 'u', key })
export const BUCKET = bucketOf('u')

export interface Stand {
  readonly world: World
  readonly plane: Node
  readonly edge: Node
  readonly other: Node
  readonly log: LogEntry[]
  /** Of the network between them. */
  isCut: boolean
}

/** A control plane and two edges, over a network that does what it should. */
export function stand(
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
export async function within<T>(world: World, ms: number, promise: Promise<T>): Promise<T | 'still waits'> {
  let result: T | 'still waits' = 'still waits'
  void promise.then((value) => (result = value))
  await world.run(ms)
  return result
}
