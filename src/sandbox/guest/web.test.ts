/** The guest's web interfaces, beside Node's own where both follow the same standard. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { atob as guestAtob, btoa as guestBtoa } from './base64.ts'
import { TextDecoder as GuestDecoder, TextEncoder as GuestEncoder } from './encoding.ts'
import { Headers as GuestHeaders } from './headers.ts'
import { Request as GuestRequest } from './request.ts'
import { Response as GuestResponse } from './response.ts'
import { byteStream } from './streams.ts'
import { structuredClone as guestClone } from './structured-clone.ts'
import { URLSearchParams as GuestParams } from './search-params.ts'

// As the bundle has it: see `streams.ts`, which asks for it once. The tests of other files in this process have none.
Object.assign(globalThis, { require: createRequire(import.meta.url) })
byteStream('')
Reflect.deleteProperty(globalThis, 'require')

/** What a call gives, or the kind of error it throws. */
function outcome(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    return `throws ${(error as Error).name}`
  }
}

test('headers behave as Node’s do', () => {
  const play = (headers: Headers | GuestHeaders) => {
    headers.append('B', ' 1 ')
    headers.append('a', 'x')
    headers.append('b', '2')
    headers.append('Set-Cookie', 'a=1')
    headers.append('set-cookie', 'b=2')
    const log: unknown[] = [
      [...headers],
      headers.get('B'),
      headers.get('none'),
      headers.has('A'),
      headers.getSetCookie(),
    ]
    headers.set('b', '3')
    headers.set('c', '')
    headers.delete('SET-COOKIE')
    headers.delete('none')
    log.push([...headers.keys()], [...headers.values()], [...headers.entries()])
    headers.forEach((value, name) => log.push(`${name}=${value}`))
    headers.delete('a')
    headers.delete('b')
    headers.delete('c')
    headers.append('z', '1')
    log.push([...headers], Object.prototype.toString.call(headers))
    return log
  }
  assert.deepEqual(play(new GuestHeaders()), play(new Headers()))
})

test('headers are made of what Node makes them of', () => {
  const inits: unknown[] = [
    undefined,
    {},
    { A: 'b' },
    [
      ['a', 'b'],
      ['A', 'c'],
    ],
    new Map([['x', 'y']]),
    null,
    5,
    [['a']],
    { 'a b': 'c' },
    { a: 'b\nc' },
    { a: '→' },
    { '': 'x' },
  ]
  for (const init of inits) {
    const made = (Class: typeof Headers | typeof GuestHeaders) => outcome(() => [...new Class(init as never)])
    assert.deepEqual(made(GuestHeaders), made(Headers), JSON.stringify(init))
  }
  assert.deepEqual([...new GuestHeaders(new GuestHeaders({ a: 'b' }))], [['a', 'b']])
})

test('control characters in a header’s value are refused, which the standard would let pass', () => {
  assert.throws(() => new GuestHeaders({ a: 'b\x01' }), TypeError)
})

test('responses are made as Node makes them', () => {
  const cases: readonly (readonly [body: unknown, init?: unknown])[] = [
    [undefined],
    [null],
    ['text'],
    [''],
    [new Uint8Array([104, 105])],
    [new DataView(new ArrayBuffer(2))],
    [5],
    ['x', { status: 201, statusText: 'Made', headers: { A: 'b' } }],
    ['x', { headers: { 'content-type': 'text/html' } }],
    [null, { status: 204 }],
    ['x', { status: 204 }],
    ['', { status: 304 }],
    ['x', { status: 199 }],
    ['x', { status: 600 }],
    ['x', { statusText: 'a\nb' }],
    ['x', { headers: { 'a b': 'c' } }],
  ]
  for (const [body, init] of cases) {
    const made = (Class: typeof Response | typeof GuestResponse) =>
      outcome(() => {
        const {
          status,
          statusText,
          ok,
          headers,
          type,
          url,
          redirected,
          bodyUsed,
          body: content,
        } = new Class(body as never, init as never)
        return [status, statusText, ok, [...headers], type, url, redirected, bodyUsed, content === null]
      })
    assert.deepEqual(made(GuestResponse), made(Response), JSON.stringify([body, init]))
  }
})

