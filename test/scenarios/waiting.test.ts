/** How far a change is waited for, where edges follow: all of them, a number, those that are named; and what becomes of one that is late. */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { certificateMaker } from '../harness/certificates.ts'
import { edgesOf, startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'

const UNIT = 'export default { content: (request, edge) => new Response(edge.env.V ?? "none") }'

/** A control plane with a unit that says its V, and two edges, of which `b` can be made to stand still. */
async function three(t: TestContext) {
  const control = await startNode(t, { units: { one: UNIT } })
  const [a, b] = await Promise.all([startEdge(t, control, 'a'), startEdge(t, control, 'b')])
  return { control, a: a!, b: b! }
}

const says = async (node: TestNode) => (await node.request('/')).text
const atEnd = async (control: TestNode, name: string) =>
  (await edgesOf(control)).some((edge) => edge.name === name && edge.lag === 0)

test('who stands still is waited for as far as was asked, and named', async (t) => {
  const { control, a, b } = await three(t)
  const all = await control.orla('env', 'one', '--env', 'V=1')
  assert.match(all.stdout, /^deployed one 2 live on 3\/3 workers in \d+ ms\n$/)
  assert.match(all.stderr, /^edges: 2\/2 run it after \d+ ms\n$/)
  assert.deepEqual(await Promise.all([a, b].map(says)), ['1', '1'])

  b.kill('SIGSTOP')
  let value = 1
  const set = (...argv: string[]) => control.orla('env', 'one', '--env', `V=${++value}`, ...argv)
  await t.test('a majority, two nodes, and the other edge by name are there without it', async () => {
    for (const level of ['edges', 'edges:2', 'edges:a', 'stored']) {
      const { code, stderr } = await set('--wait', level)
      assert.equal(code, 0, stderr)
    }
    await eventually(async () => (await says(control)) === String(value))
  })
  await t.test('three nodes, that edge, and one that nobody knows are not', async () => {
    for (const [level, laggard] of [
      ['edges:3', /^ {2}edge b: it has the log up to \d+, and this is \d+$/m],
      ['edges:b', /^ {2}edge b: it has the log up to \d+, and this is \d+$/m],
      ['edges:a,gone', /^ {2}edge gone: no edge of that name is known$/m],
    ] as const) {
      const { code, stdout, stderr } = await set('--wait', level, '--timeout', '2s')
      assert.deepEqual([code, stdout], [2, ''], stderr)
      assert.match(stderr, laggard)
      assert.match(stderr, /is not live on every edge after 2000 ms; it is in the log, and goes on/)
      assert.doesNotMatch(stderr, /edge a:/)
    }
  })
  await t.test('what is kept goes live there once it goes on', async () => {
    b.kill('SIGCONT')
    await eventually(async () => (await says(b)) === String(value))
    await eventually(() => atEnd(control, 'b'))
  })
})

test('what is withdrawn is live nowhere, also where it comes late', async (t) => {
  const { control, a, b } = await three(t)
  await control.orla('env', 'one', '--env', 'V=good')
  b.kill('SIGSTOP')
  const argv = ['env', 'one', '--env', 'V=bad', '--timeout', '2s', '--on-timeout', 'withdraw']
  const { code, stderr } = await control.orla(...argv)
  assert.equal(code, 2)
  assert.match(stderr, /one@3 is not live on every edge after 2000 ms; it was withdrawn/)
  assert.match(stderr, /^ {2}edge b: /m)
  assert.doesNotMatch(stderr, /it goes on/)
  assert.equal(await says(control), 'good')
  await eventually(async () => (await says(a)) === 'good')
  b.kill('SIGCONT')
  await eventually(() => atEnd(control, 'b'))
  assert.deepEqual(await Promise.all([control, a, b].map(says)), ['good', 'good', 'good'])
  // Its number is not given again.
  const next = await control.orla('env', 'one', '--env', 'V=next')
  assert.match(next.stdout, /^deployed one 4 live on 3\/3 workers/)
})

test('an edge that does not run a change has it taken back, and is named', async (t) => {
  const { control, a, b } = await three(t)
  const { cert: ca } = certificateMaker(t).make('ca', ['origin.example.org'])
  const site = { hosts: ['s.example.org'], origin: { endpoints: ['https://127.0.0.1:9'], tls: { ca } } }
  writeFileSync(join(control.folder, 'site.json'), JSON.stringify(site))
  b.kill('SIGSTOP')
  const setting = control.orla('sites', 'set', 'site.json')
  await eventually(async () => (JSON.parse((await a.api('GET', '/v1/sites')).text) as object[]).length === 1)
  await eventually(() => atEnd(control, 'a'))
  // What the others have read is not there for this one.
  rmSync(ca)
  b.kill('SIGCONT')
  const { code, stdout, stderr } = await setting
  assert.deepEqual([code, stdout], [1, ''], stderr)
  assert.match(stderr, /the edge b does not run the change of sites, and it was taken back: .*ca\.pem/)
  assert.deepEqual(JSON.parse((await control.api('GET', '/v1/sites')).text), [])
  await eventually(() => atEnd(control, 'b'))
  assert.equal(await says(b), 'none')
})
