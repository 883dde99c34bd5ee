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
      ],
    },
  })
  const origins = async (...argv: string[]) => {
    const { code, stdout, stderr } = await node.orla('origins', ...argv, '--json')
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as OriginSummary[]
  }
  await eventually(async () => {
    const [tv] = await origins('tv.example.org')
    return tv!.endpoints[1]!.state === 'down' && tv!.endpoints[1]!.up === 0
  })
  const answer = node.request('/held', { headers: { host: 'tv.example.org' } })
  await eventually(() => held.length === 1)
  // A worker that does not answer within two seconds is left out.
  const [, down] = await eventually(async () => {
    const [tv] = await origins('tv.example.org')
    const [up] = tv!.endpoints
    assert.deepEqual(
      { state: up!.state, up: up!.up, of: up!.of, weight: up!.weight, active: up!.active },
      { state: 'up', up: 2, of: 2, weight: 3, active: 1 },
    )
    return tv!.endpoints
  })
  assert.equal(down!.backup, true)
  assert.match(down!.reason!, /GET \/up was answered with 500/)
  const { stdout } = await node.orla('origins')
  assert.match(stdout, /^tv\.example\.org +http:\/\/127\.0\.0\.1:\d+ +down, backup .*answered with 500$/m)
  for (const finish of held) finish()
  assert.equal((await answer).text, 'held')
  assert.equal((await origins()).length, 2)

  // A token that is limited to a site sees its origin alone.
  const made = await node.orla('tokens', 'new', 'shop', '--role', 'read', '--site', 'shop.example.org')
  const limited = await node.orla('origins', '--json', '--token', made.stdout.trim())
  assert.deepEqual(
    (JSON.parse(limited.stdout) as OriginSummary[]).map(({ site }) => site),
    ['shop.example.org'],
  )

  const none = await node.orla('origins', 'no.example.org')
  assert.equal(none.code, 1)
  assert.match(none.stderr, /there is no site no\.example\.org/)
})
