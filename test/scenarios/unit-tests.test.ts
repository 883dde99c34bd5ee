/** A unit's own tests: run at deploy, under its real limits; one that fails refuses it. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startNode, type TestNode } from '../harness/node.ts'

const GATE = `import type { Unit } from 'orla'
import { sameText } from './texts.ts'

export default {
  paths: ['/gate/*'],
  async access(request, response, edge) {
    const token = request.query.get('token') ?? ''
    if (!sameText(token, edge.env.TOKEN ?? '')) return new Response('no', { status: 403 })
    request.query.delete('token')
    request.headers.set('x-user', edge.client.address)
    response.headers.append('set-cookie', 'seen=1')
    edge.log('let in', await edge.kv.increment('in'))
  },
  headerFilter(request, response) { response.headers.set('x-gate', String(response.status)) },
} satisfies Unit
`
const TEXTS = 'export const sameText = (a: string, b: string) => a === b\n'

const TESTS = `import { assert, test } from 'orla/test'

export const env = { TOKEN: 'secret' }

test('lets in who brings the token', async (unit) => {
  const answer = await unit.request('/gate/a?token=secret&b=1', { address: '203.0.113.9', headers: { accept: '*/*' } })
  assert.equal(answer.status, 200)
  assert.equal(answer.by, 'origin')
  assert.equal(await answer.text(), 'origin')
  assert.equal(answer.headers.get('set-cookie'), 'seen=1')
  assert.equal(answer.headers.get('x-gate'), '200')
  assert.equal(answer.request.query.toString(), 'b=1')
  assert.equal(answer.request.headers.get('x-user'), '203.0.113.9')
  assert.deepEqual(answer.log, ['info: let in 1'])
})

test('others get 403', async (unit) => {
  const answer = await unit.request('/gate/a')
  assert.deepEqual([answer.status, answer.by, await answer.text()], [403, 'unit', 'no'])
})

test('the origin answers as the test says', async (unit) => {
  const answer = await unit.request('/gate/a?token=secret', { origin: Response.json({ a: 'é' }, { status: 201 }) })
  assert.equal(answer.headers.get('x-gate'), '201')
  assert.deepEqual(await answer.json(), { a: 'é' })
})
`

async function write(node: TestNode, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(node.folder, name), text)
}

async function start(t: TestContext): Promise<TestNode> {
  return startNode(t)
}

test('tests that pass let the deploy through, and their number is told', async (t) => {
  const node = await start(t)
  await write(node, { 'gate.ts': GATE, 'texts.ts': TEXTS, 'gate.test.ts': TESTS })
  const deployed = await node.orla('deploy', 'gate.ts', '--env', 'TOKEN=other')
  assert.equal(deployed.code, 0, deployed.stderr)
  assert.match(deployed.stdout, /^deployed gate 1 live on 1\/1 workers in \d+ ms$/m)
  assert.match(deployed.stderr, /^3 tests passed$/m)
  // What the tests set is theirs alone: the environment, and what was written.
  assert.equal((await node.request('/gate/x?token=secret')).status, 403)
  const again = await node.orla('deploy', 'gate.ts', '--json')
  assert.equal((JSON.parse(again.stdout) as { tests: number }[])[0]!.tests, 3)
})

test('a streamed answer is there when it has ended, and a stream that fails is a failure', async (t) => {
  const node = await start(t)
  const ticks = (body: string) => `import type { Unit } from 'orla'
export default {
  paths: ['/ticks'],
  limits: { cpuMs: 1000 },
  content() {
    let n = 0
    return new Response(new ReadableStream({ async pull(c) { await undefined; ${body} } }))
  },
} satisfies Unit
`
  const tests = `import { assert, test } from 'orla/test'
