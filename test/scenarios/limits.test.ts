/** Limits of requests on a real node: who is counted by what, and what answers say of it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { connect } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { eventually } from '../harness/eventually.ts'
import { askHttp2 } from '../harness/http2-client.ts'
import type { Answer, Ask } from '../harness/http-client.ts'
import { TRUSTING_EDGE } from '../harness/many-clients.ts'
import { mmdbOf } from '../harness/mmdb.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

type Files = Readonly<Record<string, string | Buffer>>
type Limits = NonNullable<NonNullable<ConfigInput['sites']>[number]['limits']>

/** So long that no machine is slow enough for a part of it to come back. */
const DAY = '1d'

async function nodeWith(
  t: TestContext,
  limits: Limits,
  { edge, site, files = {}, ...more }: ConfigInput & { readonly site?: object; readonly files?: Files } = {},
): Promise<TestNode> {
  const origin = await startOrigin(t, (_, response) => {
    response.setHeader('cache-control', 'max-age=3600').end('origin')
  })
  return startNode(t, {
    files,
    config: {
      ...more,
      edge: { ...TRUSTING_EDGE, ...edge },
      sites: [{ origin: origin.url, limits, ...site }],
    },
  })
}

const from = (address: string, headers: Ask['headers'] = {}): Ask => ({
  headers: { 'x-forwarded-for': address, ...headers },
})

/** The statuses of one request after the other. */
async function statuses(node: TestNode, count: number, options: Ask, path = '/'): Promise<string> {
  const all: number[] = []
  for (let i = 0; i < count; i += 1) all.push((await node.request(path, options)).status)
  return all.join(' ')
}

test('RFC 6585 §4: a request too many is 429, and says when to come back', async (t) => {
  const node = await nodeWith(t, [{ name: 'login', rate: `2/${DAY}`, key: 'address' }])
  const first = await node.request('/')
  assert.equal(first.status, 200)
  assert.equal(first.headers['ratelimit-policy'], '"login";q=2;w=86400')
  assert.equal(first.headers['ratelimit'], '"login";r=1;t=43200')
  assert.equal((await node.request('/')).headers['ratelimit'], '"login";r=0;t=86400')

  const refused = await node.request('/')
  assert.equal(refused.status, 429)
  const { headers } = refused
  assert.equal(headers['retry-after'], '43200')
  assert.equal(headers['ratelimit'], '"login";r=0;t=43200', 'the same moment as in `Retry-After`')
  assert.equal(headers['ratelimit-policy'], '"login";q=2;w=86400')
  assert.equal(headers['cache-control'], 'no-store')
  assert.equal(headers['content-type'], 'application/problem+json')
  assert.deepEqual(JSON.parse(refused.text), {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
    status: 429,
    detail: 'the limit login allows 2 in 86400 s',
    'violated-policies': ['login'],
  })
  const head = await node.request('/', { method: 'HEAD' })
  assert.equal(head.status, 429)
  assert.equal(head.text, '')
  assert.equal(head.headers['content-length'], String(refused.body.length))
})

test('over HTTP/2 the same', async (t) => {
  const node = await nodeWith(t, [{ name: 'all', rate: `1/${DAY}`, key: 'all', status: 503 }], {
    edge: { listen: { address: '127.0.0.1:0', h2c: true } },
  })
  const session = connect(node.url)
  t.after(() => session.destroy())
  assert.equal((await askHttp2(session, { ':path': '/' })).headers[':status'], 200)
  const refused = await askHttp2(session, { ':path': '/' })
  assert.equal(refused.headers[':status'], 503)
  assert.equal(refused.headers['retry-after'], '86400')
  assert.deepEqual(JSON.parse(refused.body.toString())['violated-policies'], ['all'])
})

test('a hit of the cache is limited too, and what is stored says nothing of limits', async (t) => {
  const node = await nodeWith(t, [{ name: 'a', rate: `3/${DAY}`, key: 'address' }], { site: { cache: {} } })
  const answers: Answer[] = []
  for (let i = 0; i < 4; i += 1) answers.push(await node.request('/a'))
  assert.deepEqual(
    answers.map(({ status, headers }) => [status, headers['ratelimit']?.toString().split(';')[1]]),
    [
      [200, 'r=2'],
      [200, 'r=1'],
      [200, 'r=0'],
      [429, 'r=0'],
    ],
  )
  assert.match(String(answers[1]!.headers['cache-status']), /hit/)
  const other = await node.request('/a', from('192.0.2.77'))
  assert.equal(other.status, 200)
  assert.equal(other.headers['ratelimit'], '"a";r=2;t=28800')
})

