/** What units do to requests on a real node: each phase, each failure policy, each way of choosing who runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { RawClient } from '../harness/raw-client.ts'

/** Follows what a unit logs, from now on. */
async function listen(node: TestNode, unit: string): Promise<{ text(): string; close(): void }> {
  const controller = new AbortController()
  const tail = await fetch(`${node.control}/v1/tail?unit=${unit}`, {
    headers: { authorization: `Bearer ${node.token}` },
    signal: controller.signal,
  })
  let text = ''
  void (async () => {
    for await (const piece of tail.body!.pipeThrough(new TextDecoderStream())) text += piece
  })().catch(() => {})
  return { text: () => text, close: () => controller.abort() }
}

test('units on the way of a request', async (t) => {
  const seen: { url: string; headers: Record<string, unknown>; method: string }[] = []
  const origin = await startOrigin(t, (request, response) => {
    seen.push({ url: request.url!, headers: request.headers, method: request.method! })
    response.setHeader('cache-control', request.url!.startsWith('/kept') ? 'max-age=60' : 'no-store')
    response.end(`origin ${request.method} ${request.url}`)
  })
  const node = await startNode(t, {
    config: { edge: { workers: 2, debugToken: 'debug' }, sites: [{ origin: origin.url, cache: {} }] },
  })
  const remove = (name: string) => node.api('DELETE', `/v1/units/${name}`)

  await t.test('rewrite changes what the origin and the cache see, not what units match', async () => {
    await node.deploy(
      'rewriter',
      `export default { paths: ['/old/*'],
        rewrite(request) {
          request.path = '/new' + request.path.slice(4)
          request.query.set('added', '1')
          request.headers.set('x-from', 'unit')
          request.headers.delete('x-drop')
          request.method = 'POST'
        } }`,
    )
    const answer = await node.request('/old/a?b=c', { headers: { 'x-drop': '1', 'x-keep': '2' } })
    assert.equal(answer.text, 'origin POST /new/a?b=c&added=1')
    const { headers } = seen.at(-1)!
    assert.deepEqual([headers['x-from'], headers['x-drop'], headers['x-keep']], ['unit', undefined, '2'])
    await remove('rewriter')
  })

  await t.test('access answers, or lets pass and stages headers that are not kept in the cache', async () => {
    await node.deploy(
      'gate',
      `export default { paths: ['/kept/*'],
        access(request, response) {
          if (!request.query.has('key')) return new Response('closed', { status: 401, headers: { 'x-why': 'key' } })
          response.headers.append('set-cookie', 'n=' + request.query.get('key'))
        } }`,
    )
    const refused = await node.request('/kept/a')
    assert.deepEqual([refused.status, refused.text, refused.headers['x-why']], [401, 'closed', 'key'])
    const first = await node.request('/kept/a?key=1')
    assert.deepEqual(first.headers['set-cookie'], ['n=1'])
    const again = await node.request('/kept/a?key=1')
    assert.deepEqual(again.headers['set-cookie'], ['n=1'])
    await remove('gate')
    const without = await eventually(async () => {
      const answer = await node.request('/kept/a?key=1')
      return /hit/.test(String(answer.headers['cache-status'])) && answer
    })
    assert.equal(without.headers['set-cookie'], undefined)
  })

  await t.test('content answers instead of cache and origin, and reads the body', async () => {
    await node.deploy(
      'echo',
      `export default { paths: ['/echo'],
        async content(request) {
          const body = await request.bytes()
          return new Response(body, { status: 201, headers: { 'x-length': String(body.length) } })
        } }`,
    )
    const body = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256))
    const answer = await node.request('/echo', { method: 'POST', body })
    assert.equal(answer.status, 201)
    assert.equal(answer.headers['x-length'], '70000')
    assert.ok(answer.body.equals(body))
    const tooLong = await node.request('/echo', { method: 'POST', body: Buffer.alloc(1_100_000) })
    assert.equal(tooLong.status, 413)
    await remove('echo')
  })

  await t.test('text answers are UTF-8, on HEAD there is none', async () => {
    await node.deploy('utf8', `export default { paths: ['/utf8'], content: () => new Response('olá 🌊') }`)
    assert.equal((await node.request('/utf8')).text, 'olá 🌊')
    const head = await node.request('/utf8', { method: 'HEAD' })
    assert.equal(head.headers['content-length'], String(Buffer.byteLength('olá 🌊')))
    await remove('utf8')
  })

  await t.test('headerFilter changes status and headers, of hits too', async () => {
    await node.deploy(
      'filter',
      `export default { paths: ['/kept/f'],
        headerFilter(request, response, edge) {
          response.headers.set('x-cache', String(response.headers.get('cache-status')).includes('hit') ? 'hit' : 'miss')
          response.headers.delete('cache-control')
          response.status = 203
          response.headers.set('x-took', String(edge.timing.requestMs! >= 0))
        } }`,
    )
    const miss = await node.request('/kept/f')
    // Each worker has a cache of its own.
    const hit = await eventually(async () => {
      const answer = await node.request('/kept/f')
      return answer.headers['x-cache'] === 'hit' && answer
    })
    for (const [answer, expected] of [
      [miss, 'miss'],
      [hit, 'hit'],
    ] as const) {
      assert.deepEqual(
        [answer.status, answer.headers['x-cache'], answer.headers['x-took']],
        [203, expected, 'true'],
      )
      assert.equal(answer.headers['cache-control'], undefined)
      assert.equal(answer.text, 'origin GET /kept/f')
    }
    await remove('filter')
  })

  await t.test('headers go out in the spelling of the unit, and count as the same in any', async () => {
    const raw = async (path: string) => {
      const client = await RawClient.connect(node.url)
      client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
      const answer = await client.readResponse()
      client.close()
      return answer
    }
    await node.deploy(
      'speller',
      `export default { paths: ['/kept/spelled', '/spelled'],
        access(request, response) {
          response.headers.append('X-Metrics-upstream_response_time', '0.1')
          if (request.path === '/spelled') return new Response('a', { headers: { 'X-Why': 'unit', 'Cache-Control': 'no-store' } })
        },
        headerFilter(request, response) {
          response.headers.set('Cache-control', 'private')
          response.headers.set('x-WHY', 'filter')
        } }`,
    )
    for (const path of ['/spelled', '/kept/spelled', '/kept/spelled']) {
      const answer = await raw(path)
      assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/)
      assert.match(answer, /\r\nX-Metrics-upstream_response_time: 0\.1\r\n/)
      assert.deepEqual(answer.match(/^cache-control:.*$/gim), ['Cache-control: private'])
      assert.deepEqual(answer.match(/^x-why:.*$/gim), ['x-WHY: filter'])
    }
    await remove('speller')
  })

  await t.test('log sees what was answered, and what it logs reaches the tail', async () => {
    await node.deploy(
      'logger',
      `export default { paths: ['/logged'],
        log(request, response, edge) { edge.log.warn('saw', request.path, response.status, edge.client.address) } }`,
    )
    const tail = await listen(node, 'logger')
    await eventually(async () => {
      await node.request('/logged')
      return tail.text().includes('saw /logged 200 127.0.0.1')
    })
    tail.close()
    await remove('logger')
  })

  await t.test('an invalid answer of a unit is its failure, never a broken message', async () => {
    await node.deploy('wrong', `export default { paths: ['/wrong'], access: () => 'text' as never }`)
    const answer = await node.request('/wrong')
    assert.equal(answer.status, 503)
    assert.equal(answer.headers['orla-unit-error'], 'wrong throw')
    await remove('wrong')
  })

  await t.test('closed, open and lastGood are kept to', async () => {
    const failing = (policy: string) =>
      `export default { paths: ['/policy'], onError: '${policy}', access() { throw new Error('no') } }`
    await node.deploy('policy', failing('closed'))
    const closed = await node.request('/policy')
    assert.equal(closed.status, 503)
    assert.match(closed.text, /the unit policy failed \(throw\)/)
    await node.deploy('policy', failing('open'))
    assert.equal((await node.request('/policy')).text, 'origin GET /policy')
    await node.deploy('policy', `export default { paths: ['/policy'], access: () => new Response('good') }`)
    assert.equal((await node.request('/policy')).text, 'good')
    await node.deploy('policy', failing('lastGood'))
    assert.equal((await node.request('/policy')).text, 'good')
    await remove('policy')
  })

  await t.test('units run by priority, then by name, and one that answers ends the phase', async () => {
    const adding = (name: string, priority: number) =>
      node.deploy(
        name,
        `export default { paths: ['/order'], priority: ${priority},
          rewrite(request) { request.headers.append('x-order', '${name}') } }`,
      )
    await adding('b', 0)
    await adding('a', 0)
    await adding('z', 5)
    await node.request('/order')
    assert.equal(seen.at(-1)!.headers['x-order'], 'z, a, b')
    for (const name of ['a', 'b', 'z']) await remove(name)
  })

  await t.test('methods and hosts choose, and the debug header tells what ran', async () => {
    await node.deploy(
      'chosen',
      `export default { hosts: ['*.example.org'], methods: ['GET'], access: () => new Response('chosen') }`,
    )
    const ask = (host: string, method = 'GET') =>
      node.request('/x', { method, headers: { host, 'orla-debug': 'debug' } })
    const chosen = await ask('tv.example.org')
    assert.equal(chosen.text, 'chosen')
    assert.match(String(chosen.headers['orla-units']), /^chosen@1 access 200 \d+us$/)
    assert.equal((await ask('tv.example.org', 'PUT')).text, 'origin PUT /x')
    assert.equal((await ask('example.com')).text, 'origin GET /x')
    assert.equal((await ask('example.com')).headers['orla-units'], 'none')
    await remove('chosen')
  })

  await t.test('a sample by cookie keeps a client on its side, and the share is about right', async () => {
    await node.deploy(
      'canary',
      `export default { paths: ['/canary'], sample: { share: 0.3, by: 'cookie:id' }, access: () => new Response('new') }`,
    )
    let inside = 0
    for (let id = 0; id < 200; id += 1) {
      const headers = { cookie: `a=b; id=${id}` }
      const first = (await node.request('/canary', { headers })).text
      assert.equal((await node.request('/canary', { headers })).text, first)
      if (first === 'new') inside += 1
    }
    assert.ok(inside > 30 && inside < 95, `${inside} of 200`)
    await remove('canary')
  })

  await t.test('a module written for Workers is a unit as it is', async () => {
    await node.deploy(
      'worker',
      `export default { async fetch(request, env, ctx) {
        const url = new URL(request.url)
        if (url.pathname !== '/worker') return new Response('no', { status: 404 })
        return Response.json({ method: request.method, body: await request.text(), env: env.GREETING })
      } }`,
      { manifest: { paths: ['/worker'] }, env: { GREETING: 'oi' } },
    )
    const answer = await node.request('/worker', { method: 'POST', body: 'hello' })
    assert.deepEqual(JSON.parse(answer.text), { method: 'POST', body: 'hello', env: 'oi' })
    await remove('worker')
  })

  await t.test('inline units behave the same', async () => {
    await node.deploy(
      'inline',
      `export default { paths: ['/inline'], isolation: 'inline',
        access(request, response) { response.headers.set('x-inline', '1') } }`,
    )
    const answer = await node.request('/inline')
    assert.deepEqual([answer.text, answer.headers['x-inline']], ['origin GET /inline', '1'])
    await remove('inline')
  })

  await t.test('a deploy under load never shows an older version after a newer one', async () => {
    const source = (n: number) =>
      `export default { paths: ['/version'], content: () => new Response('${n}') }`
    await node.deploy('version', source(0))
    let isOver = false
    const watch = async (): Promise<number[]> => {
      const client = await RawClient.connect(node.url)
      const versions: number[] = []
      while (!isOver) {
        client.send('GET /version HTTP/1.1\r\nHost: a\r\n\r\n')
        const answer = await client.readResponse()
        versions.push(Number(answer.slice(answer.indexOf('\r\n\r\n') + 4)))
      }
      client.close()
      return versions
    }
    const watchers = [watch(), watch(), watch(), watch()]
    for (let n = 1; n <= 10; n += 1) await node.deploy('version', source(n))
    isOver = true
    for (const versions of await Promise.all(watchers)) {
      assert.ok(versions.length > 10)
      assert.ok(versions.every((n, i) => i === 0 || n >= versions[i - 1]!))
    }
    await remove('version')
  })

  await t.test('the off switch stops all units at once, and brings them back', async () => {
    await node.deploy(
      'switched',
      `export default { paths: ['/switched'], content: () => new Response('unit') }`,
    )
    assert.equal((await node.request('/switched')).text, 'unit')
    await node.api('POST', '/v1/disable')
    assert.equal((await node.request('/switched')).text, 'origin GET /switched')
    await node.api('POST', '/v1/enable')
    assert.equal((await node.request('/switched')).text, 'unit')
    await remove('switched')
  })
})

test('work that goes on after the answer logs as it happens', async (t) => {
  const node = await startNode(t)
  await node.deploy(
    'later',
    `const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
    export default {
      content(request, edge) {
        const work = async () => {
          await null
          edge.log('zero')
          await sleep(5)
          edge.log('one')
          await sleep(5)
          edge.log('two')
        }
        edge.waitUntil(work())
        return new Response('answered')
      },
    }`,
  )
  const tail = await listen(node, 'later')
  await eventually(async () => {
    if (!/"message":"zero"/.test(tail.text())) await node.request('/')
    return /"message":"zero"/.test(tail.text())
  })
  // No further request: what is still to come leaves by itself.
  await eventually(() => /"message":"one"/.test(tail.text()) && /"message":"two"/.test(tail.text()))
  tail.close()
})
