/** What tells answers apart, tried from outside: the origin says what it was asked, and whoever gets the same answer shares a key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ask } from '../harness/http-client.ts'
import { siteNamed, startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const PHONE = 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/137.0.0.0 Mobile Safari/537.36'

test('each site keeps answers under the key that it configures', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.method === 'POST') {
      response.writeHead(204).end()
      return
    }
    const { 'x-tenant': tenant = '-', cookie = '-', 'orla-device': device = '-' } = request.headers
    response.writeHead(200, { 'cache-control': 'max-age=3600' })
    response.end(`${request.url} ${String(tenant)} ${cookie} ${String(device)}`)
  })
  const site = (name: string, key: object) => siteNamed(name, origin.url, { cache: { ram: '4mb', key } })
  const node = await startNode(t, {
    config: {
      sites: [
        site('plain', {}),
        site('none', { query: 'none' }),
        site('only', { query: { only: ['page'] } }),
        site('except', { query: { except: ['utm_*'] }, sortQuery: true }),
        site('parts', { headers: ['X-Tenant'], cookies: ['lang'] }),
        site('device', { device: true }),
      ],
    },
  })
  const get = (name: string, path: string, headers: NonNullable<Ask['headers']> = {}, method = 'GET') =>
    node.request(path, { method, headers: { host: `${name}.example.org`, ...headers } })
  /** Asks for all of them, and says which of the answers came from the cache. */
  const hits = async (name: string, asks: readonly (readonly [string, NonNullable<Ask['headers']>?])[]) => {
    const found: boolean[] = []
    for (const [path, headers] of asks) {
      const { headers: got } = await get(name, path, headers)
      found.push(String(got['cache-status']).startsWith('orla; hit'))
    }
    return found
  }

  await t.test(
    'scheme, host and port are written in one way; path and query count byte by byte',
    async () => {
      const found = await hits('plain', [
        ['/a?b=1'],
        ['/a?b=1', { host: 'PLAIN.Example.Org' }],
        ['/a?b=1', { host: 'plain.example.org:80' }],
        ['/a?b=1', { host: 'plain.example.org.' }],
        ['/a?b=1', { host: 'plain.example.org:8080' }],
        ['/%61?b=1'],
        ['/a?b=%31'],
        ['//a?b=1'],
        ['/a/?b=1'],
        ['/a?b=1', { 'x-tenant': 'other', cookie: 'lang=de' }],
      ])
      assert.deepEqual(found, [false, true, true, true, false, false, false, false, false, true])
    },
  )

  await t.test('the origin is asked for the query that is in the key, and for no more', async () => {
    assert.equal((await get('none', '/a?v=1')).text, '/a - - -')
    assert.equal((await get('only', '/a?utm_source=x&page=2')).text, '/a?page=2 - - -')
    assert.equal((await get('except', '/a?z=1&utm_source=x&a=2&a=1')).text, '/a?a=2&a=1&z=1 - - -')
    assert.deepEqual(await hits('none', [['/a?v=2'], ['/a'], ['/b?v=1']]), [true, true, false])
    assert.deepEqual(await hits('only', [['/a?page=2'], ['/a?page=3'], ['/a?x=1&page=2']]), [
      true,
      false,
      true,
    ])
    assert.deepEqual(await hits('except', [['/a?a=2&a=1&z=1'], ['/a?a=1&a=2&z=1']]), [true, false])
  })

  await t.test('what is not looked up goes on as it came', async () => {
    await get('none', '/form?step=2', {}, 'POST')
    assert.ok(origin.requests.includes('POST /form?step=2'))
  })

  await t.test('headers and cookies that are in the key are absent, empty, or something', async () => {
    const asks: readonly (readonly [string, NonNullable<Ask['headers']>?])[] = [
      ['/p'],
      ['/p', { 'x-tenant': '' }],
      ['/p', { 'x-tenant': 'a' }],
      ['/p', { 'x-tenant': 'b' }],
      ['/p', { cookie: 'lang=de; session=1' }],
      ['/p', { cookie: 'lang=' }],
      ['/p', { 'x-tenant': 'a c:lang=de' }],
      ['/p', { 'x-tenant': 'x'.repeat(8000) }],
    ]
    assert.deepEqual(
      await hits('parts', asks),
      asks.map(() => false),
    )
    assert.deepEqual(
      await hits('parts', asks),
      asks.map(() => true),
    )
    assert.equal(
      (await get('parts', '/p', { cookie: 'session=2; lang=de' })).text,
      '/p - lang=de; session=1 -',
    )
  })

  await t.test(
    'phones, tablets and the rest have answers of their own, and the origin is told which',
    async () => {
      const phone = { 'user-agent': PHONE }
      assert.equal((await get('device', '/d', phone)).text, '/d - - phone')
      assert.equal(
        (await get('device', '/d', { 'user-agent': 'curl', 'sec-ch-ua-mobile': '?1' })).text,
        '/d - - phone',
      )
      assert.equal(
        (await get('device', '/d', { 'user-agent': 'curl', 'orla-device': 'phone' })).text,
        '/d - - desktop',
      )
      assert.equal((await get('plain', '/d', { 'orla-device': 'phone' })).text, '/d - - -')
      assert.equal((await get('device', '/d', { 'user-agent': 'X (iPad; CPU)' })).text, '/d - - tablet')
    },
  )

  await t.test(
    'RFC 9111 §4.4: a write takes away what is kept of its address, under whichever key',
    async () => {
      await get('parts', '/p', {}, 'POST')
      assert.deepEqual(await hits('parts', [['/p'], ['/p', { 'x-tenant': 'a' }]]), [false, false])
      await get('only', '/a?page=2&x=1', {}, 'POST')
      assert.deepEqual(await hits('only', [['/a?page=2'], ['/a?page=3']]), [false, true])
      await get('device', '/d', {}, 'POST')
      assert.deepEqual(await hits('device', [['/d', { 'user-agent': PHONE }], ['/d']]), [false, false])
    },
  )
})