test('ticks', async (unit) => assert.equal(await (await unit.request('/ticks')).text(), '123'))
`
  const piece = 'c.enqueue(new TextEncoder().encode(String(++n)));'
  await write(node, { 'ticks.ts': ticks(`${piece} if (n === 3) c.close()`), 'ticks.test.ts': tests })
  const deployed = await node.orla('deploy', 'ticks.ts')
  assert.equal(deployed.code, 0, deployed.stderr)
  await write(node, { 'ticks.ts': ticks(`if (n === 2) throw new Error('no third'); ${piece}`) })
  const refused = await node.orla('deploy', 'ticks.ts')
  assert.notEqual(refused.code, 0)
  assert.match(refused.stderr, /content: Error: no third/)
  // One for as long as somebody reads ends with the test that waits for it.
  const endless = `${piece} await new Promise((done) => setTimeout(done, 5))`
  await write(node, { 'ticks.ts': ticks(endless) })
  const late = await node.orla('deploy', 'ticks.ts')
  assert.equal(late.code, 1, late.stderr)
  assert.match(late.stderr, /test failed: ticks: the test failed \(wall\)/)
})

test('the phases around the origin are tested: who is asked, what it is sent, for how long its answer is kept', async (t) => {
  const node = await start(t)
  const unit = `import type { Unit } from 'orla'
export default {
  limits: { cpuMs: 1000 },
  rewrite(request, response, edge) { edge.cacheKey = request.path + ' of all' },
  origin(request, edge) {
    edge.state.of = request.endpoints.length
    if (request.path === '/none') return new Response('none', { status: 404, headers: { 'Cache-Control': 'max-age=5' } })
    request.endpoint = request.endpoints[1]!
    request.path = '/bucket' + request.path
  },
  originResponse(request, response, edge) {
    response.headers.set('x-seen', [request.path, edge.state.of, response.ttl].join())
    if (response.ttl === undefined) response.ttl = 600
  },
  headerFilter(request, response, edge) { response.headers.set('x-path', request.path + edge.client.scheme) },
} satisfies Unit
`
  const tests = `import { assert, test } from 'orla/test'
