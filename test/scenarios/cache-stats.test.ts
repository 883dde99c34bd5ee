/** What caches hold and did, as the API, the command and a scrape tell it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CacheSummary, TopObjectSummary } from '../../src/control/cache-shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { siteNamed, startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

test('what the caches of a node did is told by site, over all workers', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    const control = request.url!.startsWith('/private') ? 'private' : 'max-age=3600'
    response.writeHead(200, { 'cache-control': control, 'content-type': 'text/plain' }).end('x'.repeat(1000))
  })
  const cache = { ram: '4mb', topSample: 1 }
  const node = await startNode(t, {
    config: {
      edge: { workers: 2 },
      sites: [
        siteNamed('one', origin.url, { cache }),
        siteNamed('two', origin.url, { cache }),
        siteNamed('bare', origin.url),
      ],
    },
  })
  const get = (name: string, path: string, method = 'GET') =>
    node.request(path, { method, headers: { host: `${name}.example.org` } })
  const read = async <T>(path: string): Promise<T> => {
    const { status, text } = await node.api('GET', path)
    assert.equal(status, 200, text)
    return JSON.parse(text) as T
  }
  const sumOf = (counts: Readonly<Record<string, number>>) =>
    Object.values(counts).reduce((total, count) => total + count, 0)

  for (let i = 0; i < 40; i++) await get('one', '/often')
  for (let i = 0; i < 10; i++) await get('one', '/rarely')
  await get('one', '/private')
  await get('one', '/often', 'OPTIONS')
  await get('bare', '/often')

  await t.test('GET /v1/cache', async () => {
    const caches = await eventually(async () => {
      const all = await read<CacheSummary[]>('/v1/cache')
      return all[0]!.workers === 2 && all
    })
    assert.deepEqual(
      caches.map(({ site }) => site),
      ['one.example.org', 'two.example.org'],
    )
    const [one, two] = caches as [CacheSummary, CacheSummary]
    const { results, refusals, bytes, counters } = one
    assert.equal(sumOf(results), 52)
    assert.equal(results['method'], 1)
    // The origin is asked once an object; a worker that has none of it asks the other one.
    const misses = results['uri-miss']!
    const { hit, sibling = 0 } = results as { readonly hit: number; readonly sibling?: number }
    assert.equal(misses, 3, JSON.stringify(results))
    assert.ok(sibling <= 2, JSON.stringify(results))
    assert.equal(hit + sibling, 51 - misses)
    assert.ok(Math.abs(one.hitRatio! - (hit + sibling) / 52) < 1e-9, `${one.hitRatio}`)
    assert.deepEqual(refusals, { private: 1 })
    assert.ok(
      bytes.cache > (hit + sibling) * 1000 && bytes.cache < (hit + sibling) * 1600,
      JSON.stringify(bytes),
    )
    assert.ok(bytes.origin > misses * 1000, JSON.stringify(bytes))
    assert.equal(counters['stored'], misses - 1 + sibling)
    assert.equal(counters['entries'], misses - 1 + sibling)
    assert.deepEqual([two.results, two.hitRatio, two.byteHitRatio], [{ hit: 0 }, undefined, undefined])
    assert.equal((await read<CacheSummary[]>('/v1/cache?site=two.example.org')).length, 1)
    assert.deepEqual(await read('/v1/cache?site=bare.example.org'), [])
    assert.equal((await node.api('GET', '/v1/cache?site=none')).status, 404)
  })

  await t.test('GET /v1/cache/top', async () => {
    const top = await read<TopObjectSummary[]>('/v1/cache/top')
    assert.deepEqual(
      top.map(({ site, key }) => `${site} ${key}`),
      ['one.example.org http://one.example.org/often', 'one.example.org http://one.example.org/rarely'],
    )
    const [{ hits, bytes, ageSeconds, ttlSeconds }] = top as [TopObjectSummary]
    assert.ok(hits >= 38 && hits <= 39, `${hits}`)
    assert.equal(bytes, hits * 1000)
    assert.ok(ageSeconds >= 0 && ttlSeconds > 3000 && ttlSeconds <= 3600, `${ageSeconds} ${ttlSeconds}`)
    assert.equal((await read<TopObjectSummary[]>('/v1/cache/top?count=1')).length, 1)
    assert.deepEqual(await read('/v1/cache/top?site=two.example.org'), [])
    for (const count of ['0', '501', 'x', '-1', '1.5'])
      assert.equal((await node.api('GET', `/v1/cache/top?count=${count}`)).status, 400, count)
  })

  await t.test('orla cache stats and orla cache top', async () => {
    const stats = await node.orla('cache', 'stats')
    assert.equal(stats.code, 0, stats.stderr)
    assert.match(stats.stdout, /one\.example\.org +\d+\.\d% /)
    assert.match(stats.stdout, /one\.example\.org: not kept: private 1/)
    const json = await node.orla('cache', 'stats', '--site', 'one.example.org', '--json')
    assert.equal((JSON.parse(json.stdout) as CacheSummary[])[0]!.site, 'one.example.org')
    const top = await node.orla('cache', 'top', '--count', '1')
    assert.match(top.stdout, /http:\/\/one\.example\.org\/often$/m)
    assert.equal((await node.orla('cache', 'top', '--site', 'none')).code, 1)
    const help = await node.orla('cache', '--help')
    assert.match(help.stdout, /stats .*\n.*top /)
  })

  await t.test('orla cache explain and GET /v1/cache/explain', async () => {
    const explained = await node.orla('cache', 'explain', 'HTTP://One.example.org:80/often#part')
    assert.equal(explained.code, 0, explained.stderr)
    assert.match(explained.stdout, /^site +one\.example\.org\nkey +http:\/\/one\.example\.org\/often\n/)
    assert.match(explained.stdout, /\n\d +200 +\d+s +\d+m +1\.0 kB/)
    const empty = await node.orla('cache', 'explain', 'http://two.example.org/?a=1')
    assert.match(empty.stdout, /GET \/\?a=1\n\nnothing is stored in memory/)
    assert.match((await node.orla('cache', 'explain', 'http://bare.example.org/')).stdout, /has no cache/)
    for (const url of ['http://none.example.org/', 'often', ''])
      assert.equal((await node.api('GET', `/v1/cache/explain?url=${url}`)).status, 404, url)
    const bad = await node.orla('cache', 'explain', 'http://one.example.org/', '--header', 'none')
    assert.match(bad.stderr, /expected `Name: value`/)
  })

  await t.test('a scrape has the same numbers', async () => {
    const { text } = await node.api('GET', '/metrics')
    assert.match(
      text,
      /^orla_cache_requests_total\{(?=.*site="one\.example\.org")(?=.*result="method").*\} 1$/m,
    )
    assert.match(
      text,
      /^orla_cache_refused_total\{(?=.*site="one\.example\.org")(?=.*reason="private").*\} 1$/m,
    )
    assert.match(
      text,
      /^orla_cache_sent_bytes_total\{(?=.*site="one\.example\.org")(?=.*source="cache").*\} \d+$/m,
    )
  })

  await t.test('a token that is limited to a site sees that one alone', async () => {
    const made = await node.api('POST', '/v1/tokens', {
      name: 'two',
      role: 'read',
      sites: ['two.example.org'],
    })
    const { token } = JSON.parse(made.text) as { token: string }
    const as = async (path: string) =>
      ask(new URL(path, node.control), { headers: { authorization: `Bearer ${token}` } })
    const caches = JSON.parse((await as('/v1/cache')).text) as CacheSummary[]
    assert.deepEqual(
      caches.map(({ site }) => site),
      ['two.example.org'],
    )
    assert.equal((await as('/v1/cache/top')).text, '[]')
    assert.equal((await as('/v1/cache?site=one.example.org')).status, 403)
    assert.equal((await as('/v1/cache/explain?url=http://one.example.org/often')).status, 403)
    assert.equal((await as('/v1/cache/explain?url=http://two.example.org/often')).status, 200)
  })
})

test('a range counts as the bytes that it has, and one that cannot be had as none', async (t) => {
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=3600', etag: '"one"' }).end('x'.repeat(1000))
  })
  const node = await startNode(t, {
    config: { sites: [siteNamed('one', origin.url, { cache: { ram: '4mb', topSample: 1 } })] },
  })
  const get = (range?: string) =>
    node.request('/x', { headers: { host: 'one.example.org', ...(range && { range }) } })
  await get()
  for (const [range, status] of [
    ['bytes=0-9', 206],
    ['bytes=0-9, 500-519', 206],
    ['bytes=5000-', 416],
    [undefined, 200],
  ] as const)
    assert.equal((await get(range)).status, status)
  const { text } = await node.api('GET', '/v1/cache/top')
  const [{ hits, bytes }] = JSON.parse(text) as [TopObjectSummary]
  assert.deepEqual([hits, bytes], [4, 10 + 30 + 0 + 1000])
})
