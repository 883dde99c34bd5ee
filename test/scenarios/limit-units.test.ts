/** Limits as units ask for them by name, on a real node. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

/** Takes of the limit `name` for `key`, and says what it was told. */
const TAKER = `export default {
  limits: { wallMs: 60000, cpuMs: 1000 },
  async content(request, edge) {
    const { query } = request
    try {
      const taken = await edge.limit(query.get('name') ?? 'login').take(query.get('key') ?? 'k', Number(query.get('cost') ?? 1))
      return Response.json({ ...taken, never: taken.retryAfterMs === Infinity })
    } catch (error) {
      return Response.json({ name: error.name, code: error.code, message: error.message })
    }
  },
}`

interface Taken {
  readonly allowed: boolean
  readonly remaining: number
  readonly retryAfterMs: number | null
  readonly resetMs: number
  readonly never: boolean
  readonly name?: string
  readonly code?: string
  readonly message?: string
}

test('four workers and a client that hammers: what a unit takes is taken once, whoever runs it', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: {
      edge: { workers: 4 },
      sites: [{ origin: origin.url, limits: [{ name: 'login', rate: '25/1d' }] }],
    },
    units: { taker: TAKER },
  })
  const answers = await Promise.all(
    Array.from({ length: 120 }, async () => JSON.parse((await node.request('/?key=ana')).text) as Taken),
  )
  const allowed = answers.filter((answer) => answer.allowed)
  assert.deepEqual(
    allowed.map(({ remaining }) => remaining).toSorted((a, b) => a - b),
    Array.from({ length: 25 }, (_, i) => i),
  )
  const refused = answers.find((answer) => !answer.allowed)!
  assert.ok(refused.retryAfterMs! > 0 && refused.retryAfterMs! <= 86_400_000 / 25)
  const counted = async () =>
    /orla_limit_decisions_total\{[^}]*limit="login"[^}]*outcome="refused"[^}]*\} (\d+)/.exec(
      (await node.api('GET', '/metrics')).text,
    )?.[1]
  await eventually(async () => (await counted()) === '95')
})

test("a site's limit comes before the node's of the same name, and a name that nobody has is told", async (t) => {
  const origin = await startOrigin(t)
  const limit = (rate: string) => [{ name: 'login', rate }]
  const node = await startNode(t, {
    config: {
      limits: [
        ...limit('7/1d'),
        { name: 'shared', rate: '2/1d' },
        { name: 'slots', kind: 'concurrency', max: 5, key: 'address' },
      ],
      sites: [
        { hosts: ['a.example.org'], origin: origin.url, limits: limit('3/1d') },
        { hosts: ['b.example.org'], origin: origin.url },
      ],
    },
    units: { taker: TAKER },
  })
  const ask = async (host: string, query: string) =>
    JSON.parse((await node.request(`/?${query}`, { headers: { host } })).text) as Taken
  assert.equal((await ask('a.example.org', 'key=k')).remaining, 2)
  assert.equal((await ask('b.example.org', 'key=k')).remaining, 6)
  assert.equal((await ask('a.example.org', 'name=shared')).remaining, 1)
  assert.equal((await ask('b.example.org', 'name=shared')).remaining, 0)
  assert.deepEqual(
    [
      (await ask('a.example.org', 'key=k&cost=0')).remaining,
      (await ask('a.example.org', 'key=k&cost=2')).allowed,
    ],
    [2, true],
  )
  const tooMuch = await ask('a.example.org', 'key=other&cost=4')
  assert.deepEqual([tooMuch.allowed, tooMuch.never], [false, true])
  const unknown = await ask('b.example.org', 'name=logn')
  assert.deepEqual(
    [unknown.code, unknown.message],
    ['limit-unknown', 'edge.limit: there is no limit called `logn`: did you mean `login`?'],
  )
  const slots = await ask('b.example.org', 'name=slots')
  assert.equal(slots.code, 'limit-invalid')
  assert.match(slots.message!, /`slots` limits requests in flight or bytes a second: nothing is taken of it/)
})

