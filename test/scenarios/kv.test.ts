/** Key/value data of units on a real node: seen by every worker, kept over death, bounded by quotas. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { rounds } from '../harness/rounds.ts'

const STORE = `
export default {
  paths: ['/kv/*'], limits: { cpuMs: 1000, wallMs: 60000 },
  async content(request, edge) {
    const key = request.path.slice(4)
    switch (request.method) {
      case 'PUT':
        await edge.kv.put(key, await request.text(), { durable: request.query.has('durable') })
        return new Response('put')
      case 'DELETE':
        await edge.kv.delete(key)
        return new Response('deleted')
      case 'POST':
        return new Response(String(await edge.kv.increment(key)))
      default:
        return new Response((await edge.kv.get(key)) ?? 'none')
    }
  },
}`

const method = (name: string, body?: string) => ({ method: name, ...(body !== undefined && { body }) })

test('what a unit awaited is seen by every worker of the node', async (t) => {
  const node = await startNode(t, { config: { edge: { workers: 2 } }, units: { store: STORE } })
  for (const i of rounds(60, 10)) {
    const value = `value ${i} ã`
    assert.equal((await node.request('/kv/a', method('PUT', value))).text, 'put')
    // Each request opens a connection, which either worker may take.
    const read = await Promise.all([1, 2, 3, 4].map(async () => (await node.request('/kv/a')).text))
    assert.deepEqual(read, [value, value, value, value])
  }
  await node.request('/kv/a', method('DELETE'))
  assert.equal((await node.request('/kv/a')).text, 'none')
})

test('increments from all workers at once lose none, and each is told its own number', async (t) => {
  const node = await startNode(t, { config: { edge: { workers: 2 } }, units: { store: STORE } })
  const counts = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const { status, text } = await node.request('/kv/n', method('POST'))
      assert.equal(status, 200, text)
      return Number(text)
    }),
  )
  assert.deepEqual(
    counts.toSorted((a, b) => a - b),
    Array.from({ length: 300 }, (_, i) => i + 1),
  )
  assert.equal((await node.request('/kv/n')).text, '300')
})

test('data outlives kill -9 of the node, and a restart', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'orla-kv-node-'))
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const first = await startNode(t, { folder, units: { store: STORE } })
  await first.request('/kv/a', method('PUT', 'kept'))
  await first.request('/kv/b?durable', method('PUT', 'on the disk'))
  first.kill('SIGKILL')
  await first.ended
  const second = await startNode(t, { folder })
  assert.equal((await second.request('/kv/a')).text, 'kept')
  assert.equal((await second.request('/kv/b')).text, 'on the disk')
  await second.request('/kv/c', method('POST'))
  await second.stop()
  const third = await startNode(t, { folder })
  assert.equal((await third.request('/kv/c')).text, '1')
})

test('a damaged file costs kv alone: the edge serves, and says what is wrong', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'orla-kv-node-'))
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const first = await startNode(t, {
    folder,
    units: {
      store: STORE,
      plain: `export default { paths: ['/plain'], limits: { cpuMs: 1000 }, content: () => new Response('plain') }`,
    },
  })
  await first.stop()
  await writeFile(join(folder, 'data/kv.db'), 'this was a database'.repeat(500))
  const node = await startNode(t, { folder })
  await eventually(() =>
    /units have no edge\.kv: .*kv\.db: file is not a database; restore/.test(node.stderr()),
  )
  assert.equal((await node.request('/plain')).text, 'plain')
  const answer = await node.request('/kv/a')
  assert.equal(answer.headers['orla-unit-error'], 'store throw')
  const unit = await eventually(async () => {
    const detail = JSON.parse((await node.api('GET', '/v1/units/store')).text) as {
      errors: { message: string; where?: string }[]
    }
    return detail.errors.length > 0 && detail
  })
  assert.match(unit.errors[0]!.message, /kv\.get: .*kv\.db: file is not a database/)
  assert.match(unit.errors[0]!.where ?? '', /^store\.ts:16:/)
})

test('a unit that writes without end is refused by its quota, and harms nobody', async (t) => {
  const node = await startNode(t, {
    config: { edge: { kv: { keysMax: 50, bytesMax: '1mb' } } },
    units: {
      store: STORE,
      greedy: `
        export default {
          paths: ['/greedy'],
          limits: { wallMs: 60000, cpuMs: 1000 },
          async content(request, edge) {
            for (let i = 0; ; i++) {
              try {
                await edge.kv.put('key' + i, 'x'.repeat(1000))
              } catch (error) {
                return new Response(i + ' ' + error.code + ' ' + error.message)
              }
            }
          },
        }`,
    },
  })
  const greedy = node.request('/greedy')
  for (let i = 1; i <= 20; i++) {
    assert.equal((await node.request('/kv/n', method('POST'))).text, String(i))
  }
  assert.match((await greedy).text, /^50 kv-quota kv\.put: greedy holds 50 keys; 50 are allowed/)
  const metrics = (await node.api('GET', '/metrics')).text
  assert.match(metrics, /orla_kv_keys\{store="kv",namespace="greedy"\} 50$/m)
})

test('how long a key may be is what the configuration says', async (t) => {
  const keyed = `export default {
    paths: ['/keyed'],
    async content(request, edge) {
      const key = 'k'.repeat(Number(request.query.get('length')))
      try {
        await edge.kv.put(key, 'kept')
        return new Response(await edge.kv.get(key))
      } catch (error) {
        return new Response(error.name + ' ' + error.code + ' ' + error.message)
      }
    },
  }`
  const node = await startNode(t, { config: { edge: { kv: { keyBytesMax: '1kb' } } }, units: { keyed } })
  const put = async (length: number) => (await node.request(`/keyed?length=${length}`)).text
  assert.equal(await put(1024), 'kept')
  assert.equal(await put(1025), 'Error kv-key kv.put: a key of 1025 bytes; 1024 are allowed')
  assert.match(await put(70_000), /^Error kv-key kv\.put: a key of 70000 characters; /)
})

test('the command and the API read and write what units do', async (t) => {
  const node = await startNode(t, { config: { edge: { workers: 2 } }, units: { store: STORE } })
  const { code, stderr } = await node.orla('kv', 'put', 'store', 'a/b c', 'from outside')
  assert.equal(code, 0, stderr)
  assert.equal((await node.request('/kv/a/b%20c')).text, 'none', 'a path is not decoded')
  await node.orla('kv', 'put', 'store', 'seen', 'from outside', '--ttl', '1h', '--durable')
  assert.equal((await node.request('/kv/seen')).text, 'from outside')
  await node.request('/kv/own', method('PUT', 'by the unit'))
  assert.equal((await node.orla('kv', 'get', 'store', 'own')).stdout, 'by the unit\n')
  assert.deepEqual(JSON.parse((await node.orla('kv', 'get', 'store', 'a/b c', '--json')).stdout), {
    namespace: 'store',
    key: 'a/b c',
    value: 'from outside',
  })
  const keys = JSON.parse((await node.orla('kv', 'list', 'store', '--json')).stdout) as { name: string }[]
  assert.deepEqual(
    keys.map(({ name }) => name),
    ['a/b c', 'own', 'seen'],
  )
  assert.match((await node.orla('kv', 'list', 'store', '--prefix', 's')).stdout, /^seen {2}until 20.*Z\n$/)
  assert.match((await node.orla('kv', 'list')).stdout, /^store {2}3 keys, \d+ bytes\n$/)
  assert.equal((await node.orla('kv', 'delete', 'store', 'own')).code, 0)
  assert.equal((await node.request('/kv/own')).text, 'none')
  const missing = await node.orla('kv', 'get', 'store', 'own')
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /store has no key "own"/)
  assert.equal((await node.orla('kv', 'grab', 'store')).code, 64)

  const bytes = Uint8Array.from([0, 255, 128, 10])
  const put = await fetch(new URL('/v1/kv/store/bytes', node.control), {
    method: 'PUT',
    headers: { authorization: `Bearer ${node.token}` },
    body: bytes,
  })
  assert.deepEqual(await put.json(), { namespace: 'store', key: 'bytes', bytes: 4 })
  assert.deepEqual([...(await node.api('GET', '/v1/kv/store/bytes')).body], [...bytes])
  // What is no text would be something else on standard output.
  const shown = await node.orla('kv', 'get', 'store', 'bytes')
  assert.deepEqual([shown.code, shown.stdout], [1, ''])
  assert.match(shown.stderr, /bytes of store is no text\n {2}give --file FILE/)
  assert.equal((await node.orla('kv', 'get', 'store', 'bytes', '--file', 'got')).code, 0)
  assert.deepEqual([...readFileSync(join(node.folder, 'got'))], [...bytes])
  assert.match((await node.orla('kv', 'get', 'store', 'bytes', '--json')).stdout, /"base64":"AP\+ACg=="/)
  for (const key of ['', '..']) assert.equal((await node.orla('kv', 'put', 'store', key, 'x')).code, 64)
  assert.equal((await node.api('GET', '/v1/kv/store/nothing')).status, 404)
  assert.equal((await node.api('PUT', `/v1/kv/store/${'k'.repeat(600)}`)).status, 422)
})
