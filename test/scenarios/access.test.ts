/** Who may do what on the control plane: roles, limits to sites, wrong tokens, pages in browsers, and the record of it all. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { AuditLine, MadeToken } from '../../src/control/access-shapes.ts'
import type { RolloutSummary } from '../../src/control/rollout-shapes.ts'
import type { ProblemDetails, UnitSummary } from '../../src/control/shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { type Answer, ask } from '../harness/http-client.ts'
import { startNode, type TestNode, WITH_TIME } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const unit = (hosts: string, more = '') =>
  `export default { hosts: [${hosts}], ${more} content: () => new Response('unit') }`

type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer>

const callWith =
  (node: TestNode, token: string | undefined): Call =>
  (method, path, body, headers = {}) =>
    ask(new URL(path, node.control), {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })

const problemOf = ({ text }: Answer) => JSON.parse(text) as ProblemDetails

async function nodeWithSites(t: TestContext): Promise<TestNode> {
  const origin = await startOrigin(t)
  const site = (host: string) => ({ hosts: [host], origin: origin.url })
  return startNode(t, {
    config: { sites: [site('a.example.org'), site('*.b.example.org'), site('x.b.example.org')] },
  })
}

async function tokenFor(node: TestNode, body: object): Promise<string> {
  const answer = await node.api('POST', '/v1/tokens', body)
  assert.equal(answer.status, 200, answer.text)
  return (JSON.parse(answer.text) as MadeToken).token
}

test('each role may what it says, on every route, and the refusal names the role that is needed', async (t) => {
  const node = await nodeWithSites(t)
  const description = JSON.parse((await node.api('GET', '/v1/openapi.json')).text) as {
    paths: Record<string, Record<string, { description?: string }>>
  }
  const roles = ['read', 'deploy', 'admin']
  const calls = new Map<string, Call>()
  for (const role of roles) calls.set(role, callWith(node, await tokenFor(node, { name: `t-${role}`, role })))
  let refused = 0
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, { description: words = '' }] of Object.entries(methods)) {
      const needed = /role `(\w+)`/.exec(words)?.[1]
      if (needed === undefined || path === '/metrics') continue
      for (const role of roles.slice(0, roles.indexOf(needed))) {
        const answer = await calls.get(role)!(
          method.toUpperCase(),
          path.replaceAll(/\{\w+\}/g, 'nothing'),
          method === 'get' || method === 'delete' ? undefined : {},
        )
        assert.equal(answer.status, 403, `${method} ${path} as ${role}: ${answer.text}`)
        assert.match(
          problemOf(answer).detail,
          new RegExp(`needs the role ${needed}, and the token t-${role} has the role ${role}`),
        )
        refused += 1
      }
    }
  }
  assert.ok(refused > 30, String(refused))
  assert.equal((await calls.get('read')!('GET', '/v1/units')).status, 200)
  const deployed = await calls.get('deploy')!('PUT', '/v1/units/u', { source: unit("'*'"), ...WITH_TIME })
  assert.equal(deployed.status, 200, deployed.text)
  const inline = await calls.get('deploy')!('PUT', '/v1/units/v', {
    source: unit("'*'", "isolation: 'inline',"),
    ...WITH_TIME,
  })
  assert.equal(inline.status, 403, inline.text)
  const files = { hosts: ['f'], origin: { endpoints: ['https://127.0.0.1:1'], tls: { ca: '/etc/hostname' } } }
  assert.match(
    problemOf(await calls.get('deploy')!('PUT', '/v1/sites/f', files)).detail,
    /would name files: ca \/etc\/hostname/,
  )
  // A folder is served, and a log is written: in the short form too.
  for (const site of [
    { hosts: ['f'], static: '/etc' },
    { hosts: ['f'], origin: 'http://127.0.0.1:1', accessLog: '/etc/cron.d/x' },
    { hosts: ['f'], origin: 'http://127.0.0.1:1', accessLog: { path: '/etc/cron.d/x' } },
  ]) {
    const answer = await calls.get('deploy')!('PUT', '/v1/sites/f', site)
    assert.deepEqual([answer.status, /needs the role admin/.test(answer.text)], [403, true], answer.text)
  }
  assert.equal((await calls.get('admin')!('GET', '/v1/snapshot')).status, 200)
  // Streams end with the token.
  const tail = await fetch(`${node.control}/v1/tail`, {
    headers: { authorization: `Bearer ${await tokenFor(node, { name: 'ear', role: 'read' })}` },
  })
  await node.api('DELETE', '/v1/tokens/ear')
  await node.deploy(
    'talker',
    `export default { paths: ['/talk'], content() { console.log('x'); return new Response('') } }`,
  )
  await node.request('/talk', { headers: { host: 'a.example.org' } })
  assert.ok(!(await tail.text()).includes('talker'))
})

test('a token that is limited to sites stays within them, whichever way it tries', async (t) => {
  const node = await nodeWithSites(t)
  await node.deploy('everywhere', unit(''))
  await node.deploy('of-a', unit("'a.example.org'", "paths: ['/old'],"))
  const call = callWith(node, await tokenFor(node, { name: 'ci', role: 'deploy', sites: ['a.example.org'] }))
  const refuses = async (what: RegExp, ...args: Parameters<Call>) => {
    const [method, path, body] = args
    const isDeploy = method === 'PUT' && path.startsWith('/v1/units/')
    const answer = await call(method, path, isDeploy ? { ...(body as object), ...WITH_TIME } : body)
    assert.equal(answer.status, 403, `${method} ${path}: ${answer.text}`)
    assert.match(problemOf(answer).detail, what)
  }
  const deploys = async (name: string, source: string, more: object = {}) => {
    const answer = await call('PUT', `/v1/units/${name}`, { source, ...more, ...WITH_TIME })
    assert.equal(answer.status, 200, answer.text)
  }
  await deploys('mine', unit("'a.example.org'"))
  await deploys('of-a', unit("'a.example.org'", "paths: ['/new'],"))
  await refuses(/would reach `\*`, as a unit without `hosts` does/, 'PUT', '/v1/units/mine', {
    source: unit(''),
  })
  await refuses(/would reach `\*`/, 'PUT', '/v1/units/other', { source: unit("'*'") })
  await refuses(/would reach `c\.example\.org`/, 'PUT', '/v1/units/other', {
    source: unit("'a.example.org', 'c.example.org'"),
  })
  // What the deploy says wins over the module.
  await refuses(/would reach `\*`/, 'PUT', '/v1/units/other', {
    source: unit("'a.example.org'"),
    manifest: { hosts: ['*'] },
  })
  await deploys('other', unit("'*'"), { manifest: { hosts: ['a.example.org'] } })
  await refuses(/would use the data of `everywhere`/, 'PUT', '/v1/units/other', {
    source: unit("'a.example.org'", "kv: 'everywhere',"),
  })
  // Somebody else's unit is not taken over, changed, switched or read.
  await refuses(/everywhere would reach/, 'PUT', '/v1/units/everywhere', { source: unit("'a.example.org'") })
  for (const [method, path] of [
    ['DELETE', ''],
    ['POST', '/disable'],
    ['POST', '/enable'],
    ['POST', '/rollback'],
    ['PUT', '/env'],
    ['GET', ''],
    ['GET', '/versions'],
  ] as const) {
    await refuses(
      /everywhere would reach/,
      method,
      `/v1/units/everywhere${path}`,
      method === 'GET' || method === 'DELETE' ? undefined : {},
    )
  }
  // A version from before that reached further is not brought back.
  await node.deploy('mine', unit(''))
  await node.deploy('mine', unit("'a.example.org'"))
  await refuses(/mine would reach `\*`/, 'POST', '/v1/units/mine/rollback', { version: 2 })
  assert.deepEqual(
    (JSON.parse((await call('GET', '/v1/units')).text) as UnitSummary[]).map(({ name }) => name),
    ['mine', 'of-a', 'other'],
  )

  // Nor is one let on that reaches further, and others' rollouts are neither seen nor moved.
  for (const name of ['mine', 'everywhere']) await node.deploy(name, unit(''), { stages: ['50%'] })
  await refuses(/mine would reach `\*`/, 'POST', '/v1/rollouts/mine/advance')
  for (const action of ['advance', 'pause', 'resume', 'abort', 'promote'])
    await refuses(/everywhere would reach/, 'POST', `/v1/rollouts/everywhere/${action}`)
  await refuses(/everywhere would reach/, 'GET', '/v1/rollouts/everywhere')
  const seen = JSON.parse((await call('GET', '/v1/rollouts')).text) as RolloutSummary[]
  assert.deepEqual(
    seen.map(({ name }) => name),
    ['mine'],
  )
  assert.equal((await call('POST', '/v1/rollouts/mine/abort', WITH_TIME)).status, 200)

  const origin = 'http://127.0.0.1:1'
  await refuses(/may not change the site/, 'PUT', '/v1/sites/x.b.example.org', { origin })
  await refuses(/may not change the site/, 'DELETE', '/v1/sites/x.b.example.org')
  await refuses(/may not change the site/, 'PUT', '/v1/sites/new.example.org', { origin })
  await refuses(/the site would take `\*`/, 'PUT', '/v1/sites/a.example.org', {
    hosts: ['a.example.org', '*'],
    origin,
  })
  await refuses(/may not change the site/, 'PUT', '/v1/sites', {
    sites: [{ hosts: ['a.example.org'], origin }],
  })
  await refuses(/may not change the site/, 'POST', '/v1/sites', {
    sites: [
      { hosts: ['a.example.org'], origin },
      { hosts: ['zz'], origin },
    ],
  })
  const set = await call('PUT', `/v1/sites/a.example.org?timeoutMs=${WITH_TIME.timeoutMs}`, { origin })
  assert.equal(set.status, 200, set.text)
  for (const [method, path] of [
    ['POST', '/v1/disable'],
    ['GET', '/v1/kv'],
    ['GET', '/v1/edges'],
    ['GET', '/metrics'],
  ] as const) {
    await refuses(
      /about the whole node, and the token ci is limited to a\.example\.org/,
      method,
      path,
      method === 'POST' ? {} : undefined,
    )
  }
  for (const path of ['/v1/tokens', '/v1/audit', '/v1/log', '/v1/snapshot'])
    await refuses(/needs the role admin/, 'GET', path)
  await refuses(/needs the role admin/, 'POST', '/v1/tokens', { name: 'x', role: 'admin' })
})

test('who guesses tokens has to wait, and others do not', async (t) => {
  const node = await startNode(t)
  const statuses: number[] = []
  // Many at once: one after the other, a machine without time gives the budget back as fast as it is used up.
  const refused = await eventually(async () => {
    const guesses = Array.from({ length: 40 }, (_, guess) =>
      callWith(node, `guess-${statuses.length + guess}`)('GET', '/v1/units'),
    )
    const answers = await Promise.all(guesses)
    statuses.push(...answers.map(({ status }) => status))
    return answers.find(({ status }) => status === 429)
  })
  const wrong = statuses.filter((status) => status === 401).length
  assert.ok(wrong >= 10 && statuses.every((status) => status === 401 || status === 429), statuses.join())
  assert.equal(problemOf(refused).code, 'too-many-attempts')
  assert.ok(Number(refused.headers['retry-after']) >= 1 && Number(refused.headers['retry-after']) <= 6)
  // From another address the right one is looked at, and once it was right here it stays so.
  const elsewhere = await ask(new URL('/v1/units', node.control), {
    headers: { authorization: `Bearer ${node.token}` },
    localAddress: '127.0.0.9',
  })
  assert.equal(elsewhere.status, 200)
  assert.equal((await callWith(node, undefined)('GET', '/healthz')).status, 200)
})

test('who asks too much with a right token has to wait, and the command does', async (t) => {
  const node = await startNode(t, { config: { control: { requests: { perSecond: 1, burst: 20 } } } })
  const token = await tokenFor(node, { name: 'ci', role: 'read' })
  // Many at once: one after the other, a machine without time gives the budget back as fast as it is used up.
  const refused = await eventually(async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => callWith(node, token)('GET', '/v1/units')),
    )
    return answers.find(({ status }) => status === 429)
  })
  assert.equal(problemOf(refused).code, 'too-many-requests')
  assert.equal(refused.headers['retry-after'], '1')
  assert.equal((await node.api('GET', '/v1/units')).status, 200)
  const units = await node.orla('units', '--token', token)
  assert.deepEqual([units.code, units.stderr], [0, ''])
})

test('a page in a browser gets nothing, by another name or from another site', async (t) => {
  const node = await startNode(t)
  const { port } = new URL(node.control)
  const call = callWith(node, node.token)
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1.evil.example',
    'localhost.evil.example',
  ]) {
    for (const path of ['/metrics', '/v1/units', '/healthz']) {
      const answer = await call('GET', path, undefined, { host })
      assert.deepEqual([answer.status, problemOf(answer).code], [403, 'host-unknown'], `${host} ${path}`)
    }
  }
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
    assert.equal((await call('GET', '/v1/units', undefined, { host })).status, 200, host)
  }
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `http://127.0.0.1:1` },
    { 'sec-fetch-site': 'cross-site' },
  ]) {
    const answer = await call('GET', '/metrics', undefined, headers as Record<string, string>)
    assert.deepEqual([answer.status, problemOf(answer).code], [403, 'cross-site'], JSON.stringify(headers))
  }
  assert.equal((await call('GET', '/v1/units', undefined, { origin: node.control })).status, 200)
  const preflight = await call('OPTIONS', '/v1/units/a', undefined, {
    origin: 'https://evil.example',
    'access-control-request-method': 'PUT',
  })
  assert.ok(preflight.status >= 400)
  assert.equal(preflight.headers['access-control-allow-origin'], undefined)
  for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/xml']) {
    const answer = await call('PUT', '/v1/units/a', { source: unit('') }, { 'content-type': type })
    assert.deepEqual([answer.status, problemOf(answer).code], [415, 'media-type'], type)
  }
})

test('the audit log says who changed what, and who was refused, and is kept over kill -9', async (t) => {
  const node = await nodeWithSites(t)
  const made = await node.orla(
    'tokens',
    'new',
    'ci',
    '--role',
    'deploy',
    '--site',
    'a.example.org',
    '--expires',
    '90d',
  )
  assert.equal(made.code, 0, made.stderr)
  assert.match(
    made.stderr,
    /ci \([0-9a-f]{16}\), role deploy, limited to a\.example\.org, valid until .*: it is not shown again/,
  )
  const token = made.stdout.trim()
  const call = callWith(node, token)
  await call('PUT', '/v1/units/mine', { source: unit("'a.example.org'"), ...WITH_TIME })
  await call('PUT', '/v1/units/mine', { source: unit("'*'"), ...WITH_TIME })
  await call('GET', '/v1/units')
  await callWith(node, 'wrong')('PUT', '/v1/units/mine', {})
  assert.match((await node.orla('tokens')).stdout, /ci +[0-9a-f]{16} +deploy +a\.example\.org +valid/)
  const rotated = (await node.orla('tokens', 'rotate', 'ci')).stdout.trim()
  assert.equal((await call('GET', '/v1/units')).status, 401)
  assert.equal((await callWith(node, rotated)('GET', '/v1/units')).status, 200)
  assert.match((await node.orla('tokens', 'revoke', 'ci')).stdout, /^revoked ci /)
  const revoked = await callWith(node, rotated)('GET', '/v1/units')
  assert.equal(problemOf(revoked).detail, 'the token was revoked')

  node.kill('SIGKILL')
  await node.ended
  const again = await startNode(t, { folder: node.folder })
  const lines = JSON.parse((await again.orla('audit', '--json')).stdout) as AuditLine[]
  assert.deepEqual(
    lines.map(({ name, action, subject, result }) => [name, action, subject, result]),
    [
      ['root', 'POST /v1/tokens', '', 'ok'],
      ['ci', 'PUT /v1/units/{name}', 'mine', 'ok'],
      ['ci', 'PUT /v1/units/{name}', 'mine', 'forbidden'],
      ['', 'PUT /v1/units/{name}', '', 'unauthorized'],
      ['root', 'POST /v1/tokens/{name}/rotate', 'ci', 'ok'],
      ['', 'GET /v1/units', '', 'unauthorized'],
      ['root', 'DELETE /v1/tokens/{name}', 'ci', 'ok'],
      ['', 'GET /v1/units', '', 'unauthorized'],
    ],
  )
  assert.ok(lines.every(({ address, at, position }) => address === '127.0.0.1' && at > 0 && position >= 0))
  assert.equal((await again.orla('audit', '--verify')).stdout, 'the audit log is as it was written\n')
  assert.match((await again.orla('audit')).stdout, /^ID +AT +WHO +FROM +ACTION +SUBJECT +RESULT +POSITION\n/)
  assert.equal((await callWith(again, rotated)('GET', '/v1/units')).status, 401)
  assert.ok(!again.stderr().includes(rotated))
  await again.stop()
})
