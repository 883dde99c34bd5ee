/** The protocol, spoken to a guest in a real isolate. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PHASE_BITS } from '../../contract/unit.ts'
import { SLICE_MS } from '../protocol.ts'
import { type GuestRecord, invocationOf, invokeEntry, logsOf, openUnit } from './guest.support.ts'

const { rewrite, access } = PHASE_BITS

/** The records of invocations, short: `id outcome phase`, and what belongs to it. */
const brief = (records: readonly GuestRecord[]) =>
  records.flatMap((record) =>
    record.kind === 'invocation'
      ? [`${record.id} ${record.outcome} ${record.phase} ${record.body}`.trim()]
      : [],
  )

test('a batch is answered entry by entry, in order', async (t) => {
  const guest = await openUnit(t, '{ content: (request) => new Response(request.path) }')
  const batch = ['/a', '/b', '/c'].map((path, i) =>
    invokeEntry(i + 5, ['content'], { head: `GET ${path} HTTP/1.1\r\n\r\n` }),
  )
  assert.deepEqual(brief(guest.step(batch.join(''))), ['5 1 4 /a', '6 1 4 /b', '7 1 4 /c'])
})

test('the phases of a trip run one after the other, over the same request', async (t) => {
  const guest = await openUnit(
    t,
    `{ rewrite(request) { request.path = '/new'; request.headers.set('x', 'y') },
       access(request, response) { return new Response(request.path + request.headers.get('x')) } }`,
  )
  const record = invocationOf(guest.step(invokeEntry(1, ['rewrite', 'access'])))
  assert.deepEqual([record.outcome, record.phase, record.body], [1, access, '/newy'])
  assert.equal(record.edits, 'p /new\nh x: y\n')
})

test('an answer in one phase ends the trip', async (t) => {
  const guest = await openUnit(
    t,
    `{ rewrite: () => new Response('first'), access() { throw new Error('never') } }`,
  )
  const record = invocationOf(guest.step(invokeEntry(1, ['rewrite', 'access'])))
  assert.deepEqual([record.outcome, record.phase, record.body], [1, rewrite, 'first'])
})

test('what is changed travels as edits, and reads back as changed', async (t) => {
  const guest = await openUnit(
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
  assert.deepEqual(logsOf(records), [
    '1 1 PUT /p a=b&c=d+e https://example.org:81/p?a=b&c=d+e [["host", "example.org:81"], ["x-one", "1, 2"]]',
    '1 1 [["x-out", "a, b"]]',
  ])
  assert.equal(
    invocationOf(records).edits,
    'm PUT\np /p\nh X-One: 1\na x-one: 2\nd accept\nH X-Out: a\nA x-out: b\nD server\nq a=b&c=d+e\n',
  )
})

test('edits of units before it are seen, and not sent again', async (t) => {
  const guest = await openUnit(
    t,
    `{ access(request, response, edge) {
      edge.log(request.method, request.path, request.query.get('q'), [...request.headers], [...response.headers])
    } }`,
  )
  const edits = 'm POST\np /other\nq q=1\nh host: b\na x: y\nd accept\nH s: 1\nA s: 2\nA gone: x\nD gone\n'
  const head = 'GET /?q=0 HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n'
  const records = guest.step(invokeEntry(1, ['access'], { head, edits }))
  assert.deepEqual(logsOf(records), ['1 1 POST /other 1 [["host", "b"], ["x", "y"]] [["s", "1, 2"]]'])
  assert.equal(invocationOf(records).edits, '')
})

test('headerFilter sees the response, and changes it', async (t) => {
  const guest = await openUnit(
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
  assert.deepEqual(logsOf(records), ['1 1 200 text/html ["a=1", "b=2"]'])
  assert.equal(invocationOf(records).edits, 'S 404\nD content-type\nH x: 404\n')
})

test('an async handler is pending, and answers when the host goes on', async (t) => {
  const guest = await openUnit(
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
  assert.equal(invocationOf(records).edits, 'H x: y\n')
  assert.deepEqual([...guest.timers.values()], [50])
  const [timer] = guest.timers.keys()
  assert.deepEqual(brief(guest.step(`2 ${timer} \n`)), [])
  assert.deepEqual(brief(guest.step('3 \n')), ['2 0 0'])
})

test('after an async phase the next one runs', async (t) => {
  const guest = await openUnit(
    t,
    `{ async rewrite(request) { await 1; request.path = '/2' }, access: (r) => new Response(r.path) }`,
  )
  assert.deepEqual(brief(guest.settle(invokeEntry(1, ['rewrite', 'access']))), ['1 3 1', '1 1 2 /2'])
})

test('what was forgotten is not answered', async (t) => {
  const guest = await openUnit(
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
  const guest = await openUnit(
    t,
    `{ async access() { await 1; null.x }, content() { throw 'text' }, rewrite() { throw { message: 5 } } }`,
  )
  const thrown = (records: readonly GuestRecord[]) =>
    JSON.parse(invocationOf(records).head) as Record<string, string>
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
  const guest = await openUnit(
    t,
    `{ access: () => 5, rewrite: async () => ({ status: 200 }), content() {}, headerFilter: () => new Response(), log: () => true }`,
  )
  const message = (phase: 'access' | 'rewrite' | 'content' | 'headerFilter' | 'log') => {
    const record = invocationOf(guest.settle(invokeEntry(1, [phase], { response: '200\n' })))
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
    const guest = await openUnit(t, `{ async ${phase}(${parameters}) { ${code} } }`)
    const record = invocationOf(guest.settle(invokeEntry(1, [phase], { response: '200\n' })))
    assert.equal(record.outcome, 2, code)
    assert.match((JSON.parse(record.head) as { message: string }).message, message, code)
    assert.equal(record.edits, '', code)
  }
})

test('nothing can be changed once the unit has answered', async (t) => {
  const guest = await openUnit(
    t,
    `{ access(request, response, edge) {
      setTimeout(() => { try { response.headers.set('late', 'x') } catch (error) { edge.log(error.message) } }, 1)
    } }`,
  )
  guest.step(invokeEntry(1, ['access']))
  assert.deepEqual(logsOf(guest.step('2 1 \n')), [
    '1 1 response.headers cannot be changed: the unit has already answered',
  ])
})

test('a step hands back what is done when its slice is used, and names the entry to go on with', async (t) => {
  const guest = await openUnit(
    t,
    `{ access() { const until = Date.now() + ${SLICE_MS + 2}; while (Date.now() < until); } }`,
  )
  const records = guest.stepOnce([1, 2, 3].map((id) => invokeEntry(id, ['access'])).join(''))
  assert.deepEqual(brief(records), ['1 0 0'])
  assert.deepEqual(records.at(-1), { kind: 'more', id: 1, ms: 0 })
})

test('a rejection that nobody handles costs no answer: the host asks again', async (t) => {
  const guest = await openUnit(
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
  const guest = await openUnit(
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
  const guest = await openUnit(t, '{ access() { for (;;) setTimeout(() => {}, 1000) } }')
  const record = invocationOf(guest.step(invokeEntry(1, ['access'])))
  assert.match(record.head, /RangeError.*more than 1000 timers/)
})

test('the host sees whose entry runs', async (t) => {
  const guest = await openUnit(t, `{ access(request) { if (request.path === '/loop') for (;;); } }`)
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
  const guest = await openUnit(
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