test('IPv6 clients are counted by /64, and by the /56 and /48 around it; IPv4 clients one by one', async (t) => {
  const node = await nodeWith(t, [{ name: 'a', rate: `1/${DAY}`, key: 'address' }])
  const one = async (address: string) => (await node.request('/', from(address))).status
  assert.equal(await one('2001:db8:1:100::1'), 200)
  assert.equal(await one('2001:db8:1:100:ffff:ffff:ffff:ffff'), 429, 'another address of the same /64')
  // A /56 has four times as much, as long as nobody has taken it.
  assert.deepEqual(
    [
      await one('2001:db8:1:101::1'),
      await one('2001:db8:1:102::1'),
      await one('2001:db8:1:103::1'),
      await one('2001:db8:1:104::1'),
    ],
    [200, 200, 200, 429],
  )
  // A /48 sixteen times: four networks of four are through with it.
  const more: number[] = []
  for (const network of [2, 3, 4])
    for (let i = 0; i < 4; i += 1) more.push(await one(`2001:db8:1:${network}0${i}::1`))
  assert.deepEqual(new Set(more), new Set([200]))
  assert.equal(await one('2001:db8:1:500::1'), 429)
  assert.equal(await one('2001:db8:2::1'), 200)
  assert.deepEqual(
    [await one('198.51.100.1'), await one('198.51.100.2'), await one('::ffff:198.51.100.1')],
    [200, 200, 429],
    'an IPv4 address in an IPv6 one is itself',
  )
})

test('requests are counted by what the key names; what is not there by the address', async (t) => {
  const key = (name: string, ...parts: string[]) => ({
    name,
    rate: `1/${DAY}`,
    key: parts,
    paths: [`/${name}/*`],
  })
  const node = await nodeWith(
    t,
    [
      key('header', 'header:X-Api-Key'),
      key('cookie', 'cookie:session'),
      key('path', 'path'),
      key('host', 'host'),
      key('pair', 'pair'),
      key('all', 'all'),
      key('asn', 'asn'),
      key('several', 'address', 'header:x-api-key'),
    ],
    {
      geo: { asn: 'asn.mmdb' },
      files: {
        'asn.mmdb': mmdbOf({
          '198.51.100.0/23': 64_500,
          '2001:db8:77::/48': 64_500,
          '203.0.113.0/24': 64_501,
        }),
      },
    },
  )
  const one = async (path: string, address: string, headers: Ask['headers'] = {}) =>
    (await node.request(path, from(address, headers))).status
  assert.equal(await one('/header/', '192.0.2.1', { 'x-api-key': 'a' }), 200)
  assert.equal(await one('/header/', '192.0.2.2', { 'x-api-key': 'a' }), 429)
  assert.equal(await one('/header/', '192.0.2.2', { 'x-api-key': 'b' }), 200)
  assert.equal(await one('/header/', '192.0.2.3'), 200)
  assert.equal(await one('/header/', '192.0.2.3'), 429, 'who leaves it out is counted')
  assert.equal(
    await one('/header/', '192.0.2.4', { 'x-api-key': '192.0.2.3' }),
    200,
    'and is not that address',
  )

  assert.equal(await one('/cookie/', '192.0.2.1', { cookie: 'a=1; session=s1' }), 200)
  assert.equal(await one('/cookie/', '192.0.2.2', { cookie: 'session=s1; b=2' }), 429)
  assert.equal(await one('/cookie/', '192.0.2.2', { cookie: 'xsession=s1' }), 200)

  assert.equal(await one('/path/a?x=1', '192.0.2.1'), 200)
  assert.equal(await one('/path/%61?x=2', '192.0.2.2'), 429, 'written in another way it is the same')
  assert.equal(await one('/path/b', '192.0.2.2'), 200)

  assert.equal(await one('/host/', '192.0.2.1', { host: 'a.example.org' }), 200)
  assert.equal(await one('/host/', '192.0.2.2', { host: 'A.example.org.' }), 429)
  assert.equal(await one('/host/', '192.0.2.2', { host: 'b.example.org' }), 200)

  assert.equal(await one('/pair/', '192.0.2.1'), 200)
  assert.equal(await one('/pair/', '192.0.2.1'), 429)
  assert.equal(await one('/pair/', '192.0.2.2'), 200)

  assert.equal(await one('/all/', '192.0.2.1'), 200)
  assert.equal(await one('/all/', '192.0.2.2'), 429)

  assert.equal(await one('/asn/', '198.51.100.1'), 200)
  assert.equal(await one('/asn/', '198.51.101.77'), 429, 'of the same network')
  assert.equal(await one('/asn/', '2001:db8:77::1'), 429, 'which has IPv6 addresses as well')
  assert.equal(await one('/asn/', '203.0.113.1'), 200)
  assert.equal(await one('/asn/', '192.0.2.1'), 200, 'of no network that is known')
  assert.equal(await one('/asn/', '192.0.2.2'), 200)

  assert.equal(await one('/several/', '192.0.2.1', { 'x-api-key': 'a' }), 200)
  assert.equal(await one('/several/', '192.0.2.1', { 'x-api-key': 'b' }), 200)
  assert.equal(await one('/several/', '192.0.2.1', { 'x-api-key': 'a' }), 429)
})