test('a key that is an address is counted by its prefixes, whatever else is a text', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: {
      sites: [
        {
          origin: origin.url,
          limits: [
            { name: 'login', rate: '2/1d', exempt: ['198.51.100.0/24'] },
            { name: 'dry', rate: '1/1d', dryRun: true },
          ],
        },
      ],
    },
    units: { taker: TAKER },
  })
  const allowed = async (key: string, name = 'login') =>
    (JSON.parse((await node.request(`/?name=${name}&key=${encodeURIComponent(key)}`)).text) as Taken).allowed
  // All of a /64 is one client, and an address on an IPv6 socket the one that it is.
  const one = ['2001:db8::1', '2001:DB8::ffff', '2001:db8:0:0:1::1']
  assert.deepEqual(
    await Promise.all(one.map((key) => allowed(key))).then((all) => all.filter(Boolean).length),
    2,
  )
  assert.equal(await allowed('2001:db8:0:1::1'), true)
  assert.deepEqual(
    [await allowed('192.0.2.1'), await allowed('::ffff:192.0.2.1'), await allowed('192.0.2.1')],
    [true, true, false],
  )
  // No address: a zone, a part too many, leading zeros.
  for (const key of ['fe80::1%eth0', '192.0.2.1.', '192.0.02.1', ''])
    assert.equal(await allowed(key), true, key)
  for (let i = 0; i < 4; i++) assert.equal(await allowed('198.51.100.7'), true, 'exempt')
  assert.deepEqual([await allowed('k', 'dry'), await allowed('k', 'dry')], [true, true])
  const { text } = await node.api('GET', '/metrics')
  assert.match(text, /orla_limit_decisions_total\{[^}]*limit="dry"[^}]*outcome="dry_run"[^}]*\} 1/)
})

test('a run that is begun anew after the death of its sandbox takes what it took once', async (t) => {
  const origin = await startOrigin(t)
  const unit = `export default {
    limits: { wallMs: 60000, cpuMs: 1000 },
    async content(request, edge) {
      const { remaining } = await edge.limit('login').take('ana')
      if (request.path !== '/waits') return new Response(String(remaining))
      while ((await edge.cache.get('go')) === null) await new Promise((resolve) => setTimeout(resolve, 20))
      return new Response(String(remaining))
    },
    async access(request, response, edge) {
      if (request.path !== '/go') return
      await edge.cache.put('go', 'go')
      return new Response('gone')
    },
  }`
  const node = await startNode(t, {
    config: { sites: [{ origin: origin.url, limits: [{ name: 'login', rate: '10/1d' }] }] },
    units: { unit },
  })
  const ask = async (path: string) => Number((await node.request(path)).text)
  assert.equal(await ask('/'), 9)
  const waits = ask('/waits')
  await eventually(async () => {
    const { text } = await node.api('GET', '/metrics')
    return /orla_limit_decisions_total\{[^}]*outcome="allowed"[^}]*\} 2/.test(text)
  })
  const { sandboxes } = node.processes()
  for (const pid of sandboxes) process.kill(pid, 'SIGKILL')
  await eventually(async () => {
    const now = node.processes().sandboxes
    return now.length > 0 && now.every((pid) => !sandboxes.includes(pid))
  })
  await node.request('/go')
  assert.equal(await waits, 8)
  assert.equal(await ask('/'), 7)
})

test('a timer, which is of no site, takes of the limits of the node', async (t) => {
  const origin = await startOrigin(t)
  const node = await startNode(t, {
    config: { limits: [{ name: 'jobs', rate: '2/1d' }], sites: [{ origin: origin.url }] },
    units: {
      clock: `export default {
        every: '100ms',
        limits: { wallMs: 30000, cpuMs: 1000 },
        async timer(edge) {
          const { allowed } = await edge.limit('jobs').take('run')
          await edge.kv.increment(allowed ? 'ran' : 'left out')
        },
        content: async (request, edge) => new Response([await edge.kv.get('ran'), (await edge.kv.get('left out')) !== null].join()),
      }`,
    },
  })
  await eventually(async () => (await node.request('/')).text === '2,true')
})
