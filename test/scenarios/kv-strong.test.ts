/** What units and commands ask strongly of `edge.kv`: on a node that orders its changes itself it is the same, and as exact. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startNode } from '../harness/node.ts'

const STORE = `
export default {
  paths: ['/kv/*'], limits: { cpuMs: 1000, wallMs: 60000 },
  async content(request, edge) {
    const key = request.path.slice(4)
    const { query } = request
    const consistency: any = query.get('consistency') ?? undefined
    try {
      switch (request.method) {
        case 'PUT': {
          const from = query.get('from')
          const bytes: any = query.has('bytes') ? new Uint8Array([0, 255, 128]) : await request.text()
          if (query.has('from') || query.has('absent'))
            return new Response(String(await edge.kv.compareAndSet(key, from ?? null, bytes, { ttl: '1h' })))
          if (query.has('fromBytes'))
            return new Response(String(await edge.kv.compareAndSet(key, new Uint8Array([0, 255, 128]), { a: [1] })))
          await edge.kv.put(key, bytes, { consistency })
          return new Response('put')
        }
        case 'DELETE':
          await edge.kv.delete(key, { consistency, durable: true })
          return new Response('deleted')
        case 'POST':
          return new Response(String(await edge.kv.increment(key, 2, { consistency })))
        default:
          return new Response((await edge.kv.get(key, { consistency })) ?? 'none')
      }
    } catch (error: any) {
      return new Response(error.name + ' ' + error.message)
    }
  },
}`

test('strong reads and writes, exact counters, and keys that are set by one of all', async (t) => {
  const node = await startNode(t, { config: { edge: { workers: 2 } }, units: { store: STORE } })
  const ask = async (method: string, path: string, body?: string) =>
    (await node.request(`/kv/${path}`, { method, ...(body !== undefined && { body }) })).text

  assert.equal(await ask('GET', 'a?consistency=strong'), 'none')
  assert.equal(await ask('PUT', 'a?consistency=strong', 'value ã'), 'put')
  assert.equal(await ask('GET', 'a?consistency=strong'), 'value ã')
  assert.equal(await ask('GET', 'a'), 'value ã')
  assert.equal(await ask('PUT', 'a?from=other', 'x'), 'false')
  assert.equal(await ask('PUT', `a?from=${encodeURIComponent('value ã')}`, 'y'), 'true')
  assert.equal(await ask('PUT', 'a?absent', 'z'), 'false')
  assert.equal(await ask('GET', 'a'), 'y')
  assert.equal(await ask('DELETE', 'a?consistency=strong'), 'deleted')
  assert.equal(await ask('PUT', 'a?absent&bytes'), 'true')
  assert.equal(await ask('PUT', 'a?fromBytes'), 'true')
  assert.equal(await ask('GET', 'a'), '{"a":[1]}')

  const counts = await Promise.all(Array.from({ length: 40 }, () => ask('POST', 'n?consistency=strong')))
  assert.deepEqual(
    counts.map(Number).toSorted((a, b) => a - b),
    Array.from({ length: 40 }, (_, i) => 2 * i + 2),
  )
  const takers = Array.from({ length: 20 }, (_, i) => ask('PUT', 'lock?absent', String(i)))
  const winners = (await Promise.all(takers)).flatMap((text, i) => (text === 'true' ? [String(i)] : []))
  assert.deepEqual(winners, [await ask('GET', 'lock')])

  assert.match(await ask('GET', 'a?consistency=some'), /^TypeError consistency is "eventual" or "strong"/)
  assert.match(
    await ask('PUT', `${'k'.repeat(600)}?absent`, 'x'),
    /^Error kv\.compareAndSet: a key of 600 bytes/,
  )

  const orla = async (...words: string[]) => {
    const { code, stdout, stderr } = await node.orla('kv', ...words)
    return `${code} ${stdout}${stderr}`
  }
  assert.match(await orla('put', 'store', 'job', 'one', '--if-absent', '--ttl', '1h'), /^0 /)
  assert.match(
    await orla('put', 'store', 'job', 'two', '--if-absent'),
    /^1 .*store has something else at "job"/s,
  )
  assert.match(await orla('put', 'store', 'job', 'two', '--if-value', 'one', '--strong'), /^0 /)
  assert.equal(await orla('get', 'store', 'job', '--strong'), '0 two\n')
  assert.match(await orla('put', 'store', 'job', 'x', '--if-absent', '--if-value', 'two'), /^64 /)
  assert.match(await orla('delete', 'store', 'job', '--strong'), /^0 /)
  assert.match(await orla('get', 'store', 'job', '--strong'), /^1 /)
})
