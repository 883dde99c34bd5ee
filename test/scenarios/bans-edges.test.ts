/** Bans on a control plane and its edges: everywhere when it is answered, at an edge at once, and passed on when the control plane is there. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { BanChanged, BanList } from '../../src/control/ban-shapes.ts'
import { edgesOf, edgeToken, startEdge, type EdgeOptions } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { startFaultProxy } from '../harness/fault-proxy.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { redisIsMissing, startRedis } from '../harness/redis.ts'

const PROXIED = { trustedProxies: ['127.0.0.1'] }

async function startControl(t: TestContext, limits: readonly object[] = []): Promise<TestNode> {
  const origin = await startOrigin(t)
  return startNode(t, { config: { edge: PROXIED, sites: [{ origin: origin.url, limits: limits as never }] } })
}

const edgeOf = (t: TestContext, control: TestNode, name: string, options: EdgeOptions = {}) =>
  startEdge(t, control, name, { ...options, config: { edge: PROXIED, ...options.config } })

async function ban(node: TestNode, prefixes: readonly string[], more: object = {}): Promise<BanChanged> {
  const { status, text } = await node.api('POST', '/v1/bans', { prefixes, timeoutMs: 120_000, ...more })
  assert.equal(status, 200, text)
  return JSON.parse(text) as BanChanged
}

const bansOf = async (node: TestNode) =>
  (JSON.parse((await node.api('GET', '/v1/bans')).text) as BanList).bans.map(
    ({ prefix, by, node: at, state }) => `${prefix} ${by} ${at} ${state}`,
  )

const statusOf = async (node: TestNode, address: string) =>
  (await node.request('/', { headers: { 'x-forwarded-for': address } })).status

test('a ban holds on every edge when it is answered, and so does that it is lifted', async (t) => {
  const control = await startControl(t)
  const edges = await Promise.all(['a', 'b'].map((name) => edgeOf(t, control, name)))
  for (let round = 0; round < 10; round++) {
    const done = await ban(control, ['192.0.2.7', '2001:db8::/48'])
    assert.deepEqual([done.edges?.live, done.edges?.of], [2, 2])
    for (const node of [control, ...edges])
      assert.deepEqual([await statusOf(node, '192.0.2.7'), await statusOf(node, '2001:db8::7')], [403, 403])
    const lifted = await control.api('DELETE', '/v1/bans', { all: true, timeoutMs: 120_000 })
    assert.equal(lifted.status, 200, lifted.text)
    for (const node of [control, ...edges]) assert.equal(await statusOf(node, '192.0.2.7'), 200)
  }
  const { stdout } = await control.orla('ban', '192.0.2.7')
  assert.match(stdout, /^in force on 2\/2 edges and 1\/1 workers after \d+ ms$/m)
  assert.deepEqual(
    (await edgesOf(control)).map(({ lag }) => lag),
    [0, 0, 0],
  )
})

test('an edge that starts anew has the bans of before, also while its control plane is away', async (t) => {
  const control = await startControl(t)
  const token = await edgeToken(control, 'a')
  const edge = await edgeOf(t, control, 'a', { token })
  await ban(control, ['192.0.2.7'], { forMs: 3_600_000 })
  const { folder } = edge
  await edge.stop()
  await control.stop()
  const again = await edgeOf(t, control, 'a', { token, folder })
  assert.equal(await statusOf(again, '192.0.2.7'), 403)
  assert.match((await bansOf(again)).join('\n'), /^192\.0\.2\.7 token root \S+ standing$/)
})

test('a ban that is asked for at an edge goes to its control plane, and holds on the others', async (t) => {
  const control = await startControl(t)
  const [a, b] = await Promise.all(['a', 'b'].map((name) => edgeOf(t, control, name)))
  const done = await ban(a!, ['192.0.2.7'], { reason: 'seen at a' })
  assert.equal(await statusOf(a!, '192.0.2.7'), 403)
  assert.equal(done.bans[0]!.node, 'a')
  await eventually(async () => (await statusOf(b!, '192.0.2.7')) === 403)
  assert.deepEqual(await bansOf(control), ['192.0.2.7 token root a standing'])
  await eventually(async () => (await bansOf(a!)).join() === '192.0.2.7 token root a standing')
  const lifted = await a!.orla('unban', '192.0.2.7')
  assert.equal(lifted.code, 1)
  assert.match(lifted.stderr, /lifts no ban that stands in its log[^]*--control/)
  assert.match((await a!.orla('ban', '0.0.0.0/0', '--force')).stderr, /bans nothing wide/)
  await control.orla('unban', '192.0.2.7')
  assert.equal(await statusOf(a!, '192.0.2.7'), 200)
})

test('while the control plane is away a ban at an edge stands there at once, over a restart too, and is passed on later', async (t) => {
  const control = await startControl(t)
  const proxy = await startFaultProxy(t, { target: { port: Number(new URL(control.control).port) } })
  const token = await edgeToken(control, 'a')
  const through = `http://${proxy.address}`
  const edge = await edgeOf(t, control, 'a', { through, token })
  await proxy.refuse()
  proxy.cut()
  const command = await edge.orla('ban', '192.0.2.7', '192.0.2.8', '--for', '1h')
  assert.match(
    command.stdout,
    /^banned 192\.0\.2\.7 until \S+ \(on this node alone: its control plane does not answer\)$/m,
  )
  assert.equal(await statusOf(edge, '192.0.2.7'), 403)
  assert.match((await edge.orla('unban', '192.0.2.8')).stdout, /^lifted the ban of 192\.0\.2\.8$/m)
  assert.equal(await statusOf(edge, '192.0.2.8'), 200)
  const { folder } = edge
  await edge.stop()
  const again = await edgeOf(t, control, 'a', { through, token, folder })
  assert.deepEqual(await bansOf(again), ['192.0.2.7 token root a waiting'])
  assert.equal(await statusOf(again, '192.0.2.7'), 403)
  assert.deepEqual(await bansOf(control), [])
  await proxy.accept()
  await eventually(async () => (await bansOf(control)).join() === '192.0.2.7 token root a standing')
  await eventually(async () => (await bansOf(again)).join() === '192.0.2.7 token root a standing')
  assert.equal(await statusOf(again, '192.0.2.7'), 403)
})

test('what the control plane never bans does not stay banned at an edge', async (t) => {
  const origin = await startOrigin(t)
  const control = await startNode(t, {
    config: { edge: PROXIED, sites: [{ origin: origin.url }], bans: { never: ['192.0.2.0/24'] } },
  })
  const edge = await edgeOf(t, control, 'a')
  const { status, text } = await edge.api('POST', '/v1/bans', { prefixes: ['192.0.2.7'] })
  assert.deepEqual([status, /does not ban 192\.0\.2\.7/.test(text)], [409, true], text)
  assert.equal(await statusOf(edge, '192.0.2.7'), 200)
  assert.match(edge.stderr(), /the ban of 192\.0\.2\.7 ends: 192\.0\.2\.7 is never banned/)
})

test('a limit bans whom it refuses too often, counted over all workers, first here and then everywhere', async (t) => {
  const limit = { name: 'login', key: 'address', rate: '1/1h', ban: { after: 20, within: '1h', for: '1h' } }
  const origin = await startOrigin(t)
  const control = await startNode(t, {
    config: {
      edge: { ...PROXIED, workers: 2 },
      sites: [{ name: 'shop', origin: origin.url, limits: [limit] }],
    },
  })
  const edge = await edgeOf(t, control, 'a', { config: { edge: { ...PROXIED, workers: 2 } } })
  const hammer = async (node: TestNode, address: string) => {
    const statuses: number[] = []
    for (let i = 0; i < 21; i++) statuses.push(await statusOf(node, address))
    await eventually(async () => (await statusOf(node, address)) === 403)
    return statuses
  }
  const statuses = await hammer(control, '192.0.2.7')
  assert.deepEqual(statuses.slice(0, 20), [200, ...Array<number>(19).fill(429)], 'no ban before its time')
  assert.match(
    (await control.orla('bans')).stdout,
    /192\.0\.2\.7 .* limit shop\/login .* refused 20 times within 3600 s$/m,
  )
  await eventually(async () => (await statusOf(edge, '192.0.2.7')) === 403)
  await hammer(edge, '2001:db8:1:2::7')
  await eventually(async () => (await statusOf(control, '2001:db8:1:2:ffff::1')) === 403)
  await eventually(async () => (await bansOf(control))[0] === '2001:db8:1:2::/64 limit shop/login a standing')
  assert.notEqual(await statusOf(control, '2001:db8:1:3::7'), 403)
})

test('of an edge, no more is taken than bans, and roles say who may ban', async (t) => {
  const control = await startControl(t)
  const tokenOf = async (body: object) =>
    (JSON.parse((await control.api('POST', '/v1/tokens', body)).text) as { token: string }).token
  const call = async (token: string, method: string, path: string, body?: object) => {
    const response = await fetch(new URL(path, control.control), {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: response.status, text: await response.text() }
  }
  const [read, deploy, limited, edge] = await Promise.all([
    tokenOf({ name: 'reader', role: 'read' }),
    tokenOf({ name: 'deployer', role: 'deploy' }),
    tokenOf({ name: 'limited', role: 'deploy', sites: ['*'] }),
    edgeToken(control, 'x'),
  ])
  const one = { prefixes: ['192.0.2.7'] }
  assert.equal((await call(read, 'GET', '/v1/bans')).status, 200)
  assert.equal((await call(read, 'POST', '/v1/bans', one)).status, 403)
  assert.equal((await call(limited, 'POST', '/v1/bans', one)).status, 403)
  assert.equal((await call(edge, 'POST', '/v1/bans', one)).status, 403)
  assert.equal((await call(edge, 'DELETE', '/v1/bans', { all: true })).status, 403)
  assert.equal((await call(deploy, 'POST', '/v1/edges/bans', { bans: [] })).status, 403)
  assert.equal((await call(deploy, 'POST', '/v1/bans', one)).status, 200)
  assert.match((await control.orla('audit')).stdout, /deployer .* POST \/v1\/bans +192\.0\.2\.7 +ok/)
  const bans = ['192.0.2.8', '127.0.0.1', '0.0.0.0/0', 'x', '192.0.2.9/24'].map((prefix) => ({
    prefix,
    forMs: 60_000,
    reason: 'a\nb',
    by: 'unit u',
    node: 'x',
  }))
  const { text } = await call(edge, 'POST', '/v1/edges/bans', {
    bans: [...bans, { ...bans[0], prefix: '192.0.2.10', forMs: -1 }],
  })
  const { outcomes } = JSON.parse(text) as { outcomes: { code?: string; prefix?: string }[] }
  assert.deepEqual(
    outcomes.map(({ code, prefix }) => code ?? prefix),
    ['192.0.2.8', 'ban-refused', 'ban-refused', 'ban-invalid', 'ban-invalid', 'ban-invalid'],
  )
  assert.deepEqual(
    (await bansOf(control)).map((line) => line.split(' ')[0]),
    ['192.0.2.8', '192.0.2.7'],
  )
  for (const [body, what] of [
    [{ prefixes: [] }, /not empty/],
    [{ prefixes: ['1.2.3.4/33'] }, /expected a length from 0 to 32/],
    [{ prefixes: ['::/129'] }, /expected a length from 0 to 128/],
    [{ ...one, forMs: 0 }, /from 1000 to/],
    [{ ...one, forMs: -5 }, /from 1000 to/],
    [{ ...one, forMs: 1e15 }, /from 1000 to/],
    [{ ...one, forMs: 1000.5 }, /from 1000 to/],
    [{ ...one, reason: 'x'.repeat(201) }, /at most 200/],
  ] as const) {
    const answer = await call(deploy, 'POST', '/v1/bans', body)
    assert.equal(answer.status, 400, answer.text)
    assert.match(answer.text, what)
  }
})

test(
  'with an engine, a ban at one control plane holds at the other soon, and one of a limit stands while the engine is away',
  { skip: redisIsMissing },
  async (t) => {
    const origin = await startOrigin(t)
    const redis = await startRedis(t, { appendOnly: true })
    const store = { kind: 'redis' as const, url: redis.url }
    const limit = { name: 'login', key: 'address', rate: '1/1h', ban: { after: 2, within: '1h', for: '1h' } }
    const config = { edge: PROXIED, sites: [{ origin: origin.url, limits: [limit as never] }], store }
    const one = await startNode(t, { config })
    const other = await startNode(t, { config })
    await ban(one, ['192.0.2.7'])
    await eventually(async () => (await statusOf(other, '192.0.2.7')) === 403)
    await ban(other, ['192.0.2.8'])
    await eventually(async () => (await statusOf(one, '192.0.2.8')) === 403)
    await redis.kill()
    await eventually(async () => (await statusOf(one, '192.0.2.9')) === 403)
    assert.match((await bansOf(one))[0]!, /^192\.0\.2\.9 limit \S+login \S+ waiting$/)
    await redis.start()
    await eventually(async () => (await bansOf(other))[0]?.startsWith('192.0.2.9 limit '))
    assert.equal(await statusOf(other, '192.0.2.9'), 403)
  },
)
