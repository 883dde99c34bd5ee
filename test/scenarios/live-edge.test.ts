/** What of `edge` changes with a reload, beside the sites. */
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { PATIENT, startNode, type TestNode, WITH_TIME } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

async function setEdge(node: TestNode, edge: Readonly<Record<string, unknown>>): Promise<void> {
  const path = join(node.folder, 'orla.config.json')
  const config = JSON.parse(await readFile(path, 'utf8')) as { edge: object }
  await writeFile(path, JSON.stringify({ ...config, edge: { ...config.edge, ...edge } }))
}

const textOf = async (node: TestNode, name: string) => {
  const path = join(node.folder, name)
  return existsSync(path) ? readFile(path, 'utf8') : ''
}

test('trusted proxies, access logs and ids of requests change with a reload, on connections that are kept', async (t) => {
  const held: (() => void)[] = []
  const origin = await startOrigin(t, (request, response) => {
    const answer = () => void response.end(String(request.headers['x-forwarded-for']))
    if (request.url === '/held') held.push(answer)
    else answer()
  })
  const node = await startNode(t, {
    config: {
      edge: { limits: PATIENT, accessLog: 'one.log' },
      // What is held is held while commands run.
      sites: [{ hosts: ['*'], origin: { endpoints: [{ url: origin.url }], timeouts: { response: '10m' } } }],
    },
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const headers = { 'x-forwarded-for': '203.0.113.7' }
  const first = await node.request('/first', { agent, headers })
  assert.doesNotMatch(first.text, /203\.0\.113\.7/)
  assert.equal(first.headers['x-request-id'], undefined)
  const inFlight = node.request('/held')
  await eventually(() => held.length === 1)

  await setEdge(node, {
    accessLog: 'two.log',
    trustedProxies: ['127.0.0.1'],
    requestId: { client: true },
  })
  const { code, stdout, stderr } = await node.orla('reload', '--json')
  assert.equal(code, 0, stderr)
  // The change of the file may have been noticed first: then there is nothing left to change.
  const { settings } = JSON.parse(stdout) as { settings: string[] }
  assert.ok(
    settings.length === 0 || settings.join() === 'edge.requestId,edge.trustedProxies,edge.accessLog',
    settings.join(),
  )
  const second = await node.request('/second', { agent, headers })
  assert.match(second.text, /^203\.0\.113\.7/)
  assert.ok(second.headers['x-request-id'])
  held[0]!()
  assert.equal((await inFlight).status, 200)
  await eventually(async () => (await textOf(node, 'two.log')).includes('/second'))
  // What was under way ends in the log that it began with.
  await eventually(async () => (await textOf(node, 'one.log')).includes('/held'))
  const log = await textOf(node, 'one.log')
  assert.ok(log.includes('/first') && !log.includes('/second'))

  await setEdge(node, { trustedProxies: [] })
  assert.equal((await node.orla('reload')).code, 0)
  assert.doesNotMatch((await node.request('/third', { agent, headers })).text, /203\.0\.113\.7/)

  // A log that cannot be written is refused as a whole.
  await setEdge(node, { accessLog: 'no/such/folder/x.log', trustedProxies: ['127.0.0.1'] })
  const refused = await node.orla('reload')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /the access log .*no\/such\/folder\/x\.log cannot be opened/)
  assert.doesNotMatch((await node.request('/fourth', { agent, headers })).text, /203\.0\.113\.7/)
  await eventually(async () => (await textOf(node, 'two.log')).includes('/fourth'))
})

test('names of the control plane, quotas and what units may fetch are among what a reload changes', async (t) => {
  const node = await startNode(t, { config: { edge: { limits: PATIENT }, sites: [] } })
  const askAs = (host: string) =>
    ask(new URL('/v1/edges', node.control), { headers: { host, authorization: `Bearer ${node.token}` } })
  assert.equal((await askAs('edge.internal')).status, 403)
  const path = join(node.folder, 'orla.config.json')
  const written = JSON.parse(await readFile(path, 'utf8')) as { edge: object; control: object }
  const edge = { ...written.edge, fetch: { sites: ['api.internal'] }, kv: { keysMax: 5 }, trace: {} }
  const control = { ...written.control, hosts: ['edge.internal'] }
  await writeFile(path, JSON.stringify({ ...written, edge, control }))
  const { status, text } = await node.api('POST', '/v1/reload', WITH_TIME)
  assert.equal(status, 200, text)
  assert.match(
    (JSON.parse(text) as { settings: string[] }).settings.join(),
    /^$|^edge\.fetch,edge\.kv,edge\.trace,control\.hosts$/,
  )
  assert.equal((await askAs('edge.internal')).status, 200)
  assert.equal((await askAs('other.internal')).status, 403)
})
