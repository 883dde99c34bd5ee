/** A rollout of a unit that shapes what the cache keeps: each client is answered by its version, also from the cache. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isInShare } from '../../src/unit/rollout/stages.ts'
import { askAll, TRUSTING_EDGE } from '../harness/many-clients.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { BY_HAND, CLIENTS, move } from '../harness/rollouts.ts'

/** A unit that says which version saw the answer before it was stored. */
const stamped = (name: string, text: string) => `export default {
  paths: ['/${name}/*'],
  limits: { cpuMs: 1000 },
  originResponse(request, response) { response.headers.set('x-version', '${text}') },
}`

test('clients outside of the share never meet the new version in the cache, and a rollback leaves nothing of it', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    const isRead = request.method === 'GET'
    response.writeHead(200, { 'cache-control': isRead ? 'max-age=3600' : 'no-store' })
    response.end(`${request.headers['x-asks'] ?? 'nobody'}`)
  })
  const node = await startNode(t, {
    config: {
      edge: { workers: 1, ...TRUSTING_EDGE },
      sites: [{ origin: origin.url, cache: { ram: '8mb' } }],
    },
  })
  const fetches = (path: string) => origin.requests.filter((one) => one === `GET ${path}`).length
  const isNew = (name: string) => (address: string) => isInShare({ name, version: 2 }, 0.5, address)
  const as = (address: string, method = 'GET') => ({ method, headers: { 'x-forwarded-for': address } })

  /** By address: those who have it and those who have not, in turn, so that either would find what the other one left. */
  const met = async (path: string, header = 'x-version') => {
    const answers = await askAll(node, [...CLIENTS, ...CLIENTS], path)
    return CLIENTS.filter((address) => {
      const { headers, text } = answers.get(address)!
      return (header === 'text' ? text : headers[header]) === 'new'
    })
  }

  await t.test('each finds the answers that its own version made, and only those', async () => {
    await node.deploy('stamp', stamped('stamp', 'old'))
    await node.deploy('stamp', stamped('stamp', 'new'), { stages: ['50%,100%'], ...BY_HAND })
    const inside = CLIENTS.filter(isNew('stamp'))
    assert.ok(inside.length > 20 && inside.length < 100, `${inside.length}`)
    assert.deepEqual(await met('/stamp/a'), inside)
    assert.equal(fetches('/stamp/a'), 2)
  })

  await t.test('a write takes away what was kept for either', async () => {
    const [outside, inside] = [CLIENTS.find((one) => !isNew('stamp')(one))!, CLIENTS.find(isNew('stamp'))!]
    await node.request('/stamp/a', as(outside, 'POST'))
    for (const [address, text] of [
      [inside, 'new'],
      [outside, 'old'],
    ] as const) {
      const { headers } = await node.request('/stamp/a', as(address))
      assert.match(String(headers['cache-status']), /fwd=uri-miss/, text)
      assert.equal(headers['x-version'], text)
    }
  })

  await t.test('after a rollback nobody meets it', async () => {
    const before = fetches('/stamp/a')
    await move(node, 'stamp', 'abort')
    assert.deepEqual(await met('/stamp/a'), [])
    // What the live version had stored is there still.
    assert.equal(fetches('/stamp/a'), before)
  })

  await t.test(
    'also where the new version changes what is asked, or does not do what the old one does',
    async () => {
      const asking = (text: string) => `export default {
      paths: ['/asking/*'],
      limits: { cpuMs: 1000 },
      access(request) { request.headers.set('x-asks', '${text}') },
    }`
      await node.deploy('asking', asking('old'))
      await node.deploy('asking', asking('new'), { stages: ['50%'], ...BY_HAND })
      assert.deepEqual(await met('/asking/a', 'text'), CLIENTS.filter(isNew('asking')))

      await node.deploy('less', stamped('less', 'new'))
      const quiet = `export default { paths: ['/less/*'], log() {} }`
      await node.deploy('less', quiet, { stages: ['50%'], ...BY_HAND })
      assert.deepEqual(
        await met('/less/a'),
        CLIENTS.filter((one) => !isNew('less')(one)),
      )
    },
  )

  await t.test('a version that changes only what is sent shares all answers, as ever', async () => {
    const shown = (text: string) => `export default {
      paths: ['/shown/*'],
      limits: { cpuMs: 1000 },
      headerFilter(request, response) { response.headers.set('x-version', '${text}') },
    }`
    await node.deploy('shown', shown('old'))
    await node.deploy('shown', shown('new'), { stages: ['50%'], ...BY_HAND })
    assert.deepEqual(await met('/shown/a'), CLIENTS.filter(isNew('shown')))
    assert.equal(fetches('/shown/a'), 1)
  })
})
