/** `orla import redis`: units of a Redis are taken over once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UnitSummary } from '../../src/control/shapes.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { startRedis } from '../harness/redis.ts'

test('units of a Redis are imported once, and again where they changed', async (t) => {
  const redis = await startRedis(t)
  const origin = await startOrigin(t, (_, response) => response.end('origin'))
  const node = await startNode(t, { config: { sites: [{ origin: origin.url }] } })
  const put = async (name: string, value: string, score: string) => {
    await redis.cli('set', name, value)
    await redis.cli('zadd', 'units', score, name)
  }
  await put(
    'closed',
    `access||if (request.path === '/closed') return new Response('no', { status: 403 })`,
    '1',
  )
  await put('some', `header_filter||response.headers.set('x-some', '1')||40`, '2')
  await put('Old One', 'access||return ngx.exit(403)', '3')
  await put(
    'module',
    `rewrite||export default { onError: 'closed', paths: ['/m'], rewrite() { throw new Error('x') } }`,
    '4',
  )
  const run = (...more: string[]) => node.orla('import', 'redis', redis.url, '--set', 'units', ...more)

  await t.test('a dry run tells what would be done', async () => {
    const { code, stdout } = await run('--dry-run')
    assert.equal(code, 0)
    assert.match(
      stdout,
      /^aside Old One as old-one-[0-9a-f]{8}: it is Lua.*\nwould be imported closed\nwould be imported module\nwould be imported some\n$/,
    )
    assert.equal((await node.api('GET', '/v1/units')).text, '[]')
  })

  await t.test('what can run is live', async () => {
    const { code, stdout, stderr } = await run()
    assert.equal(code, 0, stderr)
    assert.match(stdout, /\nimported closed 1\nimported module 1\nimported some 1\n$/)
    assert.equal((await node.request('/closed')).status, 403)
    const units = JSON.parse((await node.api('GET', '/v1/units')).text) as UnitSummary[]
    const some = units.find(({ name }) => name === 'some')!
    assert.deepEqual(some.manifest.sample, { share: 0.4, by: 'random' })
    assert.equal(some.manifest.priority, -2)
    assert.equal(some.manifest.onError, 'open')
    assert.equal(some.origin?.kind, 'import')
    assert.equal(some.origin?.source, `${redis.url}#units`)
    // A module says itself what happens when it fails.
    assert.equal((await node.request('/m')).status, 503)
  })

  await t.test('again: what is the same is left, what changed is a new version', async () => {
    await put('closed', `access||return new Response('gone', { status: 410 })`, '1')
    const { code, stdout } = await run('--json')
    assert.equal(code, 0)
    const outcomes = JSON.parse(stdout) as { name: string; state: string; version?: number }[]
    assert.deepEqual(
      outcomes.map(({ name, state, version }) => [name, state, version]),
      [
        ['Old One', 'aside', undefined],
        ['closed', 'imported', 2],
        ['module', 'unchanged', undefined],
        ['some', 'unchanged', undefined],
      ],
    )
    assert.equal((await node.request('/a')).status, 410)
    await put(
      'closed',
      `access||if (request.path === '/closed') return new Response('no', { status: 403 })`,
      '1',
    )
    assert.equal((await run()).code, 0)
  })

  await t.test('what is refused ends with 1, and stops no other', async () => {
    await put('broken', 'access||if (', '5')
    await put('throws', `access||throw new Error('at once')\nexport default { access() {} }`, '6')
    await put('late', `header_filter||response.headers.set('x-late', '1')`, '7')
    await node.deploy(
      'mine',
      `export default { headerFilter(_, response) { response.headers.set('x-mine', 'hand') } }`,
    )
    await put('mine', `header_filter||response.headers.set('x-mine', 'redis')`, '8')
    const { code, stdout } = await run()
    assert.equal(code, 1)
    assert.match(stdout, /^refused broken: its code is no JavaScript: .*$/m)
    assert.match(stdout, /^refused throws: throws does not run: .*at once.*$/m)
    assert.match(stdout, /^refused mine: a unit mine was deployed by hand, and stays as it is$/m)
    assert.match(stdout, /^imported late 1$/m)
    assert.equal((await node.request('/a')).headers['x-mine'], 'hand')
    // Nor by whoever calls the API as the command does.
    const imported = { source: 'elsewhere', name: 'mine', hash: 'x' }
    const body = { source: 'export default { log() {} }', imported }
    const answer = await node.api('PUT', '/v1/units/mine', body)
    assert.equal(answer.status, 409, answer.text)
  })

  await t.test('there is no `redis_client` in them', async () => {
    await put('counts', `header_filter||response.headers.set('x-redis', String(redis_client))`, '9')
    const { stdout } = await run()
    assert.match(stdout, /^imported counts 1: it uses `redis_client`, which only units of a source have$/m)
    assert.equal((await node.request('/a')).headers['x-redis'], 'undefined')
  })

  await t.test('what does not answer, and what is no set, is told', async () => {
    const none = await node.orla('import', 'redis', 'redis://127.0.0.1:1')
    assert.equal(none.code, 1)
    assert.match(none.stderr, /Redis does not answer: connect ECONNREFUSED/)
    const wrong = await node.orla('import', 'redis', redis.url, '--set', 'some')
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /the key `some` holds a string/)
    const empty = await node.orla('import', 'redis', redis.url)
    assert.equal(empty.code, 0)
    assert.match(empty.stderr, /there is no set `coding_units`/)
    assert.equal((await node.orla('import', 'etcd', 'http://127.0.0.1:1')).code, 64)
    assert.equal((await node.orla('import', 'redis', 'http://127.0.0.1:1')).code, 64)
  })
})
