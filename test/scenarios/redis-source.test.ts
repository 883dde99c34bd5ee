/** Units as others lay them out in Redis, followed by a node: what the set holds is what runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UnitSummary } from '../../src/control/shapes.ts'
import type { SourceSummary } from '../../src/control/source-shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { put, settled, startFollowing, stateOf } from '../harness/followed-redis.ts'
import { startRedis } from '../harness/redis.ts'

test('what a set names runs, changes and goes with it', async (t) => {
  const redis = await startRedis(t)
  await put(
    redis,
    'token',
    `access_by_lua_block||if (request.query.get('token') !== 'k') return new Response('no', { status: 403 })`,
  )
  await put(
    redis,
    'hits',
    `header_filter||response.headers.set('x-hits', String(await redis_client.incr('counter')))`,
  )
  await put(
    redis,
    'Old One',
    `access||local token = ngx.var.arg_token\nif token ~= 'k' then return ngx.exit(403) end`,
  )
  const node = await startFollowing(t, redis)
  const { units } = await settled(node, ['Old One aside', 'hits live', 'token live'])
  assert.match(units[0]!.reason ?? '', /it is Lua/)
  assert.match(units[0]!.unit, /^old-one-[0-9a-f]{8}$/)

  await t.test('it runs, and its `redis_client` counts in the keys of that Redis', async () => {
    assert.equal((await node.request('/a')).status, 403)
    const answer = await node.request('/a?token=k')
    assert.equal(answer.status, 200)
    assert.equal(answer.text, 'origin saw /a?token=k')
    assert.equal(await redis.cli('get', 'counter'), String(answer.headers['x-hits']))
  })

  await t.test('Lua is told of once', async () => {
    const lines = () =>
      node
        .stderr()
        .split('\n')
        .filter((line) => line.includes('Old One'))
    const { readAt } = await stateOf(node)
    await eventually(async () => (await stateOf(node)).readAt !== readAt)
    assert.equal(lines().length, 1, node.stderr())
    assert.match(lines()[0]!, /`Old One` is aside: it is Lua/)
  })

  await t.test('`orla sources` names it all', async () => {
    const { code, stdout } = await node.orla('sources')
    assert.equal(code, 0)
    assert.match(
      stdout,
      /^legacy: read every 0\.2 s\nNAME\s+UNIT\s+STATE\s+REASON\nOld One\s+old-one-[0-9a-f]{8}\s+aside\s+it is Lua/,
    )
    const json = JSON.parse((await node.orla('sources', '--json')).stdout) as SourceSummary[]
    assert.equal(json[0]!.units.length, 3)
  })

  await t.test('a change is live', async () => {
    await redis.cli('set', 'token', `access||return new Response('closed', { status: 410 })`)
    await eventually(async () => (await node.request('/a?token=k')).status === 410)
    await redis.cli(
      'set',
      'token',
      `access||if (request.path === '/x') return new Response('x', { status: 418 })`,
    )
    await eventually(async () => (await node.request('/a')).status === 200)
    assert.equal((await node.request('/x')).status, 418)
  })

  await t.test('code that cannot run does not replace what does, and stops no other', async () => {
    await redis.cli('set', 'token', 'access||return new Response(')
    await put(redis, 'fresh', `header_filter||response.headers.set('x-fresh', '1')`)
    const { units } = await settled(node, ['Old One aside', 'fresh live', 'hits live', 'token refused'])
    assert.match(units.find(({ name }) => name === 'token')!.reason ?? '', /its code is no JavaScript/)
    assert.equal((await node.request('/x')).status, 418)
    assert.equal((await node.request('/a')).headers['x-fresh'], '1')
  })

  await t.test('a module whose top level throws is refused by the sandbox, once', async () => {
    await redis.cli('set', 'token', `access||throw new Error('at once')\nexport default { access() {} }`)
    await eventually(async () => {
      const { units } = await stateOf(node)
      return units.some(({ name, reason = '' }) => name === 'token' && reason.includes('at once'))
    })
    assert.equal((await node.request('/x')).status, 418)
  })

  await t.test('what the set names no more is taken away', async () => {
    await redis.cli('srem', 'coding_units', 'fresh')
    await eventually(async () => (await node.request('/a')).headers['x-fresh'] === undefined)
    await settled(node, ['Old One aside', 'hits live', 'token refused'])
  })

  await t.test('a name without a key, and a key that holds no string, are told', async () => {
    await redis.cli('sadd', 'coding_units', 'nothing')
    await redis.cli('hset', 'hash', 'a', 'b')
    await redis.cli('sadd', 'coding_units', 'hash')
    const { units } = await settled(node, [
      'Old One aside',
      'hash refused',
      'hits live',
      'nothing refused',
      'token refused',
    ])
    assert.match(units.find(({ name }) => name === 'hash')!.reason ?? '', /holds no string/)
    assert.match(units.find(({ name }) => name === 'nothing')!.reason ?? '', /there is no key of that name/)
  })

  await t.test('a unit that somebody deployed is not changed', async () => {
    await node.deploy(
      'mine',
      `export default { headerFilter(_, response) { response.headers.set('x-mine', 'hand') } }`,
    )
    await put(redis, 'mine', `header_filter||response.headers.set('x-mine', 'redis')`)
    await eventually(async () =>
      (await stateOf(node)).units.some(({ name, state }) => name === 'mine' && state === 'foreign'),
    )
    assert.equal((await node.request('/a')).headers['x-mine'], 'hand')
    // Once it is gone, the name is free.
    await node.api('DELETE', '/v1/units/mine')
    await eventually(async () => (await node.request('/a')).headers['x-mine'] === 'redis')
  })

  await t.test('whoever deploys by hand takes the unit over', async () => {
    await node.deploy(
      'hits',
      `export default { headerFilter(_, response, edge) { response.headers.set('x-hits', String(edge.redis)) } }`,
    )
    await eventually(async () =>
      (await stateOf(node)).units.some(({ name, state }) => name === 'hits' && state === 'foreign'),
    )
    // It follows no source any more, so no Redis is in its reach.
    assert.equal((await node.request('/a')).headers['x-hits'], 'undefined')
  })

  await t.test('a set that is gone is believed the second time', async () => {
    await redis.cli('del', 'coding_units')
    await settled(node, [])
    const left = JSON.parse((await node.api('GET', '/v1/units')).text) as UnitSummary[]
    assert.deepEqual(
      left.map(({ name }) => name),
      ['hits'],
    )
  })
})

test('scores are the order, and a share is of the requests', async (t) => {
  const redis = await startRedis(t)
  const say = (word: string) =>
    `header_filter||const before = response.headers.get('x-said') ?? ''\nresponse.headers.set('x-said', before + '${word}')`
  for (const [name, score] of [
    ['a', '3'],
    ['b', '1'],
    ['c', '2'],
  ] as const) {
    await redis.cli('set', name, say(name))
    await redis.cli('zadd', 'units_by_score', score, name)
  }
  await redis.cli('set', 'some', `header_filter||response.headers.set('x-some', '1')||30`)
  await redis.cli('zadd', 'units_by_score', '4', 'some')
  const node = await startFollowing(t, redis, { set: 'units_by_score' })
  await settled(node, ['a live', 'b live', 'c live', 'some live'])
  assert.equal((await node.request('/a')).headers['x-said'], 'bca')
  const units = JSON.parse((await node.api('GET', '/v1/units')).text) as UnitSummary[]
  const some = units.find(({ name }) => name === 'some')!
  assert.deepEqual(some.manifest.sample, { share: 0.3, by: 'random' })
  assert.equal(some.manifest.onError, 'open')
  assert.deepEqual(
    { kind: some.origin?.kind, source: some.origin?.source, name: some.origin?.name },
    { kind: 'source', source: 'legacy', name: 'some' },
  )
  let ran = 0
  for (let i = 0; i < 200; i++) if ((await node.request('/a')).headers['x-some'] === '1') ran += 1
  // Beyond five standard deviations: once in millions.
  assert.ok(ran > 27 && ran < 93, `${ran} of 200`)

  await redis.cli('zadd', 'units_by_score', '9', 'b')
  await eventually(async () => (await node.request('/a')).headers['x-said'] === 'cab')
})