test('the second endpoint', async (unit) => {
  const answer = await unit.request('/a')
  assert.deepEqual([answer.request.endpoint, answer.request.path, answer.cacheKey], ['http://origin-2.example.org', '/bucket/a', '/a%20of%20all'])
  assert.deepEqual([answer.headers.get('x-seen'), answer.headers.get('x-path'), answer.ttl], ['/bucket/a,2,', '/ahttp', 600])
})
test('endpoints and headers of the origin are what the test says', async (unit) => {
  const origin = new Response('', { headers: { 'cache-control': 'max-age=60' } })
  const answer = await unit.request('/a', { endpoints: ['near', 'far'], origin })
  assert.deepEqual([answer.request.endpoint, answer.headers.get('x-seen')], ['far', '/bucket/a,2,60'])
  assert.equal(answer.ttl, undefined)
  await assert.rejects(unit.request('/a', { endpoints: ['one'] }), /no endpoint of this site: its endpoints are one/)
})
test('an answer in place of the origin is seen as one of it', async (unit) => {
  const answer = await unit.request('/none')
  assert.deepEqual([answer.status, answer.by, answer.headers.get('x-seen')], [404, 'unit', '/none,2,5'])
})
`
  await write(node, { 'bucket.ts': unit, 'bucket.test.ts': tests })
  const deployed = await node.orla('deploy', 'bucket.ts')
  assert.equal(deployed.code, 0, deployed.stderr)
  assert.match(deployed.stderr, /^3 tests passed$/m)
})

test('a test that fails refuses the deploy, names its place, and what was live stays live', async (t) => {
  const node = await start(t)
  await write(node, { 'gate.ts': GATE, 'texts.ts': TEXTS, 'gate.test.ts': TESTS })
  assert.equal((await node.orla('deploy', 'gate.ts', '--env', 'TOKEN=a')).code, 0)
  await write(node, { 'gate.ts': GATE.replace('403', '404') })
  const refused = await node.orla('deploy', 'gate.ts')
  assert.equal(refused.code, 1)
  assert.match(
    refused.stderr,
    /gate\.test\.ts:19:10: test failed: others get 403: expected \[403,"unit","no"\], not \[404,"unit","no"\]/,
  )
  assert.equal((await node.request('/gate/x')).status, 403)
  const units = JSON.parse((await node.orla('units', '--json')).stdout) as {
    version: number
    state: string
  }[]
  assert.deepEqual(
    units.map(({ version, state }) => [version, state]),
    [[1, 'live']],
  )
  // Whoever is sure may say so.
  assert.equal((await node.orla('deploy', 'gate.ts', '--no-tests')).code, 0)
  assert.equal((await node.request('/gate/x')).status, 404)
})

test('what goes wrong in tests is told, and harms nothing', async (t) => {
  const node = await start(t)
  const unit = `export default { access(request) {
    if (request.path === '/loop') for (;;);
    if (request.path === '/throw') throw new Error('thrown by the unit')
  } }`
  const cases: readonly (readonly [what: string, body: string, told: RegExp])[] = [
    [
      'a unit that loops',
      `test('t', async (unit) => { await unit.request('/loop') })`,
      /test failed: t: .*access failed \(cpu\)/,
    ],
    [
      'a unit that throws',
      `test('t', async (unit) => { await unit.request('/throw') })`,
      /test failed: t: .*thrown by the unit/,
    ],
    ['a test that loops', `test('t', () => { for (;;); })`, /test failed: t: the test failed \(cpu\)/],
    [
      'a test that never ends',
      `test('t', () => new Promise(() => {}))`,
      /test failed: t: the test failed \(wall\)/,
    ],
    [
      'a type error',
      `test('t', (unit) => unit.requst('/x'))`,
      /unit\.test\.ts:2:\d+: .*'requst' does not exist/,
    ],
    ['no test', `assert(true)`, /there are none: call test/],
    ['a top level that throws', `throw new Error('top')`, /the tests: .*top/],
    [
      'a wrong environment',
      `export const env = { A: 1 }; test('t', () => {})`,
      /`env` is no object of texts/,
    ],
    [
      'a request for no path',
      `test('t', async (unit) => { await unit.request('nowhere') })`,
      /a request is for a path such as/,
    ],
  ]
  for (const [what, body, told] of cases) {
    await t.test(what, async () => {
      await write(node, {
        'unit.ts': unit,
        'unit.test.ts': `import { assert, test } from 'orla/test'\n${body}\nvoid assert\n`,
      })
      const { code, stderr } = await node.orla('deploy', 'unit.ts')
      assert.equal(code, 1, stderr)
      assert.match(stderr, told)
    })
  }
  assert.equal((await node.orla('units', '--json')).stdout.trim(), '[]')
})

test('a test may see its unit fail', async (t) => {
  const node = await start(t)
  await write(node, {
    'unit.ts': `export default { access() { throw new RangeError('as it should') } }`,
    'unit.test.ts': `import { assert, test } from 'orla/test'
test('it throws', async (unit) => { await assert.rejects(unit.request('/'), /as it should/) })
test('POST', async (unit) => { await assert.rejects(() => unit.request('/', { method: 'POST', body: 'x' })) })`,
  })
  const { code, stderr } = await node.orla('deploy', 'unit.ts')
  // Nothing is said of `env` and `fetches`, which these tests do not need.
  assert.deepEqual([code, stderr], [0, '2 tests passed\n'])
})

test('tests for another runner are left alone, and orla/test is for tests', async (t) => {
  const node = await start(t)
  await write(node, {
    'unit.ts': `export default { access() {} }`,
    'unit.test.ts': `import { test } from 'node:test'\ntest('x', () => {})`,
    'other.ts': `import { assert } from 'orla/test'\nexport default { access() { assert(true) } }`,
  })
  const plain = await node.orla('deploy', 'unit.ts')
  assert.equal(plain.code, 0, plain.stderr)
  assert.doesNotMatch(plain.stderr, /tests? passed|not run/)
  // An import that was forgotten would otherwise look like tests that pass.
  await write(node, { 'unit.test.ts': `test('x', () => { throw new Error('x') })` })
  const forgotten = await node.orla('deploy', 'unit.ts')
  assert.equal(forgotten.code, 0, forgotten.stderr)
  assert.equal(forgotten.stderr, 'warning: unit.test.ts was not run: it imports no `orla/test`\n')
  const other = await node.orla('deploy', 'other.ts')
  assert.equal(other.code, 1)
  assert.match(other.stderr, /"orla\/test" is for the tests of a unit/)
})
