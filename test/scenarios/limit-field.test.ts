/** The field `limit` of units on a real node: a request passes it before the unit runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import type { Ask } from '../harness/http-client.ts'
import { askAll, clientAddresses, TRUSTING_EDGE } from '../harness/many-clients.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { BY_HAND } from '../harness/rollouts.ts'

const from = (address: string, headers: Ask['headers'] = {}): Ask => ({
  headers: { 'x-forwarded-for': address, ...headers },
})

async function statuses(
  node: TestNode,
  count: number,
  path: string,
  options?: Ask,
): Promise<readonly number[]> {
  const all: number[] = []
  for (let i = 0; i < count; i++) all.push((await node.request(path, options)).status)
  return all
}

/** Runs of a unit in all phases, as the metrics tell it. */
async function runsOf(node: TestNode, unit: string): Promise<number> {
  const { text } = await node.api('GET', '/metrics')
  const runs = [
    ...text.matchAll(new RegExp(`^orla_unit_runs_total\\{[^}]*unit="${unit}"[^}]*\\} (\\d+)$`, 'gm')),
  ]
  return runs.reduce((sum, [, value]) => sum + Number(value), 0)
}

test('a request that a limit of the unit refuses is answered with 429, and nothing of the unit runs', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { edge: { workers: 4, ...TRUSTING_EDGE }, sites: [{ origin: origin.url }] },
    units: {
      gate: `export default {
        limit: '3/1d',
        access(request, response) { response.headers.set('x-gate', 'passed') },
        headerFilter(request, response) { response.headers.set('x-filter', 'gate') },
        log() {},
      }`,
    },
  })
  const answers = await Promise.all(Array.from({ length: 20 }, () => node.request('/', from('192.0.2.1'))))
  const passed = answers.filter(({ status }) => status === 200)
  const refused = answers.filter(({ status }) => status === 429)
  assert.deepEqual([passed.length, refused.length], [3, 17])
  for (const { headers } of passed)
    assert.deepEqual([headers['x-gate'], headers['x-filter']], ['passed', 'gate'])
  const [{ headers, text }] = refused as [(typeof refused)[0]]
  assert.deepEqual([headers['x-gate'], headers['x-filter']], [undefined, undefined])
  assert.equal(headers['ratelimit-policy'], '"gate";q=3;w=86400')
  assert.match(String(headers['ratelimit']), /^"gate";r=0;t=\d+$/)
  assert.ok(Number(headers['retry-after']) > 0)
  const { status, 'violated-policies': violated } = JSON.parse(text) as Record<string, unknown>
  assert.deepEqual([status, violated], [429, ['gate']])
  // Each of three requests: access, headerFilter, log.
  await eventually(async () => (await runsOf(node, 'gate')) === 9)
  assert.equal((await node.request('/', from('192.0.2.2'))).status, 200, 'another client')
  const { text: metrics } = await node.api('GET', '/metrics')
  assert.match(
    metrics,
    /orla_limit_decisions_total\{[^}]*site="unit gate"[^}]*limit="gate"[^}]*outcome="refused"[^}]*\} 17/,
  )
})

test('a request takes of each limit once, however many phases its unit has', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url }] },
    units: {
      many: `export default {
        limit: { name: 'many', rate: '10/1d', key: 'all' },
        rewrite() {},
        access() {},
        content: async (request) => new Response(await request.text()),
      }`,
    },
  })
  const first = await node.request('/', { method: 'POST', body: 'sent' })
  assert.deepEqual([first.text, first.headers['ratelimit']?.toString().split(';')[1]], ['sent', 'r=9'])
  const second = await node.request('/')
  assert.equal(second.headers['ratelimit']?.toString().split(';')[1], 'r=8')
})

