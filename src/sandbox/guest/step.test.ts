/** The protocol, spoken to a guest in a real isolate. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { PHASE_BITS } from '../../contract/unit.ts'
import { SLICE_MS, type GuestSetup } from '../protocol.ts'
import { type GuestIsolate, type GuestRecord, invokeEntry, openGuest } from './guest.support.ts'

const { rewrite, access, content } = PHASE_BITS

async function open(t: TestContext, unit: string, setup: Partial<GuestSetup> = {}): Promise<GuestIsolate> {
  const guest = await openGuest(`module.exports.default = ${unit}`, setup)
  t.after(() => guest.dispose())
  return guest
}

/** The records of invocations, short: `id outcome phase`, and what belongs to it. */
const brief = (records: readonly GuestRecord[]) =>
  records.flatMap((record) =>
    record.kind === 'invocation'
      ? [`${record.id} ${record.outcome} ${record.phase} ${record.body}`.trim()]
      : [],
  )
const invocation = (records: readonly GuestRecord[]) => {
  const found = records.findLast((record) => record.kind === 'invocation')
  if (found?.kind !== 'invocation') throw new Error('no record of an invocation')
  return found
}
const logs = (records: readonly GuestRecord[]) =>
  records.flatMap((record) => (record.kind === 'log' ? [`${record.id} ${record.level} ${record.text}`] : []))

test('a batch is answered entry by entry, in order', async (t) => {
  const guest = await open(t, '{ content: (request) => new Response(request.path) }')
  const batch = ['/a', '/b', '/c'].map((path, i) =>
    invokeEntry(i + 5, ['content'], { head: `GET ${path} HTTP/1.1\r\n\r\n` }),
  )
  assert.deepEqual(brief(guest.step(batch.join(''))), ['5 1 4 /a', '6 1 4 /b', '7 1 4 /c'])
})

test('the phases of a trip run one after the other, over the same request', async (t) => {
  const guest = await open(
    t,
    `{ rewrite(request) { request.path = '/new'; request.headers.set('x', 'y') },
       access(request, response) { return new Response(request.path + request.headers.get('x')) } }`,
  )
  const record = invocation(guest.step(invokeEntry(1, ['rewrite', 'access'])))
  assert.deepEqual([record.outcome, record.phase, record.body], [1, access, '/newy'])
  assert.equal(record.edits, 'p /new\nh x: y\n')
})

test('an answer in one phase ends the trip', async (t) => {
  const guest = await open(
    t,
    `{ rewrite: () => new Response('first'), access() { throw new Error('never') } }`,
  )
  const record = invocation(guest.step(invokeEntry(1, ['rewrite', 'access'])))
  assert.deepEqual([record.outcome, record.phase, record.body], [1, rewrite, 'first'])
})

test('what is changed travels as edits, and reads back as changed', async (t) => {
  const guest = await open(
    t,
    `{ rewrite(request, response, edge) {
      request.method = 'PUT'
      request.path = '/p'
      request.query.append('c', 'd e')
      request.headers.set('X-One', '1')
      request.headers.append('x-one', '2')
      request.headers.delete('Accept')
      response.headers.set('X-Out', 'a')
      response.headers.append('x-out', 'b')
      response.headers.delete('server')
      edge.log(request.method, request.path, String(request.query), request.url, [...request.headers])
      edge.log([...response.headers])
    } }`,
  )
  const head = 'GET /?a=b HTTP/1.1\r\nHost: example.org:81\r\nAccept: */*\r\n'
  const records = guest.step(invokeEntry(1, ['rewrite'], { head, meta: { scheme: 'https' } }))
  assert.deepEqual(logs(records), [
    '1 1 PUT /p a=b&c=d+e https://example.org:81/p?a=b&c=d+e [["host", "example.org:81"], ["x-one", "1, 2"]]',
    '1 1 [["x-out", "a, b"]]',
  ])
  assert.equal(
    invocation(records).edits,
    'm PUT\np /p\nh X-One: 1\na x-one: 2\nd accept\nH X-Out: a\nA x-out: b\nD server\nq a=b&c=d+e\n',
  )
})

