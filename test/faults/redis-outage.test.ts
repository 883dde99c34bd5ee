/** A Redis that units come from dies, stands still, or is another one: the edge goes on. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { UnitSummary } from '../../src/control/shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { put, settled, startFollowing, stateOf } from '../harness/followed-redis.ts'
import { startNode } from '../harness/node.ts'
import { type RedisServer, startRedis } from '../harness/redis.ts'

test('an outage of that Redis changes nothing, and units go on without it', async (t) => {
  const redis = await startRedis(t)
  await put(
    redis,
    'hits',
    `access||response.headers.set('x-hits', String(await redis_client.incr('counter')))`,
  )
  await put(redis, 'fixed', `header_filter||response.headers.set('x-fixed', '1')`)
  const node = await startFollowing(t, redis, { timeout: '1s' })
  await settled(node, ['fixed live', 'hits live'])
  assert.equal((await node.request('/a')).headers['x-hits'], '1')

  await t.test('it is killed', async () => {
    await redis.kill()
    await eventually(async () => (await stateOf(node)).problem !== undefined)
    const answer = await node.request('/a')
    // By `onError: "open"` the request goes on.
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['x-hits'], undefined)
    assert.equal(answer.headers['x-fixed'], '1')
    assert.match((await node.orla('sources')).stdout, /^legacy: cannot be read: Redis does not answer: /)
  })

  await t.test('it comes back empty: the set is believed gone at the second reading', async () => {
    await redis.start()
    await put(
      redis,
      'hits',
      `access||response.headers.set('x-hits', String(await redis_client.incr('counter')))`,
    )
    await eventually(async () => (await node.request('/a')).headers['x-hits'] !== undefined)
    await settled(node, ['hits live'])
    assert.equal((await node.request('/a')).headers['x-fixed'], undefined)
    assert.match(node.stderr(), /the source legacy is read again/)
  })

  await t.test('it stands still', async () => {
    redis.signal('SIGSTOP')
    const answer = await node.request('/a')
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['x-hits'], undefined)
    await eventually(async () => (await stateOf(node)).problem !== undefined)
    redis.signal('SIGCONT')
    await eventually(async () => (await node.request('/a')).headers['x-hits'] !== undefined)
    await eventually(async () => (await stateOf(node)).problem === undefined)
  })
})

test('sources change with a reload, and a restart goes on with what was live', async (t) => {
  const [first, second] = [await startRedis(t), await startRedis(t)]
  const say = (word: string) =>
    `content||return new Response('${word} ' + (await redis_client.incr('counter')))`
  await put(first, 'say', say('first'))
  await put(second, 'say', say('second'))
  const source = (redis: RedisServer) => [
    { kind: 'redis', name: 'legacy', url: redis.url, everySeconds: 0.2 },
  ]
  const node = await startFollowing(t, first)
  await eventually(async () => (await node.request('/')).text === 'first 1')

  const path = join(node.folder, 'orla.config.json')
  const configured = async (sources: unknown) => {
    const config = JSON.parse(await readFile(path, 'utf8')) as object
    await writeFile(path, JSON.stringify({ ...config, sources }))
    assert.equal((await node.orla('reload')).code, 0)
  }
  await configured(source(second))
  await eventually(async () => (await node.request('/')).text.startsWith('second'))
  assert.equal(await first.cli('get', 'counter'), '1')

  await t.test('without it, its units stay, and have no Redis', async () => {
    await configured([])
    assert.equal((await node.api('GET', '/v1/sources')).text, '[]')
    assert.equal((await node.request('/')).text, 'origin saw /')
    const units = JSON.parse((await node.api('GET', '/v1/units')).text) as UnitSummary[]
    assert.deepEqual(
      units.map(({ name }) => name),
      ['say'],
    )
  })

  await t.test('a source of another name takes them over', async () => {
    await configured([{ ...source(second)[0], name: 'another' }])
    await eventually(async () => (await node.request('/')).text.startsWith('second'))
    const [unit] = JSON.parse((await node.api('GET', '/v1/units')).text) as UnitSummary[]
    assert.equal(unit!.origin?.source, 'another')
  })

  await t.test('it starts while that Redis is away, and serves with what it has', async () => {
    // What a kill would lose, and then the unit would be gone by rights.
    await second.cli('SAVE')
    await second.kill()
    await node.stop()
    const again = await startNode(t, {
      folder: node.folder,
      config: JSON.parse(await readFile(path, 'utf8')) as ConfigInput,
    })
    const units = JSON.parse((await again.api('GET', '/v1/units')).text) as UnitSummary[]
    assert.deepEqual(
      units.map(({ name, state }) => `${name} ${state}`),
      ['say live'],
    )
    assert.equal((await again.request('/')).text, 'origin saw /')
    await second.start()
    await eventually(async () => (await again.request('/')).text.startsWith('second '))
  })
})