test('units before a limited one have run when it refuses, and what they changed is kept', async (t) => {
  const origin = await startOrigin(t, ({ url, headers }, response) =>
    response.end(`${url} ${headers['x-first']}`),
  )
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url }] },
    units: {
      first: `export default {
        priority: 10,
        rewrite(request, response) { request.path = '/rewritten'; response.headers.set('x-first', 'ran') },
        access(request) { request.headers.set('x-first', 'yes') },
      }`,
      limited: `export default {
        limit: { rate: '1/1d', key: 'all' },
        access(request) { request.path += '/limited' + (request.headers.get('x-first') ?? '') },
      }`,
    },
  })
  const passed = await node.request('/a')
  assert.deepEqual(
    [passed.status, passed.text, passed.headers['x-first']],
    [200, '/rewritten/limitedyes yes', 'ran'],
  )
  const refused = await node.request('/a')
  assert.deepEqual([refused.status, refused.headers['x-first']], [429, 'ran'])
  assert.deepEqual([await runsOf(node, 'first'), await runsOf(node, 'limited')], [4, 1])
})

test('the unit that answers is limited before its body is read, and passes on nothing that it refused', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url }] },
    units: {
      form: `export default {
        limit: { rate: '2/1d', key: 'header:x-user', methods: ['POST'] },
        content: async (request) => new Response('got ' + (await request.text()).length),
      }`,
    },
  })
  const send = (user: string) =>
    node.request('/', { method: 'POST', body: 'x'.repeat(100_000), headers: { 'x-user': user } })
  const all = [await send('ana'), await send('ana'), await send('ana'), await send('eli')]
  assert.deepEqual(
    all.map(({ status }) => status),
    [200, 200, 429, 200],
  )
  assert.equal(all[0]!.text, 'got 100000')
  assert.deepEqual(
    await statuses(node, 3, '/', { headers: { 'x-user': 'ana' } }),
    [200, 200, 200],
    'a GET is not limited',
  )
})

test('a name in the field means a limit of the site: by address where nothing else is said, and never twice', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: {
      edge: TRUSTING_EDGE,
      sites: [
        {
          origin: origin.url,
          limits: [
            { name: 'login', rate: '2/1d' },
            { name: 'all', rate: '8/1d', key: 'all' },
          ],
        },
      ],
    },
    units: { gate: `export default { paths: '/login', limit: ['all', 'login'], access() {} }` },
  })
  assert.deepEqual(await statuses(node, 3, '/login', from('192.0.2.1')), [200, 200, 429])
  assert.deepEqual(await statuses(node, 1, '/login', from('192.0.2.2')), [200])
  const other = await node.request('/other', from('192.0.2.1'))
  assert.equal(other.status, 200, 'where the unit does not run')
  assert.equal(
    other.headers['ratelimit']?.toString().split(';')[1],
    'r=3',
    'five requests took of it once each',
  )
})

test('a dry run refuses nobody, and a name that nobody has is a failure of the unit', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url }] },
    units: {
      dry: `export default { paths: '/dry', limit: { rate: '1/1d', dryRun: true }, content: () => new Response('ran') }`,
      wrong: `export default { paths: '/wrong', limit: 'nobodys', content: () => new Response('ran') }`,
      open: `export default { paths: '/open', limit: 'nobodys', onError: 'open', content: () => new Response('ran') }`,
    },
  })
  assert.deepEqual(await statuses(node, 3, '/dry'), [200, 200, 200])
  const { text } = await node.api('GET', '/metrics')
  assert.match(text, /orla_limit_decisions_total\{[^}]*limit="dry"[^}]*outcome="dry_run"[^}]*\} 2/)
  const wrong = await node.request('/wrong')
  assert.deepEqual([wrong.status, wrong.headers['orla-unit-error']], [503, 'wrong throw'])
  assert.equal((await node.request('/open')).text, 'ran')
  await eventually(async () =>
    /there is no limit called `nobodys`/.test((await node.api('GET', '/v1/units/wrong')).text),
  )
})