test('edits of units before it are seen, and not sent again', async (t) => {
  const guest = await open(
    t,
    `{ access(request, response, edge) {
      edge.log(request.method, request.path, request.query.get('q'), [...request.headers], [...response.headers])
    } }`,
  )
  const edits = 'm POST\np /other\nq q=1\nh host: b\na x: y\nd accept\nH s: 1\nA s: 2\nA gone: x\nD gone\n'
  const head = 'GET /?q=0 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n'
  const records = guest.step(invokeEntry(1, ['access'], { head, edits }))
  assert.deepEqual(logs(records), ['1 1 POST /other 1 [["host", "b"], ["x", "y"]] [["s", "1, 2"]]'])
  assert.equal(invocation(records).edits, '')
})

test('headerFilter sees the response, and changes it', async (t) => {
  const guest = await open(
    t,
    `{ headerFilter(request, response, edge) {
      edge.log(response.status, response.headers.get('Content-Type'), response.headers.getSetCookie())
      response.status = 404
      response.headers.delete('Content-Type')
      response.headers.set('x', String(response.status))
    } }`,
  )
  const response = '200\ncontent-type: text/html\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n'
  const records = guest.step(invokeEntry(1, ['headerFilter'], { response }))
  assert.deepEqual(logs(records), ['1 1 200 text/html ["a=1", "b=2"]'])
  assert.equal(invocation(records).edits, 'S 404\nD content-type\nH x: 404\n')
})

test('an async handler is pending, and answers when the host goes on', async (t) => {
  const guest = await open(
    t,
    `{ async access(request, response) {
      await null
      if (request.path === '/slow') await new Promise((resolve) => setTimeout(resolve, 50))
      response.headers.set('x', 'y')
      return request.path === '/deny' ? new Response('no', { status: 403 }) : undefined
    } }`,
  )
  const entry = (id: number, path: string) =>
    invokeEntry(id, ['access'], { head: `GET ${path} HTTP/1.1\r\n\r\n` })
  assert.deepEqual(brief(guest.step(entry(1, '/') + entry(2, '/slow') + entry(3, '/deny'))), [
    '1 3 2',
    '2 3 2',
    '3 3 2',
  ])
  const records = guest.step('3 \n')
  assert.deepEqual(brief(records), ['1 0 0', '3 1 2 no'])
  assert.equal(invocation(records).edits, 'H x: y\n')
  assert.deepEqual([...guest.timers.values()], [50])
  const [timer] = guest.timers.keys()
  assert.deepEqual(brief(guest.step(`2 ${timer} \n`)), [])
  assert.deepEqual(brief(guest.step('3 \n')), ['2 0 0'])
})

test('after an async phase the next one runs', async (t) => {
  const guest = await open(
    t,
    `{ async rewrite(request) { await 1; request.path = '/2' }, access: (r) => new Response(r.path) }`,
  )
  assert.deepEqual(brief(guest.settle(invokeEntry(1, ['rewrite', 'access']))), ['1 3 1', '1 1 2 /2'])
})

test('what was forgotten is not answered', async (t) => {
  const guest = await open(
    t,
    `{ async access() { await new Promise((resolve) => setTimeout(resolve, 5000)); return new Response('late') } }`,
  )
  guest.step(invokeEntry(1, ['access']))
  assert.deepEqual(guest.step('3 \n'), [{ kind: 'timer', id: 1, ms: 5000 }].slice(1))
  guest.forget(1)
  assert.deepEqual(guest.step('2 1 \n'), [])
  assert.deepEqual(guest.step('3 \n'), [])
})

test('a thrown error travels with its name, message and the unit’s own place', async (t) => {
  const guest = await open(
    t,
    `{ async access() { await 1; null.x }, content() { throw 'text' }, rewrite() { throw { message: 5 } } }`,
  )
  const thrown = (records: readonly GuestRecord[]) =>
    JSON.parse(invocation(records).head) as Record<string, string>
  const failed = thrown(guest.settle(invokeEntry(1, ['access'])))
  assert.equal(failed.name, 'TypeError')
  assert.match(failed.message!, /Cannot read properties of null/)
  assert.match(failed.stack!, /test@1\.js:1:\d+/)
  assert.deepEqual(thrown(guest.step(invokeEntry(2, ['content']))), {
    name: 'Error',
    message: 'text',
    stack: '',
  })
  assert.equal(thrown(guest.step(invokeEntry(3, ['rewrite']))).message, 'an object was thrown')
})

