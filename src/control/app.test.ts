import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as v from 'valibot'
import { systemClock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import { openStore } from '../store/sqlite-store.ts'
import { controlApp } from './app.ts'
import { NotFinished, Refused, type ControlledNode, type TailListener } from './node.ts'
import { NewTokenBody } from './access-shapes.ts'
import { ROUTES, type Route } from './routes.ts'
import * as shapes from './shapes.ts'
import { Throttle } from './throttle.ts'
import { TokenRate } from './token-rate.ts'
import { ROOT, TokenBook } from './tokens.ts'

const folder = mkdtempSync(join(tmpdir(), 'orla-app-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const change: shapes.ChangeResult = {
  name: 'a',
  version: 1,
  epoch: 2,
  live: { workers: 1, of: 1 },
  ms: 1,
  timings: {},
  warnings: [],
}
const summary: shapes.UnitSummary = {
  name: 'a',
  version: 1,
  state: 'live',
  breaker: 'closed',
  phases: ['access'],
  manifest: {
    hosts: [],
    paths: [],
    methods: [],
    nodes: [],
    priority: 0,
    sample: { share: 1, by: 'random' },
    limits: { cpuMs: 10, wallMs: 1000, memoryMb: 32 },
    isolation: 'process',
  },
  env: [],
  secrets: [],
  deployedAt: 0,
}
const site: shapes.SiteSummary = {
  name: 'a',
  hosts: ['a'],
  paths: ['/*'],
  version: 3,
  from: 'file',
  at: 0,
  site: { hosts: ['a'], origin: 'http://127.0.0.1:1' },
}
const siteChange: shapes.SiteChange = {
  added: [],
  changed: ['a'],
  removed: [],
  overridden: [],
  epoch: 3,
  live: { workers: 1, of: 1 },
  ms: 1,
  timings: {},
}
const position = { log: 'l', id: 0, hash: '' }

/** Answers as a node would; `asked` holds what the API asked it. */
function stand(overrides: Partial<ControlledNode> = {}, limits = { burst: Infinity, perSecond: 1 }) {
  const asked: unknown[][] = []
  const mistakes: EdgeError[] = []
  const noting =
    <T>(what: string, answer: T) =>
    (...args: unknown[]): T => {
      asked.push([what, ...args])
      return answer
    }
  const node: ControlledNode = {
    deploy: noting('deploy', Promise.resolve(change)),
    rollback: noting('rollback', Promise.resolve(change)),
    remove: noting('remove', Promise.resolve(change)),
    setEnabled: noting('setEnabled', Promise.resolve(change)),
    setAllEnabled: noting('setAllEnabled', Promise.resolve(change)),
    setEnv: noting('setEnv', Promise.resolve(change)),
    rotateSecrets: noting('rotateSecrets', Promise.resolve({ key: 'abcdef01', secrets: 0, versions: 0 })),
    units: noting('units', Promise.resolve([summary])),
    unit: noting(
      'unit',
      Promise.resolve({
        ...summary,
        envValues: {},
        versions: [{ version: 1, live: true, at: 0, quarantined: false }],
        errors: [],
      }),
    ),
    kv: {
      namespaces: noting('namespaces', [{ namespace: 'u', keys: 1, bytes: 4 }]),
      get: noting('kvGet', Buffer.from('value')),
      list: noting('kvList', { keys: [{ name: 'a/b' }], complete: true }),
      change: noting('kvChange', Promise.resolve(1)),
    },
    reach: noting('reach', { hosts: [], paths: [], isolation: 'process' as const }),
    namespaceUsers: noting('namespaceUsers', []),
    sites: noting('sites', [site]),
    site: noting('site', site),
    origins: noting('origins', Promise.resolve([])),
    setSites: noting('setSites', Promise.resolve(siteChange)),
    removeSite: noting('removeSite', Promise.resolve(siteChange)),
    upgrade: noting('upgrade', Promise.resolve({ pid: 2, version: '1', before: 1, ms: 5 })),
    reload: noting('reload', Promise.resolve({ ...siteChange, source: 'f', settings: [] })),
    edges: noting('edges', [
      {
        name: 'n',
        groups: [],
        epoch: 0,
        enabled: true,
        position,
        lag: 0,
        addresses: ['127.0.0.1:1'],
        workers: [],
      },
    ]),
    metrics: noting('metrics', Promise.resolve('up 1\n')),
    tail: noting('tail', () => {}),
    logEntries: noting('logEntries', [
      { id: 1, operation: 'SET' as const, key: 'k', value: 'v', at: 0, hash: 'h' },
    ]),
    snapshot: noting('snapshot', { position, entries: new Map([['k', 'v']]) }),
    unready: noting('unready', []),
    ...overrides,
  }
  const store = openStore(mkdtempSync(join(folder, 's-')), { clock: systemClock })
  const tokens = new TokenBook(store, 'token', Date.now)
  tokens.create({ name: 'a', role: 'read' }, ROOT)
  let hours = 0
  const app = controlApp({
    node,
    access: {
      tokens,
      // Nobody has to wait here.
      throttle: new Throttle(() => (hours += 3_600_000)),
      rate: new TokenRate(
        () => 0,
        () => limits,
      ),
      audit: store.audit,
      position: () => 0,
    },
    hosts: () => [],
    version: '0',
    onMistake: (error) => mistakes.push(error),
  })
  const call = (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = { authorization: 'Bearer token' },
  ) =>
    app.request(path, {
      method,
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  const problem = async (response: Response) => {
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const details = v.parse(shapes.ProblemDetailsShape, await response.json())
    assert.equal(details.status, response.status)
    return details
  }
  return { asked, mistakes, call, problem }
}

const urlOf = (route: Route) => route.path.replaceAll(/\{\w+\}/g, 'a')
const bodyOf = (route: Route) =>
  route.body === shapes.DeployBody
    ? { source: '' }
    : route.body === NewTokenBody
      ? { name: 'b', role: 'read' }
      : route.body === shapes.SitesBody
        ? { sites: [] }
        : route.body
          ? {}
          : undefined

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
    timeoutMs: 5,
  })
  assert.deepEqual(asked, [
    [
      'deploy',
      'token-auth',
      { source: 's', language: 'ts', files: {}, entry: 'token-auth.ts', manifest: {}, env: {} },
      { wait: 'all', timeoutMs: 30_000 },
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
      { wait: 'edges', timeoutMs: 5 },
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
    ['logEntries', 0, 1000],
    ['logEntries', 6, 1000],
  ])
  for (const from of ['0', '-1', 'x', '1.5', '']) {
    assert.equal((await problem(await call('GET', `/v1/log?from=${from}`))).status, 400, from)
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
