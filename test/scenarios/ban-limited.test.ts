/** Bans are of whole nodes: what tokens that are limited to sites bring to a node bans nobody, unless the node says that it may. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import type { MadeToken } from '../../src/control/access-shapes.ts'
import type { ProblemDetails } from '../../src/control/shapes.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { TRUSTING_EDGE } from '../harness/many-clients.ts'
import { startNode, type TestNode, WITH_TIME } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const WARDEN = `export default {
  hosts: ['shop.example.org'],
  limits: { wallMs: 30000, cpuMs: 1000 },
  async content(request, edge) {
    try {
      return new Response((await edge.ban(request.query.get('target'), '10m')).prefix)
    } catch (error) {
      return new Response(error.code + ' ' + error.message)
    }
  },
}`

async function start(t: TestContext): Promise<TestNode> {
  const origin = await startOrigin(t)
  const config: ConfigInput = {
    edge: { workers: 2, ...TRUSTING_EDGE },
    sites: ['shop.example.org', 'other.example.org'].map((host) => ({ hosts: [host], origin: origin.url })),
  }
  return startNode(t, { config })
}

async function limitedCalls(node: TestNode) {
  const token = { name: 'ci', role: 'deploy', sites: ['shop.example.org'] }
  const made = JSON.parse((await node.api('POST', '/v1/tokens', token)).text) as MadeToken
  return (method: string, path: string, body: object) =>
    ask(new URL(path, node.control), {
      method,
      headers: { authorization: `Bearer ${made.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, ...WITH_TIME }),
    })
}

const banBy = async (node: TestNode, target: string) => {
  const headers = { host: 'shop.example.org', 'x-forwarded-for': '203.0.113.1' }
  return (await node.request(`/?target=${target}`, { headers })).text
}

test('a unit that was deployed by a token for one site bans nobody, unless the node says that all may', async (t) => {
  const node = await start(t)
  const call = await limitedCalls(node)
  const deployed = await call('PUT', '/v1/units/warden', { source: WARDEN })
  assert.equal(deployed.status, 200, deployed.text)
  assert.equal(
    await banBy(node, '192.0.2.7'),
    'ban-refused edge.ban: warden was deployed with a token that is limited to shop.example.org, and a ban is of whole nodes: it bans where `bans.units` is "all"',
  )
  // Another environment makes another version of what somebody deployed, and another node would read it from the log.
  const changed = await call('PUT', '/v1/units/warden/env', { env: { A: '1' } })
  assert.equal(changed.status, 200, changed.text)
  assert.match(await banBy(node, '192.0.2.7'), /^ban-refused /)
  const path = join(node.folder, 'orla.config.json')
  const useBans = async (units: 'all' | 'none') => {
    const given = JSON.parse(readFileSync(path, 'utf8')) as ConfigInput
    writeFileSync(path, JSON.stringify({ ...given, bans: { units } }))
    const { code, stderr } = await node.orla('reload')
    assert.equal(code, 0, stderr)
  }
  await useBans('all')
  await eventually(async () => (await banBy(node, '192.0.2.7')) === '192.0.2.7')
  await useBans('none')
  await node.deploy('warden', WARDEN)
  assert.match(await banBy(node, '192.0.2.8'), /^ban-refused edge\.ban: no unit bans on this node/)
})

test('a limit that bans is set by nobody who is limited to a site, neither with a unit nor with the site', async (t) => {
  const node = await start(t)
  const call = await limitedCalls(node)
  const refused = async (...args: Parameters<typeof call>) => {
    const { status, text } = await call(...args)
    assert.equal(status, 403, text)
    return (JSON.parse(text) as ProblemDetails).detail
  }
  const limit = { name: 'all', rate: '1/1d', key: 'address', ban: { after: 1, within: '1m', for: '1h' } }
  const source = `export default { hosts: ['shop.example.org'], limit: ${JSON.stringify(limit)}, content: () => new Response('') }`
  assert.match(await refused('PUT', '/v1/units/warden', { source }), /a limit of warden would ban clients/)
  const site = { hosts: ['shop.example.org'], origin: 'http://127.0.0.1:9', limits: [limit] }
  assert.match(await refused('POST', '/v1/sites', { sites: [site] }), /a limit of the site .* would ban/)
})