test('a limit is for its methods and paths, and not for exempt addresses', async (t) => {
  const node = await nodeWith(t, [
    {
      name: 'writes',
      rate: `1/${DAY}`,
      key: 'address',
      methods: ['post'],
      paths: ['/login', '/api/*'],
      exempt: ['192.0.2.0/24', '2001:db8::/32'],
    },
  ])
  const post = (address: string) => ({ ...from(address), method: 'POST', body: 'x' })
  assert.equal(await statuses(node, 3, from('198.51.100.1'), '/login'), '200 200 200')
  assert.equal(await statuses(node, 3, post('198.51.100.1'), '/other'), '200 200 200')
  assert.equal(await statuses(node, 2, post('198.51.100.1'), '/login'), '200 429')
  assert.equal(await statuses(node, 1, post('198.51.100.1'), '/a/../%6cogin'), '429')
  assert.equal(await statuses(node, 1, post('198.51.100.1'), '/api/x'), '429')
  assert.equal(await statuses(node, 3, post('192.0.2.7'), '/login'), '200 200 200')
  assert.equal(await statuses(node, 3, post('2001:db8::7'), '/login'), '200 200 200')
})

test('GET stands for HEAD', async (t) => {
  const node = await nodeWith(t, [{ name: 'reads', rate: `1/${DAY}`, key: 'all', methods: ['GET'] }])
  assert.equal(await statuses(node, 2, { method: 'HEAD' }), '200 429')
  assert.equal(await statuses(node, 1, { method: 'OPTIONS' }), '200')
})

test('a dry run refuses nobody, and tells what it would have refused', async (t) => {
  const node = await nodeWith(t, [{ name: 'a', rate: `1/${DAY}`, key: 'all', dryRun: true }], {
    edge: { accessLog: { path: 'access.log', fields: ['status', 'limit'] }, debugToken: 'secret' },
  })
  assert.equal(await statuses(node, 3, {}), '200 200 200')
  const shown = await node.request('/', { headers: { 'orla-debug': 'secret' } })
  assert.match(String(shown.headers['orla-limits']), /^\*\/a dry-run \d+ms$/)
  const lines = await eventually(() => {
    const text = readFileSync(join(node.folder, 'access.log'), 'utf8').trimEnd().split('\n')
    return text.length === 4 && text
  })
  assert.deepEqual(lines, ['{"status":200}', ...Array<string>(3).fill('{"status":200,"limit":"a dry-run"}')])
  const { text } = await node.api('GET', '/metrics')
  assert.match(text, /orla_limit_decisions_total\{site="\*",limit="a",outcome="dry_run"\} 3/)
})

test('limits over all sites are asked first, then those of the site; what the first gave stays taken', async (t) => {
  const node = await nodeWith(
    t,
    [
      { name: 'first', rate: `3/${DAY}`, key: 'address' },
      { name: 'second', rate: `1/${DAY}`, key: 'address' },
    ],
    {
      limits: [{ name: 'over-all', rate: `4/${DAY}`, key: 'all', fields: 'refused' }],
      site: { hosts: ['a.example.org'] },
    },
  )
  const ask = () => node.request('/', { headers: { host: 'a.example.org' } })
  const passed = await ask()
  assert.equal(passed.headers['ratelimit-policy'], '"first";q=3;w=86400, "second";q=1;w=86400')
  assert.equal(passed.headers['ratelimit'], '"first";r=2;t=28800, "second";r=0;t=86400')
  const violated: unknown[] = []
  for (let i = 0; i < 4; i += 1) violated.push(JSON.parse((await ask()).text)['violated-policies'])
  assert.deepEqual(violated, [['second'], ['second'], ['first'], ['over-all']])
  assert.equal((await node.request('/', { headers: { host: 'nobody.example.org' } })).status, 429)
})

