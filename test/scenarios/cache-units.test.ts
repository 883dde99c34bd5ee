/** Units say what answers are kept under, and see what the cache did. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import type { Ask } from '../harness/http-client.ts'
import { siteNamed, startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

test('units and the cache', async (t) => {
  /** What the origin says of an address, until a test says something else. */
  const says = new Map<string, { readonly status?: number; readonly headers?: Record<string, string> }>()
  let answers = 0
  const origin = await startOrigin(t, (request, response) => {
    answers += 1
    const { pathname } = new URL(request.url!, 'http://origin')
    const { status = 200, headers = { 'cache-control': 'max-age=3600' } } = says.get(pathname) ?? {}
    response.writeHead(request.headers['if-none-match'] === '"same"' ? 304 : status, headers)
    response.end(request.headers['if-none-match'] === '"same"' ? undefined : `${request.url} #${answers}`)
  })
  const node = await startNode(t, {
    config: {
      sites: [
        siteNamed('one', origin.url, { cache: { ram: '4mb', key: { query: 'none' } } }),
        siteNamed('two', origin.url, { cache: { ram: '4mb' } }),
        siteNamed('bare', origin.url),
      ],
    },
  })
  const get = async (path: string, headers: NonNullable<Ask['headers']> = {}, more: Ask = {}) =>
    node.request(path, { headers: { host: 'one.example.org', ...headers }, ...more })
  const isHit = ({ headers }: Awaited<ReturnType<typeof get>>) =>
    String(headers['cache-status']).startsWith('orla; hit')

  await t.test(
    'edge.cacheKey takes the place of path, query and what is configured, within its host',
    async () => {
      await node.deploy(
        'key',
        `export default { paths: ['/key/*'], rewrite(request, response, edge) {
        const lang = request.query.get('lang')
        if (lang) edge.cacheKey = 'key/' + lang
      } } satisfies import('orla').Unit`,
      )
      const first = await get('/key/a?lang=de')
      // The unit answers for the query: the origin is sent all of it.
      assert.match(first.text, /^\/key\/a\?lang=de #/)
      assert.equal((await get('/key/b?lang=de')).text, first.text)
      assert.ok(!isHit(await get('/key/b?lang=en')))
      for (const own of ['two', 'bare'])
        assert.notEqual((await get('/key/b?lang=de', { host: `${own}.example.org` })).text, first.text)
      // No address is that key, whoever asks for it.
      assert.notEqual((await get('/key/de')).text, first.text)
      assert.ok(!isHit(await get('/key/c?lang=de%20h:x')))
      // RFC 9111 §4.4, of a request whose key the unit said.
      await get('/key/x?lang=de', {}, { method: 'DELETE' })
      assert.ok(!isHit(await get('/key/b?lang=de')))
      assert.ok(isHit(await get('/key/b?lang=en')))
      await node.orla('remove', 'key')
    },
  )

  await t.test('request.cache says what the cache did, in every phase that has an answer', async () => {
    await node.deploy(
      'seen',
      `export default {
        paths: ['/seen/*'],
        originResponse(request, response) { response.headers.set('x-origin-response', JSON.stringify(request.cache)) },
        headerFilter(request, response) { response.headers.set('x-header-filter', JSON.stringify(request.cache)) },
        bodyFilter(chunk, last, request) { if (last) return request.cache.status },
        async log(request, response, edge) { await edge.kv.put('log ' + request.path + ' ' + request.cache.status, '1') },
      } satisfies import('orla').Unit`,
    )
    const seen = async (path: string, headers: NonNullable<Ask['headers']> = {}, more: Ask = {}) => {
      const answer = await get(path, headers, more)
      const read = (name: string) =>
        JSON.parse(String(answer.headers[name] ?? '{}')) as Record<string, unknown>
      return {
        origin: read('x-origin-response'),
        sent: read('x-header-filter'),
        text: /[a-z]*$/.exec(answer.text)![0],
      }
    }
    const key = 'http://one.example.org/seen/a'
    const miss = await seen('/seen/a?x=1')
    assert.deepEqual(miss.origin, { status: 'miss', key })
    assert.deepEqual(miss.sent, { status: 'miss', key })
    assert.equal(miss.text, 'miss')
    const hit = await seen('/seen/a?x=2')
    assert.equal(hit.sent['status'], 'hit')
    assert.equal(hit.sent['key'], key)
    assert.ok(Number(hit.sent['age']) >= 0)
    assert.equal(hit.text, 'hit')
    assert.deepEqual((await seen('/seen/a', {}, { method: 'POST' })).sent, { status: 'bypass', key })
    assert.deepEqual((await seen('/seen/a', { host: 'bare.example.org' })).sent, { status: 'none' })

    says.set('/seen/stale', { headers: { 'cache-control': 'max-age=0', etag: '"same"' } })
    assert.equal((await seen('/seen/stale')).sent['status'], 'miss')
    const revalidated = await seen('/seen/stale')
    assert.equal(revalidated.origin['status'], 'stale')
    assert.equal(revalidated.sent['status'], 'revalidated')
    assert.ok(Number(revalidated.sent['age']) >= 0)
    says.set('/seen/other', { headers: { 'cache-control': 'max-age=0', etag: '"other"' } })
    await seen('/seen/other')
    const replaced = await seen('/seen/other')
    assert.deepEqual([replaced.origin['status'], replaced.sent['status']], ['stale', 'miss'])

    await eventually(async () => {
      const { stdout } = await node.orla('kv', 'list', 'seen')
      return ['hit', 'miss', 'bypass'].every((status) => stdout.includes(`log /seen/a ${status}`))
    })
    await node.orla('remove', 'seen')
  })

  await t.test(
    'ttl and tags of originResponse are those of what is stored, under the key of a unit as well',
    async () => {
      says.set('/both/a', { headers: { 'cache-control': 'no-store' } })
      await node.deploy(
        'both',
        `export default {
        paths: ['/both/*'],
        rewrite(request, response, edge) { edge.cacheKey = '/both' },
        originResponse(request, response) { response.ttl = 60; response.tags = ['a', 'b'] },
      } satisfies import('orla').Unit`,
      )
      const first = await get('/both/a')
      assert.match(String(first.headers['cache-status']), /ttl=60; stored/)
      const second = await get('/both/b')
      assert.ok(isHit(second))
      assert.equal(second.headers['cache-tag'], 'a,b')
      await node.orla('remove', 'both')
    },
  )

  await t.test('a key that is none fails the unit, and names what is wrong', async () => {
    await node.deploy('bad', `export default { paths: ['/bad'], rewrite(r, s, edge) { edge.cacheKey = '' } }`)
    const { status, headers } = await get('/bad')
    assert.deepEqual([status, headers['orla-unit-error']], [503, 'bad throw'])
    await node.orla('remove', 'bad')
  })

  await t.test('a phase that may not say it is refused by the checker', async () => {
    const source = `export default { headerFilter(r, s, edge) { edge.cacheKey = '/x' } } satisfies import('orla').Unit`
    await assert.rejects(node.deploy('late', source), /cacheKey/)
  })
})
