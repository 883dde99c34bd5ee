/** Ready-made units that keep something in `edge.kv`, on a real node. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { ROOT } from '../shape/tree.ts'

async function start(t: TestContext, workers = 1): Promise<TestNode> {
  const origin = await startOrigin(t)
  return startNode(t, { config: { edge: { workers }, sites: [{ origin: origin.url }] } })
}

/** Deploys `units/NAME.ts` as the command does. */
async function deploy(node: TestNode, name: string, ...options: string[]): Promise<void> {
  const { code, stderr } = await node.orla('deploy', join(ROOT, 'units', `${name}.ts`), ...options)
  assert.equal(code, 0, stderr)
}

/** A unit that writes into a namespace as `orla kv put` does, from inside. */
const writer = (namespace: string) => `export default {
  paths: ['/write'], kv: '${namespace}',
  async content(request, edge) {
    const key = request.query.get('key')
    if (request.method === 'DELETE') await edge.kv.delete(key)
    else await edge.kv.put(key, await request.bytes())
    return new Response('done')
  },
}`

test('the counter of an address is one for all workers', async (t) => {
  const node = await start(t, 2)
  await deploy(node, 'request-counter')
  const counts = await Promise.all(
    Array.from({ length: 40 }, async () => Number((await node.request('/')).headers['x-request-counter'])),
  )
  assert.deepEqual(
    counts.toSorted((a, b) => a - b),
    Array.from({ length: 40 }, (_, i) => i + 1),
  )
})

test('the deny list changes live', async (t) => {
  const node = await start(t)
  await deploy(node, 'deny-list')
  await node.deploy('writer', writer('deny-list'))
  const put = async (list: string) => {
    // The one that writes is refused like all others: its path is let through.
    const { status } = await node.request('/write?key=deny', { method: 'PUT', body: list })
    return status
  }
  assert.equal((await node.request('/')).status, 200)
  await put('192.0.2.0/24')
  assert.equal((await node.request('/')).status, 200)
  await put('192.0.2.0/24\n127.0.0.0/8, ::1')
  const refused = await node.request('/')
  assert.deepEqual([refused.status, refused.text], [403, 'forbidden\n'])
})

/** A node whose `/guarded` is closed to this machine by the deny list, and what puts another list. */
async function startDenying(t: TestContext) {
  const node = await start(t)
  await deploy(node, 'deny-list', '--paths', '/guarded')
  await node.deploy('writer', writer('deny-list'))
  const put = (list: string) => node.request('/write?key=deny', { method: 'PUT', body: list })
  await put('127.0.0.1')
  assert.equal((await node.request('/guarded')).status, 403)
  return { node, put }
}

test('an entry that is none leaves the list before in force, and is told', async (t) => {
  const { node, put } = await startDenying(t)
  await put('127.0.0.1x')
  assert.equal((await node.request('/guarded')).status, 403)
  await put('')
  assert.equal((await node.request('/guarded')).status, 200)
})

test('a worker that starts while the deny list is wrong goes by the list before', async (t) => {
  const { node, put } = await startDenying(t)
  await put('127.0.0.1x')
  // Another version has isolates of its own, as another worker has: they have seen no list yet.
  await deploy(node, 'deny-list', '--paths', '/guarded', '--env', 'MESSAGE=no')
  const refused = await node.request('/guarded')
  assert.deepEqual([refused.status, refused.text], [403, 'no\n'])
})

test('content comes out of keys and values', async (t) => {
  const node = await start(t)
  await deploy(node, 'kv-content')
  await node.deploy('writer', writer('content'))
  const put = (key: string, body: string) => node.request(`/write?key=${key}`, { method: 'PUT', body })
  await put('settings.json', '{"beta":true}')
  await put('a%20b.png', '\x89PNG\r\n')
  const json = await node.request('/kv/settings.json')
  assert.deepEqual(
    [json.status, json.headers['content-type'], json.text],
    [200, 'application/json', '{"beta":true}'],
  )
  const again = await node.request('/kv/settings.json', {
    headers: { 'if-none-match': json.headers['etag'] as string },
  })
  assert.equal(again.status, 304)
  assert.equal((await node.request('/kv/a%20b.png')).headers['content-type'], 'image/png')
  assert.equal((await node.request('/kv/none.json')).status, 404)
  assert.equal((await node.request('/kv/%zz')).status, 404)
  await put('settings.json', '{"beta":false}')
  await eventually(async () => (await node.request('/kv/settings.json')).text === '{"beta":false}')
})

test('a tag is appended to playlists, once, from the cache too', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.setHeader('cache-control', 'max-age=60')
    if (request.url!.endsWith('.m3u8')) response.setHeader('content-type', 'application/vnd.apple.mpegurl')
    const tagged = request.url!.includes('tagged') ? '#COPYRIGHT: mysite.com\n' : ''
    response.end(
      request.url!.endsWith('.ts')
        ? Buffer.from([0x47, 0xff, 0x00, 0xfe])
        : `#EXTM3U\n#EXTINF:4,\na.ts\n${tagged}`,
    )
  })
  const node = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] } })
  await deploy(node, 'playlist-tag')
  const EXPECTED = '#EXTM3U\n#EXTINF:4,\na.ts\n#COPYRIGHT: mysite.com\n'
  for (const path of ['/hls/a.m3u8', '/hls/a.m3u8', '/hls/tagged.m3u8'])
    assert.equal((await node.request(path)).text, EXPECTED, path)
  const segment = await fetch(`${node.url}/hls/a.ts`)
  assert.deepEqual([...new Uint8Array(await segment.arrayBuffer())], [0x47, 0xff, 0x00, 0xfe])
  assert.equal((await node.request('/other/a.m3u8')).text, '#EXTM3U\n#EXTINF:4,\na.ts\n')
})
