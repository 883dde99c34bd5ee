/** What a phase may not do is a type error, with its place: `src/unit/types` as the deploy's check uses it. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { readUnitTypes, TypeCheck } from '../src/checker/type-check.ts'

const check = new TypeCheck(readUnitTypes(fileURLToPath(new URL('../src/unit/types/', import.meta.url))))

/** `line:column message` for each problem. */
const problems = (text: string): string[] =>
  check
    .check(new Map([['unit.ts', text]]), 'unit.ts')
    .problems.map(({ line, column, message }) => `${line}:${column} ${message}`)

test('the ready-made units have no problems', () => {
  const folder = new URL('.', import.meta.url)
  const files = readdirSync(folder).filter((name) => /^[a-z-]+\.ts$/.test(name) && name !== 'harness.ts')
  assert.ok(files.length >= 8)
  const read = (name: string) => readFileSync(new URL(name, folder), 'utf8')
  const shared = readdirSync(new URL('shared/', folder)).map((name) => `shared/${name}`)
  for (const name of files) {
    const sent = new Map([name, ...shared].map((path) => [path, read(path)]))
    assert.deepEqual(check.check(sent, name).problems, [], name)
  }
})

test('handlers get their types without saying so', () => {
  const unit = `export default {
    hosts: ['tv.example.com'], sample: 0.5, limits: { cpuMs: 5 }, onError: 'open',
    async rewrite(request, response, edge) {
      request.path = '/x'
      request.query.set('a', 'b')
      request.query = 'a=b'
      request.headers.delete('accept-language')
      response.headers.append('set-cookie', 'a=b')
      edge.log.warn(edge.client.address, [...request.cookies].map(([name]) => name), edge.env.KEY ?? '')
      if (request.method === 'POST') return Response.json({ message: 'no' }, { status: 405 })
    },
    content: async (request) => new Response(await request.text()),
    origin(request, edge) {
      request.endpoint = request.endpoints.find((url) => url.startsWith('https:')) ?? request.endpoints[0]!
      request.headers.set('host', 'bucket.example.com')
      if (request.path === '/none') return new Response('none', { status: 404 })
    },
    originResponse(request, response) {
      response.ttl = Math.max(response.ttl ?? 0, 60)
      response.tags = [...response.tags, request.path.slice(1)]
      response.headers.delete('set-cookie')
    },
    headerFilter(request, response, edge) {
      response.status = 404
      response.headers.set('x-rtt', String(edge.timing.tcpRttUs))
    },
    log(request, response, edge) { edge.log('info', request.url, response.status) },
  }`
  assert.deepEqual(problems(unit), [])
})

test('a module in the form of the Fetch API, and an app of a framework, are units', () => {
  assert.deepEqual(
    problems(`export default {
      fetch(request, env, context) {
        context.waitUntil(Promise.resolve())
        return new Response(new URL(request.url).pathname + env.NAME)
      },
    }`),
    [],
  )
  const app = `class App {
    onError(handler: (error: Error) => Response) { return this }
    fetch = (request: Request): Response => new Response(request.url)
  }
  export default new App()`
  assert.deepEqual(problems(app), [])
})

test('a filter is given bytes, or text where it asks for that', () => {
  assert.deepEqual(
    problems(`export default { bodyFilter(chunk, last, request, response, edge) {
      edge.state.n = (edge.state.n ?? 0) + chunk.byteLength + response.status
      return last ? new Uint8Array(chunk.buffer) : undefined
    } }`),
    [],
  )
  assert.deepEqual(
    problems(
      `export default { chunks: 'text', buffer: '64kb', async bodyFilter(chunk) { return chunk.toUpperCase() } }`,
    ),
    [],
  )
})

