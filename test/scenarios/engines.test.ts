import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { startEdge } from '../harness/edges.ts'
import { etcdIsMissing, startEtcd } from '../harness/etcd.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { redisIsMissing, startRedis, startRedisCluster } from '../harness/redis.ts'

const hello = (text: string) => `export default { content: () => new Response(${JSON.stringify(text)}) }`

interface Kind {
  readonly name: string
  readonly skip: string | false
  start(t: TestContext): Promise<{
    readonly store: NonNullable<ConfigInput['store']>
    stop(): Promise<unknown>
    again(): Promise<unknown>
  }>
}

const KINDS: readonly Kind[] = [
  {
    name: 'Redis',
    skip: redisIsMissing,
    async start(t) {
      const server = await startRedis(t, { appendOnly: true })
      const stop = () => server.kill()
      return { store: { kind: 'redis', url: server.url }, stop, again: () => server.start() }
    },
  },
  {
    name: 'a Redis Cluster',
    skip: redisIsMissing,
    async start(t) {
      const { members, urls } = await startRedisCluster(t, { appendOnly: true })
      return {
        store: { kind: 'redis', url: urls, waitReplicas: 1 },
        stop: () => Promise.all(members.map((member) => member.kill())),
        again: () => Promise.all(members.map((member) => member.start())),
      }
    },
  },
  {
    name: 'three members of etcd',
    skip: etcdIsMissing,
    async start(t) {
      const { members, urls } = await startEtcd(t, { members: 3 })
      return {
        store: { kind: 'etcd', url: [...urls] },
        stop: () => Promise.all(members.map((member) => member.kill())),
        again: () => Promise.all(members.map((member) => member.start())),
      }
    },
  },
]

for (const { name, skip, start } of KINDS) {
  test(
    `a control plane on ${name}: edges follow, another stands by, and an outage changes nothing`,
    { skip },
    async (t) => {
      const engine = await start(t)
      const config = { store: engine.store }
      const [one, other] = [
        await startNode(t, { config: { ...config, node: { name: 'one' } } }),
        await startNode(t, { config: { ...config, node: { name: 'other' } } }),
      ]
      await one.deploy('hi', hello('first'))
      const edge = await startEdge(t, one, 'edge', { through: [one.control, other.control] })
      assert.equal((await edge.request('/')).text, 'first')
      // Written through the other one: both are control planes of one store.
      await eventually(async () => (await other.request('/')).text === 'first')
      await other.deploy('hi', hello('second'))
      for (const node of [one, edge])
        await eventually(async () => (await node.request('/')).text === 'second')

      await engine.stop()
      for (const node of [one, other, edge]) assert.equal((await node.request('/')).text, 'second')
      const refused = await one.api('PUT', '/v1/units/hi', { source: hello('third') })
      assert.equal(refused.status, 503, refused.text)
      assert.match(refused.text, /store-unavailable/)
      await edge.stop()
      const again = await startEdge(t, one, 'edge', {
        folder: edge.folder,
        token: 'test',
        through: [one.control, other.control],
      })
      assert.equal((await again.request('/')).text, 'second')

      await engine.again()
      await eventually(
        async () => (await one.api('PUT', '/v1/units/hi', { source: hello('third') })).status === 200,
      )
      for (const node of [one, other, again])
        await eventually(async () => (await node.request('/')).text === 'third')
    },
  )
}
