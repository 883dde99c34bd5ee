/** The log of a node is read, and units and sites go back in it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import type { RestoreResult } from '../../src/control/store-shapes.ts'
import { certificateMaker } from '../harness/certificates.ts'
import { cleanEnvironment, ORLA } from '../harness/command.ts'
import { startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'

const UNIT =
  'export default { hosts: ["u.example.org"], content: (request, edge) => new Response(edge.env.V ?? "none") }'

const says = async (node: TestNode) => (await node.request('/', { headers: { host: 'u.example.org' } })).text
const endOf = async (node: TestNode) =>
  (JSON.parse((await node.api('GET', '/v1/store')).text) as { position: { id: number } }).position.id
const patient = ['--timeout', '4m']

test('units and sites go back to a position and to a time, on every node at once', async (t) => {
  const control = await startNode(t, { units: { one: UNIT } })
  const edge = await startEdge(t, control, 'a')
  await control.orla('env', 'one', '--env', 'V=good')
  const good = await endOf(control)
  await control.orla('env', 'one', '--env', 'V=bad')
  await control.deploy(
    'late',
    'export default { hosts: ["l.example.org"], content: () => new Response("late") }',
  )
  await control.orla('sites', 'set', 'shop.example.org', '--origin', 'http://127.0.0.1:9')
  const { text } = await control.api('POST', '/v1/tokens', { name: 'kept', role: 'read' })
  const bad = await endOf(control)

  const dry = await control.orla('restore', '--at', String(good), '--dry-run')
  assert.equal(
    dry.stdout,
    `position ${good}: changed units one; removed units late; removed sites shop.example.org\n`,
    dry.stderr,
  )
  assert.deepEqual([await endOf(control), await says(edge)], [bad, 'bad'])

  const back = await control.orla('restore', '--at', String(good), ...patient)
  assert.match(
    back.stdout,
    new RegExp(`^restored position ${good}: changed units one; .*; live on 2/2 workers in `),
  )
  assert.match(back.stderr, new RegExp(`edges: 1/1 run it after \\d+ ms\n.*--at ${bad}\` takes it back`))
  assert.deepEqual([await says(control), await says(edge)], ['good', 'good'])
  const units = JSON.parse((await control.api('GET', '/v1/units')).text) as {
    name: string
    version: number
  }[]
  assert.deepEqual(
    units.map(({ name, version }) => [name, version]),
    [['one', 2]],
  )
  // A token that was made since is valid still, and a number is not given again.
  const { token } = JSON.parse(text) as { token: string }
  assert.match((await control.orla('units', '--token', token)).stdout, /^one +2/m)
  assert.match((await control.orla('env', 'one', '--env', 'V=more')).stdout, /^deployed one 4 live/)

  await t.test('and forth again, to a time', async () => {
    const entries = await control.orla('log', '--from', String(bad), '--limit', '1', '--json')
    const { at } = JSON.parse(entries.stdout) as { at: number }
    const time = new Date(at).toISOString()
    const { stdout, stderr } = await control.orla('restore', '--at', time, '--json', ...patient)
    const result = JSON.parse(stdout) as RestoreResult
    assert.deepEqual(
      [result.to, result.units],
      [bad, { added: ['late'], changed: ['one'], removed: [] }],
      stderr,
    )
    assert.deepEqual([await says(control), await says(edge)], ['bad', 'bad'])
  })
  await t.test('what is not kept, or not there yet, is refused', async () => {
    const ahead = await control.orla('restore', '--at', '99999')
    assert.equal(ahead.code, 1)
    assert.match(ahead.stderr, /there is no position 99999: the log ends at \d+/)
    const early = await control.orla('restore', '--at', '30d ago')
    assert.match(early.stderr, /nothing is kept of .*: the log begins with entry 1 of 20/)
  })
})

test('a state of which something does not run any more is refused whole', async (t) => {
  const control = await startNode(t, { units: { one: UNIT } })
  const { cert: ca } = certificateMaker(t).make('ca', ['origin.example.org'])
  const site = { hosts: ['s.example.org'], origin: { endpoints: ['https://127.0.0.1:9'], tls: { ca } } }
  assert.equal((await control.api('PUT', '/v1/sites/s.example.org?timeoutMs=240000', site)).status, 200)
  await control.orla('env', 'one', '--env', 'V=then')
  const then = await endOf(control)
  await control.orla('env', 'one', '--env', 'V=now')
  await control.orla('sites', 'remove', 's.example.org')
  rmSync(ca)
  const { code, stdout, stderr } = await control.orla('restore', '--at', String(then), ...patient)
  assert.deepEqual([code, stdout], [1, ''], stderr)
  assert.match(stderr, /ca\.pem/)
  assert.equal(await says(control), 'now')
  assert.deepEqual(JSON.parse((await control.api('GET', '/v1/sites')).text), [])
})

test('the log is printed, paged, filtered and followed', async (t) => {
  const control = await startNode(t, { units: { one: UNIT } })
  const names = Array.from({ length: 1100 }, (_, n) => ({
    hosts: [`s${n}.example.org`],
    origin: 'http://127.0.0.1:9',
  }))
  const { status, text } = await control.api('POST', '/v1/sites', { sites: names, timeoutMs: 240_000 })
  assert.equal(status, 200, text)
  const end = await endOf(control)

  const last = await control.orla('log', '--limit', '2')
  assert.match(
    last.stdout,
    new RegExp(`^ +${end - 1}  \\S+Z  SET     site/\\S+  \\d+ B\n +${end}  \\S+Z  SET`),
  )
  const all = await control.orla('log', '--from', '1', '--json')
  const ids = all.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: number }).id)
  assert.deepEqual(
    ids,
    Array.from({ length: end }, (_, n) => n + 1),
  )
  const many = await control.orla('log', '--limit', '1050', '--json')
  // Also where whoever reads the pipe is slow: nothing of it is lost.
  assert.equal(many.stdout.trim().split('\n').length, 1050)
  const units = await control.orla('log', '--from', '1', '--key', 'unit/', '--values')
  assert.match(units.stdout, /^ +\d+  \S+Z  SET     unit\/one  \d+ B\n +\{"live":1,.*\}\n$/)

  await t.test('as it comes', async (inner) => {
    const child = spawn(ORLA, ['log', '--follow', '--key', 'unit/', '--limit', '1'], {
      env: { ...cleanEnvironment(), ORLA_CONTROL: control.control, ORLA_TOKEN: control.token },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    inner.after(() => child.kill('SIGKILL'))
    let printed = ''
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (printed += piece))
    await eventually(() => printed.split('\n').length === 2)
    await control.orla('env', 'one', '--env', 'V=1')
    await eventually(() => printed.split('\n').length === 3)
    child.kill('SIGINT')
    await new Promise((resolve) => child.on('close', resolve))
    assert.equal(child.exitCode, 0)
  })
})