test('a deploy that changes the rate goes on counting, and one that changes the key begins anew', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, { config: { edge: { workers: 2 }, sites: [{ origin: origin.url }] } })
  const deploy = (limit: string) =>
    node.deploy('gate', `export default { limit: ${limit}, content: () => new Response('ran') }`)
  await deploy("{ rate: '3/1d', algorithm: 'fixed-window' }")
  assert.deepEqual(await statuses(node, 4, '/'), [200, 200, 200, 429])
  await deploy("{ rate: '5/1d', algorithm: 'fixed-window' }")
  assert.deepEqual(await statuses(node, 3, '/'), [200, 200, 429])
  await deploy("{ rate: '5/1d', algorithm: 'fixed-window', key: 'all' }")
  assert.deepEqual(await statuses(node, 6, '/'), [200, 200, 200, 200, 200, 429])
  await deploy('undefined')
  assert.deepEqual(await statuses(node, 3, '/'), [200, 200, 200])
})

test('a version on its way counts with the live one where it says the same, and by itself where not', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, { config: { edge: TRUSTING_EDGE, sites: [{ origin: origin.url }] } })
  const unit = (rate: string) =>
    `export default { limit: { rate: '${rate}', key: 'all' }, content: (_, edge) => new Response(edge.unit.version + '') }`
  const passed = async () => {
    const answers = await askAll(node, clientAddresses(40))
    return Map.groupBy(
      [...answers.values()].filter(({ status }) => status === 200),
      ({ text }) => text,
    )
  }
  await node.deploy('gate', unit('6/1d'))
  await node.deploy('gate', unit('6/1d'), { stages: ['50%'], ...BY_HAND })
  const together = await passed()
  assert.equal((together.get('1')?.length ?? 0) + (together.get('2')?.length ?? 0), 6)
  // Another rate: the live version has nothing left, the newer one its own.
  await node.deploy('gate', unit('2/1d'), { stages: ['50%'], ...BY_HAND, replace: true })
  const apart = await passed()
  assert.deepEqual(
    [...apart].map(([version, answers]) => [version, answers.length]),
    [['3', 2]],
  )
})

test('what the field may not say refuses the deploy, and the command can give another one', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url }] },
    files: { 'gate.ts': `export default { limit: 'nobodys', content: () => new Response('ran') }\n` },
  })
  await assert.rejects(
    node.deploy('bad', `export default { limit: { rate: '0/s' }, content: () => new Response() }`),
    /`limit\.rate`: expected a rate such as/,
  )
  await assert.rejects(
    node.deploy('late', `export default { limit: '1/s', headerFilter() {} }`),
    /`limit` is for units with `rewrite`, `access`, `content` or `fetch`/,
  )
  const { code, stderr } = await node.orla('deploy', `${node.folder}/gate.ts`, '--limit', '2/1d')
  assert.equal(code, 0, stderr)
  assert.deepEqual(await statuses(node, 3, '/'), [200, 200, 429])
  const { stdout } = await node.orla('units', 'gate')
  assert.match(stdout, /^takes of +\{"rate":"2\/1d"\}$/m)
  const { manifest } = JSON.parse((await node.api('GET', '/v1/units/gate')).text) as {
    manifest: { limit: unknown }
  }
  assert.deepEqual(manifest.limit, [{ rate: '2/1d' }])
})

test('a deploy warns of what a limit of the unit relies on and the node has not', async (t) => {
  const origin = await startOrigin(t)
  const limits = [{ name: 'login', rate: '3/1h' }]
  const node = await startNode(t, { config: { sites: [{ origin: origin.url, limits }] } })
  const warningsOf = async (limit: string): Promise<readonly string[]> => {
    const source = `export default { limit: ${limit}, content: () => new Response('') }`
    return (await node.deploy('gate', source)).warnings.map(({ message }) => message)
  }
  assert.deepEqual(await warningsOf("'logn'"), [
    'limit: no site has a limit called `logn`, and the unit fails until one has: there are login',
  ])
  assert.deepEqual(await warningsOf("{ rate: '4/1d', key: 'asn', scope: 'cluster' }"), [
    'limit: `gate` is counted by this node alone: for `scope` "cluster" it needs `edge.limitsRedis`',
    'limit: `gate` takes all clients for one here: for the key "asn" the node needs `geo.asn`',
  ])
  assert.deepEqual(await warningsOf("['login', { name: 'own', rate: '4/1d', key: ['path', 'host'] }]"), [])
})
