import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as v from 'valibot'
import { NotFinished, Refused, type TailListener } from './node.ts'
import { NewTokenBody } from './access-shapes.ts'
import { BanBody, EdgeBansBody, UnbanBody } from './ban-shapes.ts'
import { FollowBody, KvBatchBody, ReportBody } from './edge-shapes.ts'
import { CertificateBody } from './certificate-shapes.ts'
import { EdgePurgeBody, PurgeBody } from './purge-shapes.ts'
import { ROUTES, type Route } from './routes.ts'
import * as shapes from './shapes.ts'
import { RestoreBody } from './store-shapes.ts'
import { stand } from './app.support.ts'

const urlOf = (route: Route) => route.path.replaceAll(/\{\w+\}/g, 'a')
const position = { log: 'a', id: 0, hash: '' }
const edge = { name: 'a', instance: '0'.repeat(16) }
const BODIES = new Map<object, object>([
  [shapes.DeployBody, { source: '' }],
  [NewTokenBody, { name: 'b', role: 'read' }],
  [CertificateBody, { cert: 'c', key: 'k' }],
  [shapes.SitesBody, { sites: [] }],
  [RestoreBody, { at: 1 }],
  [FollowBody, { ...edge, protocol: 1, groups: [], addresses: [], version: '0', positions: {} }],
  [KvBatchBody, { parts: [] }],
  [PurgeBody, { everything: true }],
  [BanBody, { prefixes: ['192.0.2.7'] }],
  [UnbanBody, { all: true }],
  [EdgeBansBody, { bans: [] }],
  [EdgePurgeBody, { tags: ['a'], soft: false }],
  [
    ReportBody,
    { ...edge, live: position, stored: position, epoch: 0, enabled: true, workers: { live: 1, of: 1 } },
  ],
])
const bodyOf = (route: Route) => route.body && (BODIES.get(route.body) ?? {})

test('every route answers in the shape that it is described with', async () => {
  const { call } = stand()
  for (const route of ROUTES) {
    const response = await call(route.method, urlOf(route), bodyOf(route))
    assert.equal(response.status, 200, `${route.method} ${route.path}`)
    const { answer } = route
    if (typeof answer === 'string') {
      assert.ok(response.headers.get('content-type')!.startsWith(answer), route.path)
      await response.body!.cancel()
    } else v.parse('length' in answer ? v.array(answer[0]) : answer, await response.json())
  }
})

test('every route is in the OpenAPI description, and every answer and body there is complete', async () => {
  const { call } = stand()
  const description = (await (await call('GET', '/v1/openapi.json')).json()) as {
    paths: Record<string, Record<string, { summary: string; requestBody?: object; responses: object }>>
  }
  for (const route of [...ROUTES, { method: 'GET', path: '/v1/openapi.json', body: undefined }]) {
    const described = description.paths[route.path]?.[route.method.toLowerCase()]
    assert.ok(described, `${route.method} ${route.path}`)
    assert.equal(described.requestBody !== undefined, route.body !== undefined, route.path)
  }
  const schema = JSON.stringify(description.paths['/v1/units/{name}']!['put'])
  for (const field of Object.keys(shapes.DeployBody.entries)) assert.ok(schema.includes(`"${field}":`), field)
})

test('without the right token nothing is done, whatever the route', async () => {
  const { asked, call, problem } = stand()
  for (const route of ROUTES.filter(({ access }) => access !== 'open')) {
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: 'Basic token' }]) {
      const response = await call(
        route.method,
        urlOf(route),
        bodyOf(route),
        headers as Record<string, string>,
      )
      assert.equal(response.status, 401, route.path)
      assert.equal(response.headers.get('www-authenticate'), 'Bearer')
      assert.equal((await problem(response)).code, 'unauthorized')
    }
  }
  assert.deepEqual(asked, [])
  assert.equal((await call('GET', '/healthz', undefined, {})).status, 200)
  assert.equal((await call('GET', '/readyz', undefined, {})).status, 200)
})

test('a deploy passes on what it was given, with defaults for the rest', async () => {
  const { asked, call } = stand()
  await call('PUT', '/v1/units/token-auth', { source: 's' })
  await call('PUT', '/v1/units/b', {
    source: 's',
    language: 'js',
    entry: 'x/b.js',
    files: { 'c.js': '' },
    manifest: { paths: ['/x'] },
    env: { A: 'a', B: null },
    secrets: { C: 'c' },
    wait: 'edges',
    edges: ['gru1'],
    onTimeout: 'withdraw',
    timeoutMs: 5,
  })
  assert.deepEqual(asked, [
    [
      'deploy',
      'token-auth',
      { source: 's', language: 'ts', files: {}, entry: 'token-auth.ts', manifest: {}, env: {} },
      { wait: 'all', timeoutMs: 30_000, onTimeout: 'keep' },
    ],
    [
      'deploy',
      'b',
      {
        source: 's',
        language: 'js',
        files: { 'c.js': '' },
        entry: 'x/b.js',
        manifest: { paths: ['/x'] },
        env: { env: { A: 'a', B: null }, secrets: { C: 'c' } },
      },
      { wait: 'edges', edges: ['gru1'], onTimeout: 'withdraw', timeoutMs: 5 },
    ],
  ])
})

