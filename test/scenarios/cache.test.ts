/** The cache as a client sees it. The rules themselves are shown beside `http/caching`. */
import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

test('an edge with a cache', async (t) => {
  const hits = new Map<string, number>()
  let answer: (request: IncomingMessage, response: ServerResponse) => void = () => {}
  const origin = await startOrigin(t, (request, response) => {
    const path = request.url!
    hits.set(path, (hits.get(path) ?? 0) + 1)
    answer(request, response)
  })
  const node = await startNode(t, { config: { sites: [{ origin: origin.url, cache: { ram: '8mb' } }] } })
  const send =
    (headers: Record<string, string>, body = 'body', status = 200) =>
    (_: IncomingMessage, response: ServerResponse) =>
      void response.writeHead(status, headers).end(body)

  await t.test('keeps what may be kept and says how old it is', async () => {
    answer = send({ 'cache-control': 'max-age=60', etag: '"1"' })
    const first = await node.request('/kept')
    const second = await node.request('/kept')
    assert.match(String(first.headers['cache-status']), /^orla; fwd=uri-miss; .*stored/)
    assert.match(String(second.headers['cache-status']), /^orla; hit; ttl=\d+$/)
    assert.match(String(second.headers.age), /^\d+$/)
    assert.equal(second.text, 'body')
    assert.equal(hits.get('/kept'), 1)
  })

  await t.test('answers HEAD and conditions from what it keeps', async () => {
    const head = await node.request('/kept', { method: 'HEAD' })
    assert.equal(head.headers['content-length'], '4')
    assert.equal(head.body.length, 0)
    const same = await node.request('/kept', { headers: { 'if-none-match': '"0", W/"1"' } })
    assert.equal(same.status, 304)
    assert.equal(same.headers.etag, '"1"')
    assert.equal(hits.get('/kept'), 1)
  })

  for (const [what, headers] of [
    ['no-store', { 'cache-control': 'no-store' }],
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['a cookie', { 'cache-control': 'max-age=60', 'set-cookie': 'a=b' }],
    ['Vary: *', { 'cache-control': 'max-age=60', vary: '*' }],
  ] as const) {
    await t.test(`does not keep ${what}`, async () => {
      const path = `/not/${encodeURIComponent(what)}`
      answer = send(headers as Record<string, string>)
      await node.request(path)
      await node.request(path)
      assert.equal(hits.get(path), 2)
    })
  }

  await t.test('keeps an answer to Authorization only if the origin says that it is for all', async () => {
    const headers = { authorization: 'Bearer x' }
    answer = send({ 'cache-control': 'max-age=60' })
    await node.request('/auth', { headers })
    await node.request('/auth', { headers })
    assert.equal(hits.get('/auth'), 2)
    answer = send({ 'cache-control': 'public, max-age=60' })
    await node.request('/auth/public', { headers })
    await node.request('/auth/public', { headers })
    assert.equal(hits.get('/auth/public'), 1)
  })

  await t.test('keeps one answer for each variant', async () => {
    answer = (request, response) =>
      void response
        .writeHead(200, { 'cache-control': 'max-age=60', vary: 'accept-language' })
        .end(request.headers['accept-language'])
    const ask = (language: string) => node.request('/vary', { headers: { 'accept-language': language } })
    assert.deepEqual(
      [(await ask('pt')).text, (await ask('en')).text, (await ask('pt')).text, (await ask('en')).text],
      ['pt', 'en', 'pt', 'en'],
    )
    assert.equal(hits.get('/vary'), 2)
  })

  await t.test('asks whether a stale answer is still good, and keeps it on', async () => {
    answer = (request, response) =>
      request.headers['if-none-match'] === '"v"'
        ? void response.writeHead(304, { etag: '"v"', 'cache-control': 'max-age=60', 'x-new': '1' }).end()
        : void response.writeHead(200, { etag: '"v"', 'cache-control': 'no-cache' }).end('good')
    await node.request('/stale')
    const again = await node.request('/stale')
    assert.equal(again.status, 200)
    assert.equal(again.text, 'good')
    assert.equal(again.headers['x-new'], '1')
    assert.match(String(again.headers['cache-status']), /fwd=stale; fwd-status=304/)
    assert.match(String((await node.request('/stale')).headers['cache-status']), /; hit;/)
    assert.equal(hits.get('/stale'), 2)
  })

  await t.test('sends one request for a key, however many wait', async () => {
    let release: (() => void) | undefined
    answer = (_, response) => {
      release = () => void response.writeHead(200, { 'cache-control': 'max-age=60' }).end('one')
    }
    const all = Array.from({ length: 50 }, () => node.request('/flight'))
    await eventually(() => release !== undefined)
    // The others are surely there when one that came after them has been answered.
    await node.api('GET', '/healthz')
    release!()
    const answers = await Promise.all(all)
    assert.ok(answers.every(({ text }) => text === 'one'))
    assert.equal(hits.get('/flight'), 1)
  })

  await t.test('does not queue those who cannot share an answer', async () => {
    answer = send({ 'cache-control': 'no-store' })
    await Promise.all(Array.from({ length: 20 }, () => node.request('/unshared')))
    assert.equal(hits.get('/unshared'), 20)
  })

  await t.test('forgets what a write has changed', async () => {
    answer = send({ 'cache-control': 'max-age=60' })
    await node.request('/written')
    await node.request('/written', { method: 'PUT', body: 'x' })
    await node.request('/written')
    assert.equal(hits.get('/written'), 3)
  })

  await t.test('answers 504 to only-if-cached where there is nothing', async () => {
    const none = await node.request('/none', { headers: { 'cache-control': 'only-if-cached' } })
    assert.equal(none.status, 504)
    assert.equal(hits.get('/none'), undefined)
  })

  await t.test('stays within its memory', async () => {
    answer = send({ 'cache-control': 'max-age=60' }, 'x'.repeat(500_000))
    for (let i = 0; i < 40; i += 1) await node.request(`/many/${i}`)
    const last = await node.request('/many/39')
    assert.match(String(last.headers['cache-status']), /; hit;/)
    const first = await node.request('/many/0')
    assert.match(String(first.headers['cache-status']), /fwd=uri-miss/)
  })
})
