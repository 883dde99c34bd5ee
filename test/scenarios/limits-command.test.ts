/** `orla limits` and the API behind it: what limits allowed and refused, who asked most, and who may see it. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { MadeToken } from '../../src/control/access-shapes.ts'
import type { LimitSummary, LimitTopSummary } from '../../src/control/limit-shapes.ts'
import { ask } from '../harness/http-client.ts'
import { clientAddresses, askAll, TRUSTING_EDGE } from '../harness/many-clients.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

/** So long that no machine is slow enough for a part of it to come back. */
const DAY = '1d'
const NOTHING = { allowed: 0, refused: 0, wouldRefuse: 0, waited: 0 }

async function nodeWithLimits(t: TestContext): Promise<TestNode> {
  const origin = await startOrigin(t)
  const site = (name: string, limits: object[]) => ({
    name,
    hosts: [`${name}.example.org`],
    origin: origin.url,
    limits: limits as never,
  })
  return startNode(t, {
    config: {
      edge: { ...TRUSTING_EDGE, workers: 2, limits: PATIENT },
      limits: [{ name: 'over-all', rate: '1000/1h', key: 'host', dryRun: true }],
      sites: [
        site('shop', [{ name: 'login', rate: `2/${DAY}`, key: 'address' }]),
        site('tv', [
          { name: 'login', rate: '5/200ms', key: 'address', store: 'sketch', algorithm: 'sliding-window' },
          { name: 'calls', rate: '100/1m' },
        ]),
      ],
    },
  })
}

const SHOP = { headers: { host: 'shop.example.org' } }

test('the limits are listed with what they allowed and refused', async (t) => {
  const node = await nodeWithLimits(t)
  for (let i = 0; i < 5; i += 1) await node.request('/', SHOP)
  const listed = await node.orla('limits', '--json')
  assert.equal(listed.code, 0, listed.stderr)
  const limits = JSON.parse(listed.stdout) as LimitSummary[]
  const rate = { kind: 'rate', dryRun: false, ...NOTHING } as const
  assert.deepEqual(
    limits.map(({ keys: _keys, ...one }) => one),
    [
      {
        ...rate,
        site: '',
        name: 'over-all',
        policy: '1000 in 1h by host',
        dryRun: true,
        allowed: 5,
        keysMax: 100_000,
      },
      {
        ...rate,
        site: 'shop',
        name: 'login',
        policy: `2 in ${DAY} by address`,
        allowed: 2,
        refused: 3,
        keysMax: 100_000,
      },
      { ...rate, site: 'tv', name: 'login', policy: '5 in 200ms by address' },
      { ...rate, site: 'tv', name: 'calls', policy: '100 in 1m by keys of units', keysMax: 100_000 },
    ],
  )
  assert.deepEqual(
    limits.map(({ keys }) => keys),
    [1, 1, undefined, 0],
  )
  const { stdout } = await node.orla('limits')
  assert.match(
    stdout,
    /^SITE +LIMIT +POLICY +ALLOWED +REFUSED +KEYS\n\(all\) +over-all +1000 in 1h by host \(dry run\) +5 +0 +1\/100000\n/,
  )
  assert.match(stdout, /\ntv +login +5 in 200ms by address +0 +0 +-\n/)
  const ofShop = JSON.parse((await node.orla('limits', '--site', 'shop', '--json')).stdout) as LimitSummary[]
  assert.deepEqual(
    ofShop.map(({ name }) => name),
    ['login'],
  )
  const overAll = JSON.parse((await node.api('GET', '/v1/limits?site=')).text) as LimitSummary[]
  assert.deepEqual(
    overAll.map(({ name }) => name),
    ['over-all'],
  )
  assert.match(
    node.stderr(),
    /the limit login of the site tv counts in a sketch of 524,288 × 3 cells of 16 bits, [0-9.]+ MiB: a key .* is wrongly refused with a probability of /,
  )
})

test('who asked most is told by key and prefix, of all workers', async (t) => {
  const node = await nodeWithLimits(t)
  await askAll(
    { request: (path, options) => node.request(path, { headers: { ...options?.headers, ...SHOP.headers } }) },
    clientAddresses(10),
  )
  const hammering = { headers: { ...SHOP.headers, 'x-forwarded-for': '203.0.113.9' } }
  for (let i = 0; i < 30; i += 1) await node.request('/', hammering)
  const top = await node.orla('limits', 'top', 'login', '--site', 'shop', '--count', '3', '--json')
  assert.equal(top.code, 0, top.stderr)
  const entries = JSON.parse(top.stdout) as LimitTopSummary[]
  assert.equal(entries.length, 3)
  assert.deepEqual(entries[0], { site: 'shop', name: 'login', key: '203.0.113.9', count: 30, excess: 0 })
  assert.equal(entries[1]!.count, 1)
  assert.match(
    (await node.orla('limits', 'top', 'login', '--site', 'shop')).stdout,
    /^COUNT +KEY\n\d+ +203\.0\.113\.9\n/,
  )
})

test('what is not there, or could mean two limits, is told', async (t) => {
  const node = await nodeWithLimits(t)
  const failing = async (...argv: string[]) => {
    const { code, stderr } = await node.orla('limits', ...argv)
    assert.notEqual(code, 0)
    return stderr
  }
  assert.match(
    await failing('top', 'login'),
    /login is the name of several limits: say of which site, shop, tv/,
  )
  assert.match(await failing('top', 'nothing'), /there is no limit nothing.*`orla limits` lists them/s)
  assert.match(await failing('top', 'calls', '--site', 'shop'), /there is no limit calls of the site shop/)
  assert.match(await failing('--site', 'nowhere'), /there is no site nowhere/)
  assert.match(await failing('top'), /`top` needs the name of a limit/)
  assert.match(await failing('bottom'), /"bottom" is not `top`/)
  assert.match(await failing('top', 'calls', '--count', '0'), /count=0: expected a number from 1 to 500/)
})

test('a token that is limited to a site sees the limits of that site', async (t) => {
  const node = await nodeWithLimits(t)
  const made = await node.api('POST', '/v1/tokens', { name: 'shop', role: 'read', sites: ['shop'] })
  const { token } = JSON.parse(made.text) as MadeToken
  const get = (path: string) =>
    ask(new URL(path, node.control), { headers: { authorization: `Bearer ${token}` } })
  const listed = JSON.parse((await get('/v1/limits')).text) as LimitSummary[]
  assert.deepEqual(
    listed.map(({ site, name }) => `${site} ${name}`),
    ['shop login'],
  )
  assert.equal((await get('/v1/limits/top?name=login')).status, 200)
  assert.equal((await get('/v1/limits/top?name=login&site=tv')).status, 403)
  assert.equal((await get('/v1/limits/top?name=over-all')).status, 403)
  assert.equal((await get('/v1/limits?site=tv')).status, 403)
})