test('what a phase may not return is an error that says what it may', async (t) => {
  const guest = await open(
    t,
    `{ access: () => 5, rewrite: async () => ({ status: 200 }), content() {}, headerFilter: () => new Response(), log: () => true }`,
  )
  const message = (phase: 'access' | 'rewrite' | 'content' | 'headerFilter' | 'log') => {
    const record = invocation(guest.settle(invokeEntry(1, [phase], { response: '200\n' })))
    assert.deepEqual([record.outcome, record.phase], [2, PHASE_BITS[phase]])
    return (JSON.parse(record.head) as { message: string }).message
  }
  assert.equal(message('access'), 'access returned the number 5; return nothing or a Response')
  assert.equal(message('rewrite'), 'rewrite returned an object; return nothing or a Response')
  assert.equal(message('content'), 'content returned nothing; return a Response')
  assert.equal(message('headerFilter'), 'headerFilter returned a Response; return nothing')
  assert.equal(message('log'), 'log returned a boolean; return nothing')
})

const REFUSALS: readonly (readonly [phase: keyof typeof PHASE_BITS, code: string, message: RegExp])[] = [
  ['rewrite', "request.path = 'x'", /"x" does not start with "\/"/],
  ['rewrite', "request.path = '/a b'", /must be percent-encoded \(U\+0020\)/],
  ['rewrite', "request.path = '/a?b'", /set request\.query/],
  ['rewrite', "request.path = '/é'", /must be percent-encoded \(U\+00e9\)/],
  ['rewrite', "request.path = '/\\r\\nx: y'", /U\+000d/],
  ['rewrite', 'request.path = 5', /a path is text, not the number 5/],
  ['rewrite', "request.method = 'get'", /is not a method/],
  ['rewrite', "request.method = 'A B'", /is not a method/],
  ['rewrite', "request.method = 'CONNECT'", /cannot be sent/],
  ['rewrite', "request.query = 'a b'", /must be percent-encoded/],
  ['rewrite', "request.headers.set('a b', 'c')", /"a b" is not a header name/],
  ['rewrite', "request.headers.set('', 'c')", /name is empty/],
  ['rewrite', "response.headers.set('a', 'b\\nc')", /control character \(U\+000a\)/],
  ['rewrite', "response.headers.set('a', 'b\\0c')", /control character \(U\+0000\)/],
  ['rewrite', "response.headers.set('a', '→')", /beyond Latin-1 \(U\+2192\)/],
  ['rewrite', 'response.status = 200', /response\.status cannot be changed in rewrite/],
  ['rewrite', 'return request.text()', /body of a request can be read in content alone/],
  ['content', "request.path = '/x'", /request\.path cannot be changed in content/],
  ['content', "request.headers.set('a', 'b')", /request\.headers cannot be changed in content/],
  ['headerFilter', "request.query.set('a', 'b')", /request\.query cannot be changed in headerFilter/],
  ['headerFilter', "request.method = 'PUT'", /request\.method cannot be changed in headerFilter/],
  ['headerFilter', 'response.status = 99', /is not a status from 200 to 599/],
  ['log', "response.headers.set('a', 'b')", /response\.headers cannot be changed in log/],
  ['log', 'response.status = 404', /response\.status cannot be changed in log/],
  ['content', 'return Response.error()', /Response\.error\(\) cannot be sent/],
  ['content', 'const r = new Response("x"); await r.text(); return r', /the body was already read/],
  ['content', 'return new Response("x", { status: 204 })', /status 204 has no body/],
  ['content', 'return new Response("x", { status: 101 })', /is not a status/],
]

test('what a phase may not do is refused, with the reason', async (t) => {
  for (const [phase, code, message] of REFUSALS) {
    const parameters = phase === 'content' ? 'request, edge' : 'request, response, edge'
    const guest = await open(t, `{ async ${phase}(${parameters}) { ${code} } }`)
    const record = invocation(guest.settle(invokeEntry(1, [phase], { response: '200\n' })))
    assert.equal(record.outcome, 2, code)
    assert.match((JSON.parse(record.head) as { message: string }).message, message, code)
    assert.equal(record.edits, '', code)
  }
})

test('nothing can be changed once the unit has answered', async (t) => {
  const guest = await open(
    t,
    `{ access(request, response, edge) {
      setTimeout(() => { try { response.headers.set('late', 'x') } catch (error) { edge.log(error.message) } }, 1)
    } }`,
  )
  guest.step(invokeEntry(1, ['access']))
  assert.deepEqual(logs(guest.step('2 1 \n')), [
    '1 1 response.headers cannot be changed: the unit has already answered',
  ])
})