for (const [what, body, status, says] of [
  ['no JSON', '{"source": ', 400, /the body is not JSON: /],
  ['no source', {}, 400, /^`source` is missing$/],
  ['a wrong type', { source: 1 }, 400, /^`source`: expected a string$/],
  ['an unknown field', { source: '', sauce: '' }, 400, /^`sauce` is not known here$/],
  ['a slip in a field', { sorce: '' }, 400, /`sorce` is not known here; did you mean `source`\?$/],
  ['a wrong choice', { source: '', wait: 'never' }, 400, /^`wait`: expected "stored", "edges" or "all"$/],
  [
    'a wrong value of env',
    { source: '', env: { A: 1 } },
    400,
    /^`env\.A`: expected a string or null as value$/,
  ],
  ['no object', '[]', 400, /./],
  [
    'several things',
    { sauce: 1, timeoutMs: 0 },
    400,
    /`source` is missing.*`timeoutMs`: expected 1 or more.*`sauce`/,
  ],
  ['too much', { source: 'x'.repeat(17 * 2 ** 20) }, 413, /larger than \d+ bytes/],
] as const) {
  test(`a body with ${what} is refused in words`, async () => {
    const { asked, call, problem } = stand()
    const details = await problem(await call('PUT', '/v1/units/a', body))
    assert.equal(details.status, status)
    assert.match(details.detail, says)
    assert.deepEqual(asked, [])
  })
}

test('a name that cannot be one is refused in words', async () => {
  const { call, problem } = stand()
  for (const name of ['A', '-a', 'a_b', 'a.b', 'a'.repeat(64), 'caf%C3%A9']) {
    const details = await problem(await call('PUT', `/v1/units/${name}`, { source: '' }))
    assert.equal(details.status, 400)
    assert.match(details.detail, /cannot be the name of a unit/)
  }
  assert.equal((await call('GET', `/v1/units/${'a'.repeat(63)}`)).status, 200)
})

test('a token that asks more than it may has to wait, and others do not', async () => {
  const { call, problem, asked } = stand({}, { burst: 3, perSecond: 0.1 })
  for (let n = 0; n < 3; n += 1) assert.equal((await call('GET', '/v1/sites')).status, 200)
  const refused = await call('DELETE', '/v1/sites/a')
  assert.equal(refused.headers.get('retry-after'), '10')
  const details = await problem(refused)
  assert.deepEqual([details.status, details.code], [429, 'too-many-requests'])
  assert.match(details.detail, /^the token root sends more requests than it may$/)
  assert.equal(asked.length, 3)
  // Those who need no token.
  assert.equal((await call('GET', '/healthz', undefined, {})).status, 200)
})

test('an unknown path is 404, an unknown method 405 with those that are known', async () => {
  const { call, problem } = stand()
  assert.equal((await problem(await call('GET', '/v1/nothing'))).code, 'route-unknown')
  const response = await call('PATCH', '/v1/units/a')
  assert.equal(response.headers.get('allow'), 'PUT, GET, DELETE')
  assert.equal((await problem(response)).status, 405)
})

test('what the node throws becomes problem details, with problems and laggards', async () => {
  const problems = [{ message: 'no such phase', file: 'a.ts', line: 2, column: 3 }]
  const laggards = [{ who: 'worker 1', reason: 'slow' }]
  const { call, problem, mistakes } = stand({
    deploy: () => Promise.reject(new Refused('a does not build', problems)),
    remove: () => Promise.reject(new NotFinished('not yet', laggards)),
    unit: () => {
      throw new TypeError('a mistake')
    },
  })
  const refused = await problem(await call('PUT', '/v1/units/a', { source: '' }))
  assert.deepEqual([refused.status, refused.code, refused.problems], [422, 'unit-invalid', problems])
  const late = await problem(await call('DELETE', '/v1/units/a'))
  assert.deepEqual([late.status, late.code, late.laggards], [504, 'not-finished', laggards])
  const mistake = await problem(await call('GET', '/v1/units/a'))
  assert.deepEqual([mistake.status, mistake.code, mistake.detail], [500, 'internal', 'a mistake'])
  assert.equal(mistakes.length, 1)
})

