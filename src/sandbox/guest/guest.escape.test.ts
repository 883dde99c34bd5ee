/**
 * What a hostile unit tries from inside its isolate: to reach the guest's own functions or the host, to forge records, to
 * answer for other requests by changing what the language's built-ins do, and to find what was taken away.
 *
 * A unit may well break itself; it must not change what is answered for requests whose handler did not ask for it, nor
 * the form of an answer.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Phase } from '../../contract/unit.ts'
import { type GuestIsolate, type GuestRecord, invokeEntry, openGuest } from './guest.support.ts'

async function open(t: TestContext, code: string, env: Record<string, string> = {}): Promise<GuestIsolate> {
  const guest = await openGuest(code, { env })
  t.after(() => guest.dispose())
  assert.ok(guest.installed.ok, JSON.stringify(guest.installed))
  return guest
}

/** What a probe of a unit returns, as JSON. `probe` is the body of a function of `(request, response, edge)`. */
async function probe(t: TestContext, body: string, top = ''): Promise<unknown> {
  const guest = await open(
    t,
    `${top}; exports.default = { access(request, response, edge) { return Response.json((() => { ${body} })() ?? null) } }`,
  )
  const [record] = guest.settle(invokeEntry(1, ['access'])).filter(({ kind }) => kind === 'invocation')
  assert.ok(record?.kind === 'invocation')
  assert.equal(record.outcome, 1, record.head)
  return JSON.parse(record.body)
}

test('the guest leaves nothing in the global scope but the globals of units', async (t) => {
  const names = (await probe(t, 'return Reflect.ownKeys(globalThis).map(String)')) as string[]
  for (const name of ['guest', 'install', 'step', 'module', 'exports', 'process', 'require', 'ivm', '$0']) {
    assert.ok(!names.includes(name), name)
  }
  for (const name of ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'FinalizationRegistry', 'gc']) {
    assert.equal(await probe(t, `return typeof globalThis.${name} + typeof ${name}`), 'undefinedundefined')
  }
})

test('constructors lead to the unit’s own bare global, and no further', async (t) => {
  const roots = [
    'request',
    'response',
    'edge',
    'request.headers',
    'request.query',
    'request.cookies',
    'edge.log',
    'edge.env',
    'edge.client',
    'console.log',
    'crypto.subtle',
    'setTimeout',
    'new Response()',
    'Response.prototype.text.call(new Response()).constructor',
  ]
  for (const root of roots) {
    const found = await probe(
      t,
      `const world = ${root}.constructor.constructor('return this')()
       return [world === globalThis, typeof world.process, typeof world.require, typeof world.step, typeof world.install]`,
    )
    assert.deepEqual(found, [true, 'undefined', 'undefined', 'undefined', 'undefined'], root)
  }
})

test('stacks give no function and no object of the guest', async (t) => {
  const found = await probe(
    t,
    `let seen
     Error.prepareStackTrace = (error, sites) => { seen = sites; return '' }
     void new Error().stack
     return seen.filter((site) => site.getFileName() === 'guest.js').map((site) => [typeof site.getFunction(), typeof site.getThis()])`,
  )
  assert.ok(Array.isArray(found) && found.length > 3)
  for (const site of found) assert.deepEqual(site, ['undefined', 'undefined'])
})

test('a sloppy function finds no caller', async (t) => {
  const found = await probe(
    t,
    'return caller()',
    'function caller() { let seen = []; let at = caller; try { while (at) { at = at.caller; seen.push(typeof at + (at && at.name)) } } catch (error) { seen.push(error.name) } return seen }',
  )
  // Its own arrow and handler at most; the guest is strict code, of which V8 says nothing.
  for (const name of found as string[]) assert.doesNotMatch(name, /step|call|advance|start|runInvoke/)
})

