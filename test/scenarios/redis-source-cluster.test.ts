/** A Cluster as a source of units: each key is asked for where it lies. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { settled } from '../harness/followed-redis.ts'
import { startNode } from '../harness/node.ts'
import { startRedisCluster } from '../harness/redis.ts'

test('a Cluster is followed, wherever its keys lie', async (t) => {
  const cluster = await startRedisCluster(t)
  const [first] = cluster.members as [(typeof cluster.members)[number]]
  for (const name of ['a', 'b', 'c', 'd']) {
    await first.cli(
      '-c',
      'set',
      name,
      `header_filter||response.headers.set('x-${name}', String(await redis_client.incr('counter:${name}')))`,
    )
    await first.cli('-c', 'sadd', 'coding_units', name)
  }
  await first.cli('-c', 'set', 'say', `content||return new Response('ola')`)
  await first.cli('-c', 'sadd', 'coding_units', 'say')
  const source = { kind: 'redis', url: cluster.urls, everySeconds: 0.2 } as const
  const node = await startNode(t, { config: { sources: [source] } })
  await settled(node, ['a live', 'b live', 'c live', 'd live', 'say live'])
  const { headers } = await node.request('/')
  for (const name of ['a', 'b', 'c', 'd']) {
    assert.equal(headers[`x-${name}`], '1')
    assert.equal(await first.cli('-c', 'get', `counter:${name}`), '1')
  }

  await t.test('a replica takes the place of a master that died', async () => {
    const master = await cluster.masterOf('counter:a')
    await master.kill()
    // Requests go on meanwhile, without the unit.
    assert.equal((await node.request('/')).status, 200)
    const counted = await eventually(
      async () => Number((await node.request('/')).headers['x-a']) || undefined,
    )
    assert.ok(counted >= 2)
    await settled(node, ['a live', 'b live', 'c live', 'd live', 'say live'])
  })
})
