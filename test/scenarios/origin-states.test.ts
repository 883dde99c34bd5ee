/** `orla origins`: how endpoints do, told by all workers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OriginSummary } from '../../src/control/origin-shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

test('the command tells which endpoint is up, which is down and why, and what is under way', async (t) => {
  const held: (() => void)[] = []
  const good = await startOrigin(t, (request, response) => {
    if (request.url === '/held') held.push(() => void response.end('held'))
    else response.end('good')
  })
  const bad = await startOrigin(t, (request, response) => {
    response.statusCode = request.url === '/up' ? 500 : 200
    response.end('bad')
  })
  const node = await startNode(t, {
    config: {
      edge: { workers: 2 },
      sites: [
        {
          hosts: ['tv.example.org'],
          origin: {
            endpoints: [
              { url: good.url, weight: 3 },
              { url: bad.url, backup: true },
            ],
            // What is held is held while commands run.
            timeouts: { response: '10m' },
            health: { path: '/up', every: '100ms', timeout: '60s', healthy: 1, unhealthy: 1 },
          },
        },
        { hosts: ['shop.example.org'], origin: good.url },
        { hosts: ['files.example.org'], static: { root: import.meta.dirname } },
      ],
    },
  })
  const origins = async (...argv: string[]) => {
    const { code, stdout, stderr } = await node.orla('origins', ...argv, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as OriginSummary[]
  }
  /** A worker that has no time to answer is left out: then it is asked again. */
  const fromBoth = (holds: (tv: OriginSummary) => void) =>
    eventually(async () => {
      const [tv] = await origins('tv.example.org')
      assert.deepEqual(
        tv!.endpoints.map(({ of }) => of),
        [2, 2],
      )
      holds(tv!)
      return true
    })
  await fromBoth(({ endpoints: [, down] }) => assert.deepEqual([down!.state, down!.up], ['down', 0]))
  const answer = node.request('/held', { headers: { host: 'tv.example.org' } })
  await eventually(() => held.length === 1)
  await fromBoth(({ endpoints: [up, down] }) => {
    assert.deepEqual(
      { state: up!.state, up: up!.up, weight: up!.weight, active: up!.active },
      { state: 'up', up: 2, weight: 3, active: 1 },
    )
    assert.equal(down!.backup, true)
    assert.match(down!.reason!, /GET \/up was answered with 500/)
  })
  await eventually(async () => {
    const { stdout } = await node.orla('origins')
    assert.match(stdout, /^tv\.example\.org +http:\/\/127\.0\.0\.1:\d+ +down, backup .*answered with 500$/m)
    return true
  })
  for (const finish of held) finish()
  assert.equal((await answer).text, 'held')
  await eventually(async () => (await origins()).length === 3)

  // A token that is limited to a site sees its origin alone.
  const made = await node.orla('tokens', 'new', 'shop', '--role', 'read', '--site', 'shop.example.org')
  await eventually(async () => {
    const limited = await origins('--token', made.stdout.trim())
    assert.deepEqual(
      limited.map(({ site }) => site),
      ['shop.example.org'],
    )
    return true
  })

  const files = await node.orla('origins', 'files.example.org')
  assert.deepEqual([files.code, files.stdout], [0, 'no endpoints\n'], files.stderr)
  const none = await node.orla('origins', 'no.example.org')
  assert.equal(none.code, 1)
  assert.match(none.stderr, /there is no site no\.example\.org/)
})