test('a step hands back what is done when its slice is used, and names the entry to go on with', async (t) => {
  const guest = await open(
    t,
    `{ access() { const until = Date.now() + ${SLICE_MS + 2}; while (Date.now() < until); } }`,
  )
  const records = guest.stepOnce([1, 2, 3].map((id) => invokeEntry(id, ['access'])).join(''))
  assert.deepEqual(brief(records), ['1 0 0'])
  assert.deepEqual(records.at(-1), { kind: 'more', id: 1, ms: 0 })
})

test('bodies are text or bytes', async (t) => {
  const guest = await open(
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
    const record = invocation(guest.settle(invokeEntry(1, ['content'], { head, body })))
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

test('a rejection that nobody handles costs no answer: the host asks again', async (t) => {
  const guest = await open(
    t,
    `{ access(request) { if (request.path === '/bad') Promise.reject(new Error('unheard')); return new Response(request.path) } }`,
  )
  const entry = (id: number, path: string) =>
    invokeEntry(id, ['access'], { head: `GET ${path} HTTP/1.1\r\n` })
  assert.deepEqual(brief(guest.step(entry(1, '/good') + entry(2, '/bad'))), ['1 1 2 /good', '2 1 2 /bad'])
  assert.match(String(guest.rejections[0]), /unheard/)
  assert.deepEqual(brief(guest.step(entry(3, '/good'))), ['3 1 2 /good'])
})

test('an interval fires until it is cleared', async (t) => {
  const guest = await open(
    t,
    `{ access(request, response, edge) { let n = 0; const timer = setInterval(() => { edge.log(++n); if (n === 2) clearInterval(timer) }, 20) } }`,
  )
  assert.deepEqual(guest.step(invokeEntry(1, ['access']))[0], { kind: 'timer', id: 1, ms: 20 })
  assert.deepEqual(guest.step('2 1 \n'), [
    { kind: 'log', id: 1, level: 1, where: 'test@1.js:1:141', text: '1' },
    { kind: 'timer', id: 1, ms: 20 },
  ])
  assert.deepEqual(guest.step('2 1 \n'), [
    { kind: 'log', id: 1, level: 1, where: 'test@1.js:1:141', text: '2' },
    { kind: 'clear', id: 1, ms: 0 },
  ])
  assert.deepEqual(guest.step('2 1 \n'), [])
})

test('timers are bounded', async (t) => {
  const guest = await open(t, '{ access() { for (;;) setTimeout(() => {}, 1000) } }')
  const record = invocation(guest.step(invokeEntry(1, ['access'])))
  assert.match(record.head, /RangeError.*more than 1000 timers/)
})

test('headers go out as they were spelled last, and are the same in any case', async (t) => {
  const guest = await open(
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
  assert.deepEqual(logs(records), ['1 1 x-b x-early x-metrics-upstream_response_time 0.1'])
  assert.equal(
    invocation(records).edits,
    'h X-Request: 1\nA X-Metrics-upstream_response_time: 0.1\nH x-b: old\nH X-B: new\nD x-gone\n',
  )
  assert.equal(invocation(records).head, '200\nX-A: 1\r\nx-a: 2\r\nCONTENT-type: text/html\r\n')
})

test('the host sees whose entry runs', async (t) => {
  const guest = await open(t, `{ access(request) { if (request.path === '/loop') for (;;); } }`)
  const entry = (id: number, path: string) =>
    invokeEntry(id, ['access'], { head: `GET ${path} HTTP/1.1\r\n` })
  guest.step(entry(41, '/'))
  assert.equal(guest.progress[0], -1)
  // On a busy machine the slice may end before the second entry starts.
  const batch = entry(41, '/') + entry(42, '/loop') + entry(43, '/')
  let limited: unknown = ''
  while (typeof limited === 'string') limited = guest.stepWithin(batch, 500)
  assert.match(String(limited), /timed out/)
  assert.deepEqual([...guest.progress], [1, 42, 0])
})

test('the host sees how many invocations await', async (t) => {
  const guest = await open(
    t,
    `{ async access(request) { if (request.path === '/wait') await new Promise(() => {}); else await 1 } }`,
  )
  const entry = (id: number, path: string) =>
    invokeEntry(id, ['access'], { head: `GET ${path} HTTP/1.1\r\n` })
  guest.enter(entry(41, '/wait') + entry(42, '/'))
  assert.equal(guest.progress[2], 2)
  guest.enter('3 \n')
  assert.equal(guest.progress[2], 1)
  guest.enter('4 41 \n')
  assert.equal(guest.progress[2], 0)
})

test('edge tells of the node, the unit, the client and the environment', async (t) => {
  const guest = await open(
    t,
    `{ access(request, response, edge) {
      edge.log(edge.env.KEY, edge.node, edge.unit, edge.client, request.host)
      edge.log.error('e'); edge.log('warn', 'w', 1); edge.log.debug('d'); edge.log('warn')
      for (const on of [edge.env, edge.node, edge.node.groups, edge.client, edge.log]) if (!Object.isFrozen(on)) throw on
    } }`,
    { name: 'who', version: 3, env: { KEY: 'value' }, node: { name: 'gru1', groups: ['sa'] } },
  )
  const meta = { client: { address: '192.0.2.1', port: 5, scheme: 'https' } } as const
  assert.deepEqual(logs(guest.step(invokeEntry(1, ['access'], { meta }))), [
    '1 1 value { name: "gru1", groups: ["sa"] } { name: "who", version: 3 } { address: "192.0.2.1", port: 5, scheme: "https" } example.org',
    '1 3 e',
    '1 2 w 1',
    '1 0 d',
    '1 1 warn',
  ])
})

test('cookies are found as they were sent', async (t) => {
  const guest = await open(
    t,
    `{ access(request, response, edge) { const c = request.cookies; edge.log([...c], c.get('a'), c.get('aa'), c.get('b'), c.get('nope'), c.has('e'), c.get('a=1')) } }`,
  )
  const head = 'GET / HTTP/1.1\r\nCookie: aa=0; a=1;b="x y" ; a=2\r\nX: y\r\ncookie: e=f=g; broken; =h\r\n'
  const [line] = logs(guest.step(invokeEntry(1, ['access'], { head })))
  assert.equal(
    line,
    '1 1 [["aa", "0"], ["a", "1"], ["b", "\\"x y\\""], ["a", "2"], ["e", "f=g"]] 1 0 "x y" undefined true undefined',
  )
})

test('a fetch handler is the content phase', async (t) => {
  const guest = await open(
    t,
    `{ async fetch(request, env, context) {
      context.waitUntil(Promise.resolve())
      const copy = new Request(request, { headers: { a: 'b' } })
      return Response.json([request instanceof Request, request.method, request.url, request.headers.get('host'),
        env.KEY, copy.headers.get('a'), copy.url, await copy.text()])
    } }`,
    { env: { KEY: 'v' } },
  )
  assert.deepEqual(guest.installed, { ok: true, phases: content, fields: {} })
  const head = 'POST /x?y HTTP/1.1\r\nHost: example.org\r\n'
  const record = invocation(guest.settle(invokeEntry(1, ['content'], { head, body: 'hi' })))
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

test('install tells handlers and fields', async (t) => {
  const guest = await open(
    t,
    `{ access() {}, log() {}, hosts: ['a'], sample: { share: 0.5 }, typo: 1, onX() {} }`,
  )
  assert.deepEqual(guest.installed, {
    ok: true,
    phases: PHASE_BITS.access | PHASE_BITS.log,
    fields: { hosts: ['a'], sample: { share: 0.5 }, typo: 1, onX: null },
  })
  const named = await openGuest('exports.access = () => {}; exports.paths = ["/x"]')
  t.after(() => named.dispose())
  assert.deepEqual(named.installed, { ok: true, phases: PHASE_BITS.access, fields: { paths: ['/x'] } })
})

test('install refuses what is no unit, with the reason', async (t) => {
  const refusals: readonly (readonly [code: string, message: RegExp])[] = [
    [
      'module.exports = {}',
      /exports no handler \(rewrite, access, content, origin, originResponse, headerFilter, bodyFilter, log, timer or fetch\)/,
    ],
    ['exports.default = 5', /the default export is the number 5/],
    ['exports.default = { access: 5 }', /access is the number 5; a handler is a function/],
    ['exports.default = { content() {}, fetch() {} }', /both content and fetch/],
    ['throw new RangeError("top")', /RangeError: top/],
    ['exports.default = { get access() { throw new Error("getter") } }', /Error: getter/],
  ]
  for (const [code, message] of refusals) {
    const guest = await openGuest(code)
    t.after(() => guest.dispose())
    assert.ok(!guest.installed.ok)
    assert.match(guest.installed.message, message)
  }
})

test('a unit that remembers a part of a request does not keep the whole of it', async (t) => {
  const guest = await open(
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