test('what a request costs, and a burst', async (t) => {
  const node = await nodeWith(t, [
    { name: 'dear', rate: `10/${DAY}`, key: 'all', cost: 4, paths: ['/dear'] },
    { name: 'burst', rate: `10/${DAY}`, key: 'all', burst: 2, paths: ['/burst'] },
    { name: 'gcra', rate: `10/${DAY}`, key: 'all', algorithm: 'gcra', burst: 0, paths: ['/gcra'] },
  ])
  assert.equal(await statuses(node, 3, {}, '/dear'), '200 200 429')
  assert.equal(await statuses(node, 3, {}, '/burst'), '200 200 429')
  assert.equal(await statuses(node, 2, {}, '/gcra'), '200 429')
})

test('a limit for units alone counts no request', async (t) => {
  const node = await nodeWith(t, [{ name: 'a', rate: `1/${DAY}` }])
  assert.equal(await statuses(node, 3, {}), '200 200 200')
  assert.equal((await node.request('/')).headers['ratelimit'], undefined)
})

test('a pair is who asks and the address that it came to, as a proxy says it over the PROXY protocol', async (t) => {
  const node = await nodeWith(
    t,
    [
      { name: 'pair', rate: `1/${DAY}`, key: 'pair', paths: ['/pair'] },
      { name: 'address', rate: `1/${DAY}`, key: 'address', paths: ['/address'] },
    ],
    { edge: { listen: { address: '127.0.0.1:0', proxyProtocol: true } } },
  )
  const statusOver = async (header: string, path: string) => {
    const { hostname, port } = new URL(node.url)
    const socket = connectTcp({ host: hostname, port: Number(port) })
    let text = ''
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece))
    socket.write(`PROXY ${header} 4660 443\r\nGET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    await once(socket, 'close')
    return Number(text.split(' ')[1])
  }
  assert.equal(await statusOver('TCP4 203.0.113.7 198.51.100.1', '/pair'), 200)
  assert.equal(await statusOver('TCP4 203.0.113.7 198.51.100.2', '/pair'), 200, 'another address of ours')
  assert.equal(await statusOver('TCP4 203.0.113.7 198.51.100.1', '/pair'), 429)
  assert.equal(await statusOver('TCP4 203.0.113.8 198.51.100.1', '/pair'), 200)
  assert.equal(await statusOver('TCP6 2001:db8:9::1 2001:db8::1', '/pair'), 200)
  assert.equal(await statusOver('TCP6 2001:db8:9::2 2001:db8::1', '/pair'), 429, 'of the same /64')
  assert.equal(await statusOver('TCP6 2001:db8:7::1 2001:db8::1', '/address'), 200)
  assert.equal(await statusOver('TCP6 2001:db8:7::2 2001:db8::1', '/address'), 429)
})

test('what may wait waits, as many as may, and a client that goes meanwhile is no harm', async (t) => {
  const limit = { name: 'a', rate: `1/${DAY}`, key: 'all', algorithm: 'leaky-queue', queue: 2 } as const
  const node = await nodeWith(t, [limit])
  assert.equal((await node.request('/')).status, 200)
  const agent = new Agent({ maxSockets: 10 })
  const waiting = [1, 2].map(() => node.request('/', { agent }).catch(() => 'gone'))
  const counted = async (outcome: string) => {
    const { text } = await node.api('GET', '/metrics')
    return Number(new RegExp(`limit="a",outcome="${outcome}"\\} (\\d+)`).exec(text)?.[1])
  }
  await eventually(async () => (await counted('waited')) === 2)
  assert.equal((await node.request('/')).status, 429, 'who would be the third to wait')
  agent.destroy()
  assert.deepEqual(await Promise.all(waiting), ['gone', 'gone'])
  assert.equal(await counted('refused'), 1)
  assert.equal((await node.stop()).code, 0, 'nobody waits for them')
})

test('what waits goes on when it is its turn', async (t) => {
  const limit = { name: 'a', rate: '1/300ms', key: 'all', algorithm: 'leaky-queue', queue: 100 } as const
  const node = await nodeWith(t, [limit])
  const started = performance.now()
  const answers = await Promise.all([1, 2, 3, 4].map(() => node.request('/')))
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  )
  assert.ok(performance.now() - started >= 600, 'the last of them, a machine that stood still allowed for')
})

test('a unit is told the network of a client', async (t) => {
  const node = await nodeWith(t, [], {
    geo: { asn: 'asn.mmdb' },
    files: { 'asn.mmdb': mmdbOf({ '198.51.100.0/24': 64_500 }) },
  })
  await node.deploy('asn', 'export default { content: (_, edge) => new Response(String(edge.client.asn)) }')
  assert.equal((await node.request('/', from('198.51.100.1'))).text, '64500')
  assert.equal((await node.request('/', from('192.0.2.1'))).text, 'undefined')
})