test('the log is read from an id, and a wrong one is refused', async () => {
  const { asked, call, problem } = stand()
  await call('GET', '/v1/log')
  await call('GET', '/v1/log?from=7')
  assert.deepEqual(asked, [
    ['storeBase'],
    ['searchLog', { from: 1, prefix: '', limit: 1000 }],
    ['searchLog', { from: 7, prefix: '', limit: 1000 }],
  ])
  for (const from of ['0', '-1', 'x', '1.5', '']) {
    assert.equal((await problem(await call('GET', `/v1/log?from=${from}`))).status, 400, from)
  }
})

test('the newest entries, those of some keys, and entries without values are asked for', async () => {
  const { asked, call, problem } = stand()
  const entries = (await (await call('GET', '/v1/log?last=5&key=unit/&values=false')).json()) as object[]
  assert.deepEqual(asked, [['searchLog', { from: undefined, prefix: 'unit/', limit: 5 }]])
  assert.deepEqual(entries, [{ id: 1, operation: 'SET', key: 'k', at: 0, hash: 'h', bytes: 1 }])
  const details = await problem(await call('GET', '/v1/log?last=5&from=1'))
  assert.match(details.detail, /`from` and `last` exclude each other/)
})

test('a way back is asked for by id or by time, and by nothing else', async () => {
  const { asked, call, problem } = stand()
  const options = { dryRun: true, wait: 'all', timeoutMs: 30_000, onTimeout: 'keep' }
  await call('POST', '/v1/restore', { at: 3, dryRun: true })
  await call('POST', '/v1/restore', { at: '2026-11-27T20:00:00Z', dryRun: true })
  assert.deepEqual(asked, [
    ['restore', { id: 3 }, options],
    ['restore', { ms: Date.UTC(2026, 10, 27, 20) }, options],
  ])
  for (const at of [-1, 1.5, 'yesterday', '2026', null]) {
    const details = await problem(await call('POST', '/v1/restore', { at }))
    assert.deepEqual([details.status, asked.length], [400, 2], String(at))
  }
})

test('readyz says what is in the way', async () => {
  const { call } = stand({ unready: () => ['1 of 2 workers are not ready'] })
  const response = await call('GET', '/readyz')
  assert.equal(response.status, 503)
  assert.deepEqual(await response.json(), { ready: false, problems: ['1 of 2 workers are not ready'] })
})

test('a tail that is read slowly loses lines and says how many', async () => {
  let listener: TailListener | undefined
  let isLeft = false
  const { call } = stand({
    tail: (unit, given) => {
      assert.equal(unit, 'a')
      listener = given
      return () => (isLeft = true)
    },
  })
  const reader = (await call('GET', '/v1/tail?unit=a')).body!.pipeThrough(new TextDecoderStream()).getReader()
  assert.equal((await reader.read()).value, ': listening\n\n')
  const line = { at: 1, unit: 'a', version: 1, level: 'info' as const, message: '', worker: 0 }
  for (let i = 0; i < 3000; i += 1) listener!.onLine({ ...line, message: String(i) })
  listener!.onDropped(5)
  const seen: string[] = []
  let dropped = 0
  while (seen.length + dropped < 3005) {
    for (const event of (await reader.read()).value!.split('\n\n')) {
      const [kind, data] = event.split('\n')
      if (kind === 'event: line') seen.push(v.parse(shapes.TailLineShape, JSON.parse(data!.slice(6))).message)
      if (kind === 'event: dropped') dropped += (JSON.parse(data!.slice(6)) as { count: number }).count
    }
  }
  assert.ok(seen.length >= 1000 && seen.length < 3000)
  assert.deepEqual(seen.slice(0, 3), ['0', '1', '2'])
  assert.equal(seen.length + dropped, 3005)
  await reader.cancel()
  assert.equal(isLeft, true)
})

test('a key may hold slashes, as they are or encoded, and its value is bytes', async () => {
  const { call, asked, problem } = stand()
  for (const path of ['/v1/kv/u/a/b%20c', '/v1/kv/u/a%2Fb%20c']) {
    assert.equal(await (await call('GET', path)).text(), 'value')
    assert.deepEqual(asked.at(-1), ['kvGet', 'u', 'a/b c'])
  }
  const details = await problem(await call('GET', '/v1/kv/NO/a'))
  assert.match(details.detail, /`NO` cannot be a namespace/)
  assert.match((await problem(await call('GET', '/v1/kv/u?limit=0'))).detail, /expected 1 to 1000/)
  assert.match((await problem(await call('PUT', '/v1/kv/u/a?ttl=x', {}))).detail, /expected a time such as/)
})
