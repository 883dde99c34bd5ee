/** What a unit sees of a request, of its node and of itself, and what of its answer leaves, in a real isolate. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PHASE_BITS } from '../../contract/unit.ts'
import { invocationOf, invokeEntry, logsOf, openUnit } from './guest.support.ts'

test('bodies are text or bytes', async (t) => {
  const guest = await openUnit(
    t,
    `{ async content(request) {
      switch (request.path) {
        case '/text': return new Response('é→')
        case '/bytes': return new Response(new Uint8Array([0, 128, 255]))
        case '/buffer': return new Response(new Uint8Array([1, 2]).buffer)
        case '/json': return Response.json({ got: await request.json() }, { status: 201 })
        case '/echo': return new Response(await request.bytes())
        case '/pass': return new Response(new Response('x').body)
        default: return new Response(null, { status: 204 })
      }
    } }`,
  )
  const ask = (path: string, body = '') => {
    const head = `POST ${path} HTTP/1.1\r\nHost: h\r\n`
    const record = invocationOf(guest.settle(invokeEntry(1, ['content'], { head, body })))
    return [record.head, record.bodyKind, record.body]
  }
  assert.deepEqual(ask('/text'), ['200\ncontent-type: text/plain;charset=UTF-8\r\n', 0, 'é→'])
  assert.deepEqual(ask('/bytes'), ['200\n', 1, '\0\x80\xff'])
  assert.deepEqual(ask('/buffer'), ['200\n', 1, '\x01\x02'])
  assert.deepEqual(ask('/json', '{"a":"Ã©"}'), [
    '201\ncontent-type: application/json\r\n',
    0,
    '{"got":{"a":"é"}}',
  ])
  assert.deepEqual(ask('/echo', 'Ã©\xff'), ['200\n', 1, 'Ã©\xff'])
  assert.deepEqual(ask('/pass'), ['200\n', 0, 'x'])
  assert.deepEqual(ask('/none'), ['204\n', 0, ''])
})

test('content reads the body of a request in every way that fetch does, once', async (t) => {
  const guest = await openUnit(
    t,
    `{ async content(request) {
      const log = []
      const say = async (what) => log.push(await what().catch((error) => error.message))
      switch (request.path) {
        case '/form': {
          const form = await request.formData()
          const file = form.get('film')
          log.push(form.get('a'), file.name, file.type, await file.text(), request.bodyUsed)
          break
        }
        case '/blob': {
          const blob = await request.blob()
          log.push(blob.type, blob.size)
          await say(() => request.formData())
          break
        }
        case '/body': {
          log.push(request.body === request.body, request.bodyUsed)
          for await (const piece of request.body) log.push([...piece])
          log.push(request.bodyUsed)
          await say(() => request.text())
          break
        }
        case '/clone': {
          const copy = request.clone()
          log.push(copy instanceof Request, copy.method, copy.url, copy.headers.get('content-type'))
          await say(() => copy.text())
          await say(() => request.text())
          try { request.clone() } catch (error) { log.push(error.message) }
          break
        }
        case '/handed': return new Response(request.body)
        case '/none': log.push(request.body, await request.text(), request.clone().body, request.bodyUsed)
      }
      return Response.json(log)
    } }`,
  )
  const ask = (path: string, type: string, body: string) => {
    const head = `POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Type: ${type}\r\n`
    return invocationOf(guest.settle(invokeEntry(1, ['content'], { head, body }))).body
  }
  const form = [
    '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nÃ©\r\n',
    '--b\r\nContent-Disposition: form-data; name="film"; filename="a.mp4"\r\nContent-Type: video/mp4\r\n\r\n123\r\n--b--',
  ].join('')
  const read = 'the body was already read'
  const cases: readonly (readonly [path: string, type: string, body: string, log: readonly unknown[]])[] = [
    ['/form', 'multipart/form-data; boundary=b', form, ['é', 'a.mp4', 'video/mp4', '123', true]],
    ['/blob', 'text/plain', 'Ã©', ['text/plain', 2, read]],
    ['/body', 'text/plain', 'Ã©', [true, false, [195, 169], true, read]],
    ['/clone', 'text/plain', 'Ã©', [true, 'POST', 'http://h/clone', 'text/plain', 'é', 'é', read]],
    ['/none', 'text/plain', '', [null, '', null, false]],
  ]
  for (const [path, type, body, log] of cases) assert.deepEqual(JSON.parse(ask(path, type, body)), log, path)
  assert.equal(ask('/handed', 'text/plain', 'Ã©'), 'Ã©')
})

test('headers go out as they were spelled last, and are the same in any case', async (t) => {
  const guest = await openUnit(
    t,
    `{ access(request, response) {
      request.headers.set('X-Request', '1')
      response.headers.append('X-Metrics-upstream_response_time', '0.1')
      response.headers.set('x-b', 'old')
      response.headers.set('X-B', 'new')
      response.headers.delete('X-Gone')
      console.log(...response.headers.keys(), response.headers.get('X-METRICS-UPSTREAM_RESPONSE_TIME'))
    }, content(request, edge) {
      const headers = new Headers([['X-A', '1'], ['x-a', '2']])
      headers.set('CONTENT-type', 'text/html')
      return new Response('x', { headers }).clone()
    } }`,
  )
  const edits = 'A X-Early: 1\nA x-GONE: 1\n'
  const records = guest.step(invokeEntry(1, ['access', 'content'], { edits }))
  assert.deepEqual(logsOf(records), ['1 1 x-b x-early x-metrics-upstream_response_time 0.1'])
  assert.equal(
    invocationOf(records).edits,
    'h X-Request: 1\nA X-Metrics-upstream_response_time: 0.1\nH x-b: old\nH X-B: new\nD x-gone\n',
  )
  assert.equal(invocationOf(records).head, '200\nX-A: 1\r\nx-a: 2\r\nCONTENT-type: text/html\r\n')
})

test('edge tells of the node, the unit, the client and the environment', async (t) => {
  const guest = await openUnit(
    t,
    `{ access(request, response, edge) {
      edge.log(edge.env.KEY, edge.node, edge.unit, edge.client, request.host)
      edge.log.error('e'); edge.log('warn', 'w', 1); edge.log.debug('d'); edge.log('warn')
      for (const on of [edge.env, edge.node, edge.node.groups, edge.client, edge.log]) if (!Object.isFrozen(on)) throw on
    } }`,
    { name: 'who', version: 3, env: { KEY: 'value' }, node: { name: 'gru1', groups: ['sa'] } },
  )
  const meta = { client: { address: '192.0.2.1', port: 5, scheme: 'https' } } as const
  assert.deepEqual(logsOf(guest.step(invokeEntry(1, ['access'], { meta }))), [
    '1 1 value { name: "gru1", groups: ["sa"] } { name: "who", version: 3 } { address: "192.0.2.1", port: 5, scheme: "https" } example.org',
    '1 3 e',
    '1 2 w 1',
    '1 0 d',
    '1 1 warn',
  ])
})

test('cookies are found as they were sent', async (t) => {
  const guest = await openUnit(
    t,
    `{ access(request, response, edge) { const c = request.cookies; edge.log([...c], c.get('a'), c.get('aa'), c.get('b'), c.get('nope'), c.has('e'), c.get('a=1')) } }`,
  )
  const head = 'GET / HTTP/1.1\r\nCookie: aa=0; a=1;b="x y" ; a=2\r\nX: y\r\ncookie: e=f=g; broken; =h\r\n'
  const [line] = logsOf(guest.step(invokeEntry(1, ['access'], { head })))
  assert.equal(
    line,
    '1 1 [["aa", "0"], ["a", "1"], ["b", "\\"x y\\""], ["a", "2"], ["e", "f=g"]] 1 0 "x y" undefined true undefined',
  )
})

test('a fetch handler is the content phase', async (t) => {
  const guest = await openUnit(
    t,
    `{ async fetch(request, env, context) {
      context.waitUntil(Promise.resolve())
      const copy = new Request(request, { headers: { a: 'b' } })
      return Response.json([request instanceof Request, request.method, request.url, request.headers.get('host'),
        env.KEY, copy.headers.get('a'), copy.url, await copy.text()])
    } }`,
    { env: { KEY: 'v' } },
  )
  assert.deepEqual(guest.installed, { ok: true, phases: PHASE_BITS.content, fields: {} })
  const head = 'POST /x?y HTTP/1.1\r\nHost: example.org\r\n'
  const record = invocationOf(guest.settle(invokeEntry(1, ['content'], { head, body: 'hi' })))
  assert.deepEqual(JSON.parse(record.body), [
    true,
    'POST',
    'http://example.org/x?y',
    'example.org',
    'v',
    'b',
    'http://example.org/x?y',
    'hi',
  ])
})

test('a unit that remembers a part of a request does not keep the whole of it', async (t) => {
  const guest = await openUnit(
    t,
    `(() => { const kept = []; return { rewrite(request) {
      kept.push(request.path, request.url.slice(0, 60), request.query.get('q'), request.headers.get('x-token'), request.cookies.get('session'))
    } } })()`,
  )
  // 3000 requests of 32 KB: three times the memory of the isolate.
  const filler = 'x'.repeat(32_000)
  for (let id = 1; id <= 3000; id++) {
    const long = `${id}`.padStart(30, 'v')
    const head = `GET /${long}?q=${long} HTTP/1.1\r\nHost: example.org\r\nFiller: ${filler}\r\nX-Token: ${long}\r\nCookie: session=${long}\r\n`
    guest.stepOnce(invokeEntry(id, ['rewrite'], { head }))
  }
  assert.equal(guest.isolate.isDisposed, false)
})

test('a unit says what the answer is kept under, as text that can stand in a URL', async (t) => {
  const guest = await openUnit(
    t,
    `{ rewrite(request, response, edge) {
      const before = edge.cacheKey
      edge.cacheKey = request.headers.get('x-key') ?? ''
      response.headers.set('x-seen', before + ' ' + edge.cacheKey)
    },
    access(request, response, edge) { edge.cacheKey = 7 },
    headerFilter(request, response, edge) { edge.cacheKey = '/late' } }`,
  )
  const ask = (key: string, edits = '') => {
    const head = `GET / HTTP/1.1\r\nHost: h\r\nX-Key: ${key}\r\n`
    const {
      outcome,
      edits: made,
      head: told,
    } = invocationOf(guest.settle(invokeEntry(1, ['rewrite'], { head, edits })))
    return outcome === 2 ? (JSON.parse(told) as { message: string }).message : made
  }
  assert.equal(ask('/a?b%20c'), 'k /a?b%20c\nH x-seen: undefined /a?b%20c\n')
  assert.equal(ask('de é'), 'k /de%20%C3%A9\nH x-seen: undefined /de%20%C3%A9\n')
  assert.equal(ask('b', 'k /before\n'), 'k /b\nH x-seen: /before /b\n')
  assert.match(ask(''), /the text "" is no cache key/)
  assert.match(ask('x'.repeat(1024)), /has 1025 characters: at most 1024 are kept/)
  assert.equal(ask('x'.repeat(1023)).length, 'k /\nH x-seen: undefined /\n'.length + 2 * 1023)
  const failed = (phase: 'access' | 'headerFilter') =>
    invocationOf(guest.settle(invokeEntry(2, [phase], { response: phase === 'access' ? '' : '200\n' }))).head
  assert.match(failed('access'), /the number 7 is no cache key/)
  assert.match(failed('headerFilter'), /edge.cacheKey cannot be changed in headerFilter/)
})

test('once there is a response, a unit sees what the cache did, and cannot change it', async (t) => {
  const guest = await openUnit(
    t,
    `{ rewrite(request, response) { response.headers.set('x-cache', String(request.cache)) },
    headerFilter(request, response) {
      'use strict'
      const { status, age, key } = request.cache
      let change = 'changed'
      try { request.cache.status = 'hit' } catch { change = 'kept' }
      response.headers.set('x-cache', [status, age, key, change].join(' '))
    } }`,
  )
  const seen = (phase: 'rewrite' | 'headerFilter', meta?: object) => {
    const sections = { response: phase === 'rewrite' ? '' : '200\n', ...(meta && { meta }) }
    return invocationOf(guest.settle(invokeEntry(1, [phase], sections))).edits
  }
  assert.equal(seen('rewrite'), 'H x-cache: undefined\n')
  assert.equal(seen('headerFilter'), 'H x-cache: none   kept\n')
  const cache = { status: 'stale', age: 3, key: 'http://h/a' }
  assert.equal(seen('headerFilter', { cache }), 'H x-cache: stale 3 http://h/a kept\n')
})
