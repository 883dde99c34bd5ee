/** One limit for two real nodes, which know nothing of each other but a Redis. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { eventually } from '../harness/eventually.ts'
import { startFaultProxy } from '../harness/fault-proxy.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { redisIsMissing, type RedisServer, startRedis } from '../harness/redis.ts'

type Limit = NonNullable<ConfigInput['limits']>[number]

async function twoNodes(
  t: TestContext,
  redis: Pick<RedisServer, 'url'>,
  ...limits: Limit[]
): Promise<readonly TestNode[]> {
  const origin = await startOrigin(t, (_, response) => void response.end('origin'))
  const config: ConfigInput = {
    edge: { workers: 2, limitsRedis: { url: redis.url, timeout: '5s' } },
    sites: [{ origin: origin.url, limits: [...limits] }],
  }
  return Promise.all([0, 1].map(() => startNode(t, { config })))
}

const metric = async (node: TestNode, pattern: RegExp): Promise<number> =>
  Number(pattern.exec((await node.api('GET', '/metrics')).text)?.[1] ?? 0)
const decided = (node: TestNode, by: 'cluster' | 'local') =>
  metric(node, new RegExp(`^orla_limit_redis_decisions_total\\{[^}]*by="${by}"[^}]*\\} (\\d+)`, 'm'))

const login = { name: 'login', rate: '20/1d', key: 'address', scope: 'cluster' } as const

test('what a client takes at one node, it has not at the other', { skip: redisIsMissing }, async (t) => {
  const redis = await startRedis(t)
  const nodes = await twoNodes(t, redis, login)
  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => nodes[n % 2]!.request('/')))
  assert.equal(answers.filter(({ status }) => status === 200).length, 20)
  const refused = answers.filter(({ status }) => status === 429)
  assert.equal(refused.length, 40)
  assert.match(refused[0]!.headers['ratelimit'] as string, /^"login";r=0;t=\d+$/)
  for (const node of nodes) {
    assert.equal(await decided(node, 'local'), 0)
    assert.equal(await metric(node, /^orla_limit_redis_state\{state="there"\} (\d+)/m), 2)
  }
  assert.equal((await decided(nodes[0]!, 'cluster')) + (await decided(nodes[1]!, 'cluster')), 60)
})

test(
  'units are limited over all nodes, too: by their field, and by what they ask',
  { skip: redisIsMissing },
  async (t) => {
    const redis = await startRedis(t)
    const nodes = await twoNodes(t, redis, { name: 'coupons', rate: '3/1d', scope: 'cluster' })
    const unit = `export default {
    limit: { rate: '8/1d', key: 'address', scope: 'cluster' },
    async content(request, edge) {
      const { allowed } = await edge.limit('coupons').take('ana')
      return new Response(allowed ? 'given' : 'none left')
    },
  }`
    for (const node of nodes) await node.deploy('shop', unit)
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => nodes[n % 2]!.request('/')))
    const texts = answers.filter(({ status }) => status === 200).map(({ text }) => text)
    assert.equal(texts.length, 8)
    assert.equal(texts.filter((text) => text === 'given').length, 3)
    assert.equal(answers.filter(({ status }) => status === 429).length, 12)
  },
)

test('with shares that are settled, too', { skip: redisIsMissing }, async (t) => {
  const redis = await startRedis(t)
  const nodes = await twoNodes(t, redis, { ...login, mode: 'batched' })
  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => nodes[n % 2]!.request('/')))
  const allowed = answers.filter(({ status }) => status === 200).length
  // A tenth more may be given before anybody was asked; and what one holds, another one has not.
  assert.ok(allowed >= 10 && allowed <= 22, `${allowed}`)
  await eventually(async () => {
    await Promise.all(nodes.map((node) => node.request('/')))
    return (await redis.cli('ZCARD', 'orla:limit:{workers}')) === '4'
  })
})

test(
  'Redis dies under load, and no request fails: each node counts by itself, and together again when it is back',
  { skip: redisIsMissing },
  async (t) => {
    const redis = await startRedis(t)
    const nodes = await twoNodes(t, redis, { ...login, rate: '1000000/1d' })
    const statuses = new Set<number>()
    let isOver = false
    const load = nodes.map(async (node) => {
      while (!isOver) statuses.add((await node.request('/')).status)
    })
    for (let round = 0; round < 2; round++) {
      await redis.kill()
      for (const node of nodes) {
        await eventually(
          async () => (await metric(node, /^orla_limit_redis_state\{state="away"\} (\d+)/m)) === 2,
        )
        const before = await decided(node, 'local')
        await eventually(async () => (await decided(node, 'local')) > before)
      }
      await redis.start()
      for (const node of nodes) {
        await eventually(
          async () => (await metric(node, /^orla_limit_redis_state\{state="there"\} (\d+)/m)) === 2,
        )
        const before = await decided(node, 'cluster')
        await eventually(async () => (await decided(node, 'cluster')) > before)
      }
    }
    isOver = true
    await Promise.all(load)
    assert.deepEqual([...statuses], [200])
    // Workers hand on what they have to say in bundles.
    for (const node of nodes)
      await eventually(() => node.stderr().split('limits: Redis').length - 1 >= 4, {
        what: () => node.stderr(),
      })
  },
)

test('a node starts without its Redis, and says so', { skip: redisIsMissing }, async (t) => {
  const redis = await startRedis(t)
  await redis.kill()
  const [node] = await twoNodes(t, redis, { ...login, rate: '2/1d' })
  const statuses = []
  for (let n = 0; n < 3; n++) statuses.push((await node!.request('/')).status)
  assert.deepEqual(statuses, [200, 200, 429])
  await eventually(() => node!.stderr().includes('limits for all nodes are counted by this node alone'))
})

test(
  'a limit of a unit that is the first over all nodes counts for all of them from its first request on',
  { skip: redisIsMissing },
  async (t) => {
    const redis = await startRedis(t)
    const proxy = await startFaultProxy(t, { target: { port: redis.port } })
    // So that nobody is connected before the unit is live.
    proxy.set({ kind: 'slow', bytesPerSecond: 1000 }, 'toClient')
    const nodes = await twoNodes(t, { url: `redis://127.0.0.1:${proxy.port}` })
    const source = `export default {
      paths: '/reports',
      limit: { rate: '4/1d', key: 'address', scope: 'cluster' },
      content: () => new Response('42'),
    }`
    await Promise.all(nodes.map((node) => node.deploy('reports', source)))
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => nodes[n % 2]!.request('/reports')))
    assert.equal(answers.filter(({ status }) => status === 200).length, 4)
    for (const node of nodes) assert.equal(await decided(node, 'local'), 0)
  },
)
