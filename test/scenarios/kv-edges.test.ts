import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startEdge } from '../harness/edges.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { LIMITS } from '../harness/takeover.ts'

const DATA = `export default {
  paths: ['/*'], ${LIMITS},
  async content(request, edge) {
    const key = request.query.get('key') ?? 'n'
    const value = request.query.get('value') ?? ''
    const consistency = request.query.has('strong') ? 'strong' : 'eventual'
    try {
      switch (request.path) {
        case '/increment': return new Response(String(await edge.kv.increment(key, 1, { consistency })))
        case '/put': await edge.kv.put(key, value, { consistency }); return new Response('ok')
        case '/get': return new Response(String(await edge.kv.get(key, { consistency })))
        case '/cas': return new Response(String(await edge.kv.compareAndSet(key, request.query.get('expected'), value)))
      }
    } catch (error) { return new Response(String(error.message), { status: 503 }) }
    return new Response('', { status: 404 })
  },
}`

const ask = async (node: TestNode, path: string): Promise<string> => {
  const { status, text } = await node.request(path)
  assert.equal(status, 200, text)
  return text
}

async function fleet(t: import('node:test').TestContext) {
  const control = await startNode(t, { units: { data: DATA } })
  const edges = [await startEdge(t, control, 'a'), await startEdge(t, control, 'b')]
  return { control, edges, nodes: [control, ...edges] }
}

test('what a unit writes on one node is read on all, and each node reads its own at once', async (t) => {
  const { edges, nodes } = await fleet(t)
  await ask(edges[0]!, '/put?key=name&value=eli')
  assert.equal(await ask(edges[0]!, '/get?key=name'), 'eli')
  for (const node of nodes) await eventually(async () => (await ask(node, '/get?key=name')) === 'eli')
  // Asked of whoever orders the changes: what was acknowledged anywhere is seen.
  await ask(edges[1]!, '/put?key=name&value=john&strong')
  for (const node of nodes) assert.equal(await ask(node, '/get?key=name&strong'), 'john')
})

test('counters converge on their total, exact ones give each number once, and one of many sets wins', async (t) => {
  const { nodes } = await fleet(t)
  const each = <T>(work: (node: TestNode) => Promise<T>) =>
    Promise.all(Array.from({ length: 30 }, (_, n) => work(nodes[n % nodes.length]!)))
  await each((node) => ask(node, '/increment?key=merged'))
  const exact = await each((node) => ask(node, '/increment?key=exact&strong'))
  assert.deepEqual(
    exact.map(Number).toSorted((a, b) => a - b),
    Array.from({ length: 30 }, (_, n) => n + 1),
  )
  for (const node of nodes) await eventually(async () => (await ask(node, '/get?key=merged')) === '30')
  await ask(nodes[0]!, '/put?key=lock&value=free&strong')
  const won = await each((node) => ask(node, '/cas?key=lock&expected=free&value=taken'))
  assert.equal(won.filter((text) => text === 'true').length, 1)
})

test('while the control plane is away, local reads and writes go on, and nothing of them is lost', async (t) => {
  const { control, edges } = await fleet(t)
  const [a] = edges as [TestNode, TestNode]
  await ask(a, '/increment?key=n')
  control.kill('SIGKILL')
  await control.ended
  for (let n = 0; n < 5; n++) await ask(a, '/increment?key=n')
  assert.equal(await ask(a, '/get?key=n'), '6')
  const strong = await a.request('/get?key=n&strong')
  assert.equal(strong.status, 503)
  assert.match(strong.text, /control plane/)
  const again = await startNode(t, {
    folder: control.folder,
    config: { control: { listen: new URL(control.control).host } },
  })
  await eventually(async () => (await ask(again, '/get?key=n')) === '6')
  assert.equal(await ask(again, '/get?key=n&strong'), '6')
  await again.stop()
})