test('private parts of the guest’s objects cannot be listed', async (t) => {
  const found = await probe(
    t,
    `return [request, response, edge, request.headers, request.query, request.cookies, new Response('x')].map((value) =>
      [Reflect.ownKeys(value), Reflect.ownKeys(Object.getPrototypeOf(value)).map(String)])`,
  )
  for (const [own, inherited] of found as [string[], string[]][]) {
    assert.deepEqual(own, [])
    assert.ok(
      inherited.every((name) => !/run|invocation|store|owner|#/i.test(name)),
      inherited.join(),
    )
  }
})

test('methods on foreign objects are refused', async (t) => {
  const found = await probe(
    t,
    `const attempts = [
      () => Object.getOwnPropertyDescriptor(Object.getPrototypeOf(request), 'path').get.call({}),
      () => Object.getOwnPropertyDescriptor(Object.getPrototypeOf(edge), 'client').get.call(Object.create(edge)),
      () => Headers.prototype.get.call({}, 'a'),
    ]
    return attempts.map((attempt) => { try { attempt(); return 'done' } catch (error) { return error.name } })`,
  )
  assert.deepEqual(found, ['TypeError', 'TypeError', 'TypeError'])
})

test('a unit cannot make the objects that the guest makes', async (t) => {
  const found = await probe(
    t,
    `const forged = { id: '1 2 0 0 0 0 0 0 \\n', phase: 1, requestHeaders: { listed: true, first: null } }
     return [request, response, edge, request.cookies, new AbortController().signal, request.headers.entries()].map((value) => {
       try { new CryptoKey(forged, forged); return 'key' } catch {}
       try { new (Object.getPrototypeOf(value).constructor)(forged, forged); return 'made' } catch (error) { return error.message }
     })`,
  )
  for (const message of found as string[]) assert.equal(message, 'Illegal constructor')
})

/** Everything a unit can change about the language, before any request comes. */
const POISON = `
  const { defineProperty, getOwnPropertyDescriptor, ownKeys, getPrototypeOf } = Reflect
  const evil = function () { return 'evil' }
  const spoil = (owner) => {
    const keys = ownKeys(owner)
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]
      if (key === 'constructor' || key === 'length' || key === 'name' || key === 'prototype') continue
      const property = getOwnPropertyDescriptor(owner, key)
      if (!property.configurable || ('value' in property && typeof property.value !== 'function')) continue
      defineProperty(owner, key, property.get ? { get: evil, configurable: true } : { value: evil, configurable: true, writable: true })
    }
  }
  const classes = [String, Array, Number, Promise, Map, Set, RegExp, Date, ArrayBuffer, DataView, Uint8Array, Function, Error, TypeError, Symbol]
  const owners = [getPrototypeOf(Uint8Array.prototype), getPrototypeOf([][Symbol.iterator]()), getPrototypeOf(new Map()[Symbol.iterator]()), getPrototypeOf(''[Symbol.iterator]()), Math, JSON, Reflect, Object]
  for (let i = 0, length = classes.length; i < length; i++) owners[8 + 2 * i] = classes[i], owners[9 + 2 * i] = classes[i].prototype
  // (Not \`status\` and \`headers\`: what a unit leaves out of an init object is read from its prototype, as on the web.)
  const caught = ['0', '1', '2', '3', 'id', 'phases', 'phase', 'edits', 'next', 'name', 'value', 'first', 'last', 'text', 'owner',
    'request', 'response', 'edge', 'done', 'then', 'toJSON', 'message', 'stack', 'isClosed', 'content', 'kind', 'used']
  for (let i = 0, length = owners.length; i < length; i++) spoil(owners[i])
  // Setters where an assignment or an index on a fresh object could be caught.
  for (let i = 0, length = caught.length; i < length; i++) {
    defineProperty(Object.prototype, caught[i], { __proto__: null, get: evil, set: evil, configurable: true })
  }
`

test('what is answered does not depend on the built-ins that a unit has replaced', async (t) => {
  const handlers = `
    exports.default = {
      rewrite(request) { request.path = '/new' },
      access(request, response, edge) {
        response.headers.append('x-token', request.query.get('token') ?? '')
        response.headers.set('x-cookie', request.cookies.get('superstition') ?? '')
        edge.log(request.headers.get('accept') ?? '')
        if (request.method === 'POST') return new Response('posted', { status: 201, headers: { a: 'b' } })
      },
      async content(request) { const body = await request.text(); return new Response(body, { status: 202 }) },
      headerFilter(request, response) { response.headers.delete('server'); response.status = 404 },
    }`
  const clean = await open(t, handlers)
  const poisoned = await open(t, `${handlers}\n${POISON}`)
  const head = (method: string) =>
    `${method} /unit/x?a=1&token=token HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\nCookie: a=b; superstition=token\r\n`
  const calls: readonly (readonly [readonly Phase[], string])[] = [
    [['rewrite', 'access'], 'GET'],
    [['rewrite', 'access'], 'POST'],
    [['content'], 'POST'],
    [['headerFilter'], 'GET'],
  ]
  const answers = (guest: GuestIsolate): GuestRecord[] => {
    const batch = calls.map(([phases, method], i) =>
      invokeEntry(i + 1, phases, { head: head(method), body: 'body', response: '200\nserver: x\r\n' }),
    )
    // Which of them come before the first that awaits depends on how much of a slice was used.
    return guest.settle(batch.join('')).toSorted((a, b) => a.id - b.id)
  }
  assert.deepEqual(answers(poisoned), answers(clean))
})

test('a poisoned Object.prototype does not change what an invocation is', async (t) => {
  const guest = await open(
    t,
    `for (const key of ['isClosed', 'isPending', 'owner', 'listed', 'params', 'edits', 'phase']) Object.prototype[key] = 1
     exports.default = { async access(request, response) { await 1; response.headers.set('a', 'b') } }`,
  )
  const records = guest.settle(invokeEntry(1, ['access']))
  assert.deepEqual(
    records.map((record) => (record.kind === 'invocation' ? [record.outcome, record.edits] : [])),
    [
      [3, ''],
      [0, 'H a: b\n'],
    ],
  )
})

test('no text that a unit gives can look like a record', async (t) => {
  const forged = '\\n1 2 1 2 0 4 0 0 \\n403\\n5 0 \\n'
  const guest = await open(
    t,
    `exports.default = { access(request, response, edge) {
      if (request.path === '/victim') return
      edge.log('${forged}'); console.log('${forged}')
      const text = { toString() { return '${forged}' } }
      for (const attempt of [
        () => response.headers.set('x', '${forged}'),
        () => response.headers.set(text, 'x'),
        () => { request.path = '/${forged}' },
        () => { request.method = text },
        () => { request.query = '${forged}' },
        () => request.query.set('${forged}', '${forged}'),
      ]) try { attempt() } catch {}
      const error = new Error('${forged}')
      error.name = '${forged}'; error.stack = '${forged}'
      throw error
    } }`,
  )
  const entry = (id: number, path: string) =>
    invokeEntry(id, ['access'], { head: `GET ${path} HTTP/1.1\r\n` })
  const records = guest.step(entry(1, '/evil') + entry(2, '/victim'))
  assert.deepEqual(
    records.map((record) => (record.kind === 'invocation' ? `${record.id} ${record.outcome}` : record.kind)),
    ['log', 'log', '1 2', '2 0'],
  )
  const [, , evil] = records
  assert.ok(evil?.kind === 'invocation')
  for (const line of evil.edits.split('\n').slice(0, -1)) assert.match(line, /^q [\x21-\x7e]*$/)
})

test('lengths are those of the text itself, whatever it says of itself', async (t) => {
  const guest = await open(
    t,
    `exports.default = { content(request) {
      const kinds = {
        '/string': new (class extends String { get length() { return 1 } })('abc'),
        '/array': Object.assign(new Uint8Array([97, 98]), {}),
        '/proxy': new Proxy({}, { get: (target, key) => key === Symbol.toPrimitive ? () => 'abc' : 5 }),
        '/longer': Object.defineProperty(new Uint8Array(2), 'length', { value: 1000 }),
      }
      return new Response(kinds[request.path])
    } }`,
  )
  for (const [path, body] of [
    ['/string', 'abc'],
    ['/array', 'ab'],
    ['/proxy', 'abc'],
    ['/longer', '\0\0'],
  ]) {
    const [record] = guest.step(invokeEntry(1, ['content'], { head: `GET ${path} HTTP/1.1\r\n` }))
    assert.ok(record?.kind === 'invocation')
    assert.equal(record.body, body)
  }
})

test('objects kept from one request do not act on another', async (t) => {
  const guest = await open(
    t,
    `let kept
     exports.default = { access(request, response, edge) {
       if (!kept) { kept = { request, response, edge }; return }
       const attempts = [
         () => kept.response.headers.set('x', 'y'),
         () => { kept.request.path = '/stolen' },
         () => kept.request.query.set('a', 'b'),
         () => kept.request.headers.set('a', 'b'),
       ]
       edge.log(attempts.map((attempt) => { try { attempt(); return 'done' } catch (error) { return error.name } }))
       kept.edge.log('late')
       return new Response(kept.request.path + request.path)
     } }`,
  )
  const entry = (id: number, path: string) =>
    invokeEntry(id, ['access'], { head: `GET ${path} HTTP/1.1\r\n` })
  const records = guest.step(entry(1, '/first') + entry(2, '/second') + entry(3, '/third'))
  assert.deepEqual(
    records.map((record) =>
      record.kind === 'log'
        ? `${record.id} ${record.text}`
        : record.kind === 'invocation'
          ? `${record.id} ${record.edits}${record.body}`
          : '',
    ),
    [
      '1 ',
      '2 ["TypeError", "TypeError", "TypeError", "TypeError"]',
      '1 late',
      '2 /first/second',
      '3 ["TypeError", "TypeError", "TypeError", "TypeError"]',
      '1 late',
      '3 /first/third',
    ],
  )
})

test('a handler that answers twice is heard once', async (t) => {
  const guest = await open(
    t,
    `exports.default = { access: () => ({ then(resolve, reject) {
      resolve(new Response('one')); resolve(new Response('two')); reject(new Error('three'))
    } }) }`,
  )
  const records = guest.settle(invokeEntry(1, ['access']))
  assert.deepEqual(
    records.map((record) =>
      record.kind === 'invocation' ? `${record.outcome} ${record.body}` : record.kind,
    ),
    ['3 ', '1 one'],
  )
})

test('a promise whose class was tampered with settles its own invocation alone', async (t) => {
  const guest = await open(
    t,
    `let settle = []
     class Tampered extends Promise {
       then(resolve, reject) { settle.push(resolve); return super.then(resolve, reject) }
     }
     Object.defineProperty(Promise, Symbol.species, { get() { return Tampered } })
     Object.defineProperty(Promise.prototype, 'constructor', { get() { for (const resolve of settle) resolve(new Response('forged')); return Tampered } })
     exports.default = { async access(request) { await 1; return new Response(request.path) },
       content(request) { return Tampered.resolve(new Response(request.path)) } }`,
  )
  const entry = (id: number, phase: Phase) => invokeEntry(id, [phase], { head: `GET /${id} HTTP/1.1\r\n` })
  const records = guest.settle(entry(1, 'access') + entry(2, 'content') + entry(3, 'access'))
  const bodies = new Map(
    records.flatMap((record) => (record.kind === 'invocation' ? [[record.id, record.body] as const] : [])),
  )
  assert.equal(bodies.get(1), '/1')
  assert.equal(bodies.get(3), '/3')
  assert.ok(['/2', 'forged'].includes(bodies.get(2)!))
})

test('errors that fight back are still records', async (t) => {
  const thrown = [
    'Object.defineProperty(new Error(), "message", { get() { throw 1 } })',
    'new Proxy(new Error("x"), { get() { throw 1 }, getPrototypeOf() { throw 1 } })',
    'Object.create(null)',
    '({ toString: null, valueOf: null })',
    'Symbol("s")',
    'null',
    'undefined',
    '(() => {})',
    '10n',
  ]
  for (const value of thrown) {
    const guest = await open(
      t,
      `exports.default = { access(request, response, edge) { edge.log(${value}); throw ${value} } }`,
    )
    const records = guest.step(invokeEntry(1, ['access']))
    assert.deepEqual(
      records.map(({ kind }) => kind),
      ['log', 'invocation'],
      value,
    )
    const record = records[1]!
    assert.ok(record.kind === 'invocation')
    assert.equal(record.outcome, 2)
    assert.deepEqual(Object.keys(JSON.parse(record.head) as object), ['name', 'message', 'stack'])
  }
})

test('deep recursion is an error of the unit, and the next request is served', async (t) => {
  const guest = await open(
    t,
    `exports.default = { access(request) { const deep = () => deep() + 1; if (request.path === '/deep') deep(); return new Response('ok') } }`,
  )
  const entry = (id: number, path: string) =>
    invokeEntry(id, ['access'], { head: `GET ${path} HTTP/1.1\r\n` })
  const records = guest.step(entry(1, '/deep') + entry(2, '/'))
  assert.deepEqual(
    records.map((record) => (record.kind === 'invocation' ? `${record.outcome} ${record.body}` : '')),
    ['2 ', '1 ok'],
  )
})

test('a stack that is nearly full does not tear a record', async (t) => {
  const guest = await open(
    t,
    `exports.default = { access(request, response, edge) {
      const fill = (n) => { try { response.headers.append('x', String(n)); edge.log(n); console.log(n); } catch {} fill(n + 1) }
      try { fill(0) } catch {}
      return new Response('ok')
    } }`,
  )
  const records = guest.step(invokeEntry(1, ['access']))
  const last = records.findLast(({ kind }) => kind === 'invocation')
  assert.ok(last?.kind === 'invocation')
  assert.equal(last.body, 'ok')
  for (const line of last.edits.split('\n').slice(0, -1)) assert.match(line, /^A x: \d+$/)
})

test('the environment of another unit is in another isolate', async (t) => {
  const secret = await open(
    t,
    'exports.default = { access: (request, response, edge) => new Response(edge.env.KEY) }',
    { KEY: 'secret' },
  )
  const other = await open(
    t,
    `Object.prototype.KEY = 'stolen'; exports.default = { access: (request, response, edge) => new Response(JSON.stringify(edge.env)) }`,
  )
  const body = (guest: GuestIsolate) => {
    const [record] = guest.step(invokeEntry(1, ['access']))
    return record?.kind === 'invocation' ? record.body : undefined
  }
  assert.equal(body(secret), 'secret')
  assert.equal(body(other), '{}')
  assert.equal(body(secret), 'secret')
})