test('bodies are read as Node reads them, once', async () => {
  const bytes = new Uint8Array([0xef, 0xbb, 0xbf, 0x7b, 0x7d, 0xff])
  for (const body of ['{"a":"é😀"}', '\ufeff{}', bytes, '', null]) {
    for (const read of ['text', 'json', 'bytes', 'arrayBuffer'] as const) {
      const ask = async (Class: typeof Response | typeof GuestResponse) => {
        const response = new Class(body)
        const first: unknown = await response[read]().catch((error: Error) => error.name)
        const second: unknown = await response.text().catch((error: Error) => error.name)
        return [first instanceof ArrayBuffer ? new Uint8Array(first) : first, response.bodyUsed, second]
      }
      assert.deepEqual(await ask(GuestResponse), await ask(Response), `${String(body)} ${read}`)
    }
  }
})

test('a clone is read on its own', async () => {
  const response = new GuestResponse('x', { status: 203, headers: { a: 'b' } })
  const copy = response.clone()
  copy.headers.set('a', 'c')
  assert.equal(await response.text(), 'x')
  assert.equal(await copy.text(), 'x')
  assert.deepEqual([copy.status, response.headers.get('a'), copy.headers.get('a')], [203, 'b', 'c'])
  assert.throws(() => response.clone(), TypeError)
})

test('the makers of responses follow the standard', async () => {
  const json = GuestResponse.json({ a: [1] }, { status: 201, headers: { x: 'y' } })
  assert.deepEqual(
    [json.status, json.headers.get('content-type'), json.headers.get('x')],
    [201, 'application/json', 'y'],
  )
  assert.deepEqual(await json.json(), { a: [1] })
  assert.equal(
    GuestResponse.json('x', { headers: { 'content-type': 'a/b' } }).headers.get('content-type'),
    'a/b',
  )
  assert.throws(() => GuestResponse.json(undefined), TypeError)
  assert.throws(() => GuestResponse.json(1, { status: 204 }), TypeError)
  const redirect = GuestResponse.redirect('https://EXAMPLE.org/a b', 301)
  assert.deepEqual([redirect.status, redirect.headers.get('location')], [301, 'https://example.org/a%20b'])
  assert.equal(GuestResponse.redirect('/relative').headers.get('location'), '/relative')
  assert.throws(() => GuestResponse.redirect('/x\r\ny: z'), TypeError)
  assert.throws(() => GuestResponse.redirect('/x', 200), RangeError)
  assert.deepEqual([GuestResponse.error().type, GuestResponse.error().status], ['error', 0])
})

test('requests are made as Node makes them', async () => {
  const cases: readonly (readonly [input: unknown, init?: unknown])[] = [
    ['http://example.org'],
    ['http://example.org/a b?c#d', { method: 'post', body: 'x' }],
    ['http://example.org', { method: 'Report', headers: { a: 'b' } }],
    ['http://example.org', { method: 'POST', body: 'x', headers: { 'content-type': 'y' } }],
    ['http://example.org', { body: 'x' }],
    ['http://example.org', { method: 'a b' }],
    ['http://example.org', { method: 'CONNECT' }],
    ['http://u:p@example.org'],
    ['/relative'],
  ]
  for (const [input, init] of cases) {
    const made = async (Class: typeof Request | typeof GuestRequest) => {
      try {
        const request = new Class(input as never, init as never)
        return [
          request.method,
          request.url,
          [...request.headers],
          await request.clone().text(),
          request.bodyUsed,
        ]
      } catch (error) {
        return (error as Error).name
      }
    }
    assert.deepEqual(await made(GuestRequest), await made(Request), JSON.stringify([input, init]))
  }
  const first = new GuestRequest('http://h/', { method: 'PUT', body: new GuestParams({ a: 'b c' }) as never })
  const second = new GuestRequest(first, { headers: { x: 'y' } })
  assert.deepEqual([first.bodyUsed, await second.text(), second.method], [true, 'a=b+c', 'PUT'])
})

