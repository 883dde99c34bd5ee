/** An edge is added by one command: what it needs, what it tells, what it is refused for, and what it does when it comes again. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { orla, startOrla } from '../harness/command.ts'
import { edgesOf, edgeToken, startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { startNode, type TestNode } from '../harness/node.ts'

const hello = (text: string) => `export default { content: () => new Response(${JSON.stringify(text)}) }`

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'orla-join-'))
  t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  return path
}

const HERE = ['--listen', '127.0.0.1:0', '--workers', '1']

async function newToken(control: TestNode, body: object): Promise<string> {
  const { text } = await control.api('POST', '/v1/tokens', body)
  return (JSON.parse(text) as { token: string }).token
}

test('one command adds an edge, and the same one starts it again, without a token and without the control plane', async (t) => {
  const control = await startNode(t, { units: { one: hello('first') } })
  const cwd = folder(t)
  const argv = ['join', control.control, '--name', 'gru1', '--group', 'sa-east', '--path', 'd', ...HERE]
  const edge = await startOrla(t, [...argv, '--token', await edgeToken(control, 'gru1')], { cwd })
  assert.match(
    edge.stderr(),
    /joined http:\/\/127\.0\.0\.1:\d+ as gru1: position \d+, \d+ entries, \d\.\d MB in \d+\.\d s/,
  )
  assert.equal((await ask(`${edge.edges[0]}/`)).text, 'first')
  assert.deepEqual(
    (await edgesOf(control)).map(({ name, groups, presence }) => [name, groups, presence])[1],
    ['gru1', ['sa-east'], 'connected'],
  )
  assert.equal(statSync(join(cwd, 'd/edge.token')).mode & 0o777, 0o600)
  const { stdout, stderr } = await control.orla('edges')
  assert.match(
    stdout,
    /^NAME +ROLE +PRESENCE +POSITION +LAG +EPOCH +WORKERS +LIVE P50 +P99 +SEEN +GROUPS +VERSION\n/,
  )
  assert.match(stdout, /^gru1 +edge +connected +\d+ +0 +\d+ +1\/1 .* sa-east +/m, stderr)

  edge.kill('SIGTERM')
  assert.equal((await edge.ended).code, 0)
  await eventually(async () => (await edgesOf(control))[1]?.presence === 'stopped')
  await control.stop()
  const again = await startOrla(t, argv, { cwd })
  assert.equal((await ask(`${again.edges[0]}/`)).text, 'first')
  assert.doesNotMatch(again.stderr(), /joined/)
})

test('a token that does not do ends a first join at once, with what would be right', async (t) => {
  const control = await startNode(t)
  const read = await newToken(control, { name: 'grafana', role: 'read' })
  const gone = await newToken(control, { name: 'short', role: 'edge', ttlMs: 1000 })
  await eventually(async () => (await control.api('GET', '/v1/tokens')).text.includes('"expired"'))
  for (const [token, message] of [
    ['wrong', /this edge does not join: http:.*: the token is not the right one/],
    [gone, /this edge does not join: http:.*: the token has expired/],
    [read, /this edge does not join: .*this needs the role edge, and the token grafana has the role read/],
  ] as const) {
    const cwd = folder(t)
    const result = await orla(['join', control.control, '--token', token, '--name', 'x', ...HERE], { cwd })
    assert.deepEqual([result.code, result.stdout], [1, ''])
    assert.match(result.stderr, message)
    assert.match(result.stderr, /orla tokens new NAME --role edge/)
  }
  // The token of an edge is nothing else's.
  const edge = await edgeToken(control, 'a')
  for (const argv of [['units'], ['log'], ['restore', '--at', '0'], ['edges'], ['store', 'verify']]) {
    const result = await orla([...argv, '--control', control.control, '--token', edge])
    assert.equal(result.code, 1, argv.join(' '))
    assert.match(result.stderr, /this needs the role (?:read|admin), and the token edge-a has the role edge/)
  }
})

test('an edge with the name of another one is refused at its first join', async (t) => {
  const control = await startNode(t)
  await startEdge(t, control, 'a')
  const token = await edgeToken(control, 'other')
  const result = await orla(['join', control.control, '--token', token, '--name', 'a', ...HERE], {
    cwd: folder(t),
  })
  assert.equal(result.code, 1)
  assert.match(result.stderr, /another edge called a is connected/)
})

test('a control plane that is away is tried on, and given up when the time is up', async (t) => {
  const cwd = folder(t)
  const argv = ['join', 'http://127.0.0.1:1', '--token', 't', '--timeout', '2s', ...HERE]
  const { code, stderr } = await orla(argv, { cwd })
  assert.equal(code, 1)
  assert.match(stderr, /not joined after \d\.\d s, trying on: .*ECONNREFUSED/)
  assert.match(stderr, /http:\/\/127\.0\.0\.1:1 was not joined within 2000 ms/)
})

test('an edge that has joined before serves and warns, whatever its token says now', async (t) => {
  const control = await startNode(t, { units: { one: hello('first') } })
  const edge = await startEdge(t, control, 'a')
  await edge.stop()
  const again = await startEdge(t, control, 'a', { folder: edge.folder, token: 'revoked-by-now' })
  assert.equal((await again.request('/')).text, 'first')
  await eventually(() =>
    /the control plane is not followed: .*the token is not the right one/.test(again.stderr()),
  )
  const { code, stdout } = await again.orla('store', 'status')
  assert.equal(code, 0)
  assert.match(stdout, /^follows +http:\/\/127\.0\.0\.1:\d+ \(not connected\)$/m)
})

test('the configuration is written instead, with the token in a file of its own', async (t) => {
  const control = await startNode(t, { units: { one: hello('first') } })
  const cwd = folder(t)
  const token = await edgeToken(control, 'a')
  const argv = [
    'join',
    control.control,
    '--token',
    token,
    '--name',
    'a',
    ...HERE,
    '--write-config',
    'edge.json',
  ]
  const written = await orla(argv, { cwd })
  assert.equal(written.code, 0, written.stderr)
  const text = readFileSync(join(cwd, 'edge.json'), 'utf8')
  assert.ok(!text.includes(token))
  assert.equal(statSync(join(cwd, 'edge.token')).mode & 0o777, 0o600)
  assert.match((await orla(argv, { cwd })).stderr, /edge\.json is there already/)
  // From another folder: paths in it count from its own.
  const edge = await startOrla(t, ['start', '--config', join(cwd, 'edge.json')], { cwd: tmpdir() })
  assert.equal((await ask(`${edge.edges[0]}/`)).text, 'first')
})