const REFUSED: readonly (readonly [unit: string, problem: RegExp])[] = [
  ['{ originResponse() { return new Response() } }', /Type 'Response' is not assignable to type 'Nothing'/],
  ["{ originResponse(request) { request.path = '/x' } }", /'path' because it is a read-only property/],
  [
    '{ headerFilter(request, response) { response.ttl = 5 } }',
    /'ttl' does not exist on type 'FilteredResponse'/,
  ],
  [
    "{ access(request) { request.endpoint = 'http://x' } }",
    /'endpoint' does not exist on type 'EditableRequest'/,
  ],
  [
    '{ bodyFilter(chunk) { return chunk.toUpperCase() } }',
    /'toUpperCase' does not exist on type 'Uint8Array/,
  ],
  [
    "{ chunks: 'text', bodyFilter(chunk) { return chunk.byteLength } }",
    /'byteLength' does not exist on type 'string'/,
  ],
  ['{ bodyFilter() { return 5 } }', /Type 'number' is not assignable to type 'Filtered'/],
  [
    '{ bodyFilter(chunk, last, request, response) { response.status = 5 } }',
    /'status' because it is a read-only/,
  ],
  ['{ content() {} }', /Type 'void' is not assignable to type 'Response/],
  ['{ access() { return 5 } }', /Type 'number' is not assignable to type 'Answer'/],
  ['{ headerFilter() { return new Response() } }', /Type 'Response' is not assignable to type 'Nothing'/],
  ["{ headerFilter(request) { request.path = '/x' } }", /'path' because it is a read-only property/],
  [
    "{ content(request) { request.method = 'GET'; return new Response() } }",
    /'method' because it is a read-only/,
  ],
  [
    '{ access(request, response) { response.status = 403 } }',
    /'status' does not exist on type 'StagedResponse'/,
  ],
  [
    "{ log(request, response) { response.headers.set('a', 'b') } }",
    /'set' does not exist on type 'ReadonlyHeaders'/,
  ],
  ["{ log(request) { request.query.set('a', 'b') } }", /'set' does not exist on type 'ReadonlyQuery'/],
  ['{ access(request) { request.text() } }', /'text' does not exist on type 'EditableRequest'/],
  ['{ access() { document.title } }', /Cannot find name 'document'/],
  ["{ access(request, response, edge) { edge.env.KEY = 'x' } }", /read-only|only permits reading/],
  ['{ access() {}, host: ["x"] }', /'host' does not exist in type 'Unit'. Did you mean to write 'hosts'/],
  ['{ access() {}, onError: "shut" }', /Type '"shut"' is not assignable/],
]

test('what a phase may not do is a type error', () => {
  for (const [unit, problem] of REFUSED) {
    const [first = 'nothing'] = problems(`export default ${unit}`)
    assert.match(first, problem, unit)
    assert.match(first, /^1:\d+ /)
  }
})

test('limits and bans have their types, in the field and on the edge', () => {
  const good = `import type { Unit } from 'orla'
export default {
  limit: ['login', '10/1m', { name: 'own', rate: '5/s', key: ['address', 'header:x-user'], algorithm: 'gcra', ban: { after: 5 } }],
  async access(request, response, edge) {
    const { allowed, retryAfterMs, waitMs } = await edge.limit('login').take(edge.client.address, 2)
    if (!allowed) return new Response(String(retryAfterMs + (waitMs ?? 0)), { status: 429 })
    const { prefix, until } = await edge.ban('192.0.2.7', '10m', { reason: 'tries' })
    edge.log(prefix, until.toFixed())
  },
  async timer(edge) { await edge.limit('jobs').take('run') },
} satisfies Unit`
  assert.deepEqual(problems(good), [])
  for (const [bad, message] of [
    ['limit: 5, access() {}', /is not assignable to type/],
    ['limit: { key: "address" }, access() {}', /is not assignable to type 'UnitLimit/],
    ['limit: { rate: "1/s", algorithm: "bucket" }, access() {}', /is not assignable to type/],
    ['access(request, response, edge) { edge.limit().take("k") }', /Expected 1 arguments/],
    ['access(request, response, edge) { edge.limit("a").take(5) }', /number.*string/],
    ['access(request, response, edge) { edge.ban("192.0.2.7") }', /Expected 2-3 arguments/],
  ] as const) {
    const found = problems(`import type { Unit } from 'orla'\nexport default { ${bad} } satisfies Unit`)
    assert.match(found.join(), message, bad)
  }
})