test('UTF-8 is encoded and decoded as Node does', () => {
  const texts = ['', 'abc', 'é', '→', '😀', '\ud800', 'a\udc00b', '\ud83d', '\ufeffx', 'x'.repeat(5000) + 'é']
  for (const text of texts) {
    assert.deepEqual(new GuestEncoder().encode(text), new TextEncoder().encode(text))
    for (const room of [0, 1, 2, 3, 4, 5]) {
      const [ours, nodes] = [new Uint8Array(room), new Uint8Array(room)]
      assert.deepEqual(new GuestEncoder().encodeInto(text, ours), new TextEncoder().encodeInto(text, nodes))
      assert.deepEqual(ours, nodes)
    }
  }
  let state = 12_345
  const random = (below: number) => (state = (Math.imul(state, 48_271) >>> 0) % 0x7fffffff) % below
  const leads = [
    0x00, 0x7f, 0x80, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff, 0xa0, 0x9f, 0x90,
    0x8f,
  ]
  for (let round = 0; round < 5000; round++) {
    const bytes = Uint8Array.from({ length: random(8) }, () => leads[random(leads.length)]!)
    for (const options of [{}, { fatal: true }, { ignoreBOM: true }]) {
      const decode = (Class: typeof TextDecoder | typeof GuestDecoder) =>
        outcome(() => new Class('utf-8', options).decode(bytes))
      assert.deepEqual(decode(GuestDecoder), decode(TextDecoder), String([...bytes]))
    }
    const stream = (decoder: TextDecoder | GuestDecoder) => {
      let text = ''
      for (const byte of bytes) text += decoder.decode(Uint8Array.of(byte), { stream: true })
      return text + decoder.decode()
    }
    assert.equal(stream(new GuestDecoder()), stream(new TextDecoder()), String([...bytes]))
  }
})

test('latin1 is windows-1252, as on the web', () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i)
  assert.equal(new GuestDecoder(' Latin1 ').decode(all), new TextDecoder('windows-1252').decode(all))
  assert.equal(new GuestDecoder('latin1').encoding, 'windows-1252')
  assert.throws(() => new GuestDecoder('utf-16'), RangeError)
  assert.throws(() => new GuestDecoder('toString'), RangeError)
})

test('base64 is that of Node', () => {
  for (const text of ['', 'a', 'ab', 'abc', '\0\xff\x80', '→']) {
    assert.deepEqual(
      outcome(() => guestBtoa(text)),
      outcome(() => btoa(text)),
    )
  }
  for (const text of [
    '',
    'YQ==',
    'YWI=',
    'YWJj',
    ' Y Q = = ',
    'YQ',
    'Y',
    'YQ=',
    'Y===',
    'YQ==YQ==',
    '*',
    'YR==',
    'AP+A',
    '====',
  ]) {
    assert.deepEqual(
      outcome(() => guestAtob(text)),
      outcome(() => atob(text)),
      text,
    )
  }
})

test('structuredClone copies what Node’s copies', () => {
  const shared = new Uint8Array([1, 2, 3, 4])
  const cycle: Record<string, unknown> = { a: 1 }
  cycle.self = cycle
  const values: unknown[] = [
    1,
    'x',
    null,
    undefined,
    5n,
    Object.assign([1], { 2: 3 }),
    { a: { b: [] } },
    new Date(5),
    new Date(Number.NaN),
    /a"b/gi,
    new Map<unknown, unknown>([
      ['a', new Set([1])],
      [{}, 2],
    ]),
    shared.subarray(1, 3),
    new DataView(shared.buffer, 1, 2),
    shared.buffer,
    new Float64Array([1.5]),
    [shared, shared.subarray(2)],
    cycle,
    Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true }, hidden: { value: 3 } }),
  ]
  for (const value of values) assert.deepEqual(guestClone(value), structuredClone(value))
  const copy = guestClone(cycle)
  assert.equal(copy.self, copy)
  const [a, b] = guestClone([shared, shared.subarray(2)])
  assert.equal(a!.buffer, b!.buffer)
  assert.notEqual(a!.buffer, shared.buffer)
  const error = guestClone(new RangeError('r', { cause: [1] }))
  assert.deepEqual([error instanceof RangeError, error.message, error.cause], [true, 'r', [1]])
})

test('structuredClone refuses what it cannot copy', () => {
  const refused = [
    () => {},
    Symbol('x'),
    { a: () => {} },
    new WeakMap(),
    Promise.resolve(),
    new GuestHeaders(),
  ]
  for (const value of refused) assert.throws(() => guestClone(value), { name: 'DataCloneError' })
  assert.throws(() => guestClone(1, { transfer: [new ArrayBuffer(1)] }), { name: 'DataCloneError' })
})
