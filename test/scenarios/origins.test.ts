/** A pool of origins behind a whole node, while some of it fails. */
import assert from 'node:assert/strict'
import { Agent, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin, type TestOrigin } from '../harness/origin.ts'

test('an origin that dies and comes back under load costs no request', async (t) => {
  const answer = (name: string) => startOrigin(t, (_, response) => void response.end(name))
  const [a, b] = [await answer('a'), await answer('b')]
  const node = await startNode(t, {
    config: {
      sites: [{ origin: { endpoints: [a.url, b.url], passive: { failures: 2, eject: '100ms' } } }],
    },
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  t.after(() => agent.destroy())
  const seen: string[] = []
  let isRunning = true
  const load = Array.from({ length: 8 }, async () => {
    while (isRunning) {
      const { status, text } = await node.request('/', { agent })
      seen.push(status === 200 ? text : `${status} ${text}`)
    }
  })
  const goOn = async (count: number) => {
    const from = seen.length
    await eventually(() => seen.length > from + count)
    return new Set(seen.slice(from + 8))
  }
  await goOn(100)
  await a.close()
  await goOn(300)
  const again = createServer((_, response) => void response.end('a'))
  await new Promise<void>((resolve) => void again.listen(a.port, '127.0.0.1', resolve))
  t.after(() => {
    again.close()
    again.closeAllConnections()
  })
  await eventually(async () => (await goOn(50)).has('a'))
  isRunning = false
  await Promise.all(load)
  assert.deepEqual([...new Set(seen)].toSorted(), ['a', 'b'])
})

test('endpoints that flap do not break requests, and the log tells of changes and of nothing else', async (t) => {
  let isWell = true
  const [steady, flapping] = [
    await startOrigin(t, (_, response) => void response.end('steady')),
    await startOrigin(t, (_, response) => {
      response.statusCode = isWell ? 200 : 503
      response.end('flapping')
    }),
  ]
  const node = await startNode(t, {
    config: {
      edge: { workers: 2 },
      sites: [
        {
          origin: {
            endpoints: [steady.url, { url: flapping.url, name: 'flapping' }],
            health: { path: '/healthz', every: '50ms', healthy: 2, unhealthy: 2 },
            passive: false,
            retries: { on: ['connect', 'closed', 503], budget: 1 },
          },
        },
      ],
    },
  })
  const stateIs = async (state: string) => {
    const { text } = await node.api('GET', '/metrics')
    // Both workers say so.
    return new RegExp(
      `^orla_origin_endpoint_state\\{[^}]*endpoint="flapping"[^}]*state="${state}"\\} 2$`,
      'm',
    ).test(text)
  }
  for (let round = 0; round < 3; round += 1) {
    isWell = false
    await eventually(async () => {
      assert.equal((await node.request('/')).status, 200)
      return stateIs('down')
    })
    isWell = true
    await eventually(async () => {
      assert.equal((await node.request('/')).status, 200)
      return stateIs('up')
    })
  }
  const lines = () =>
    node
      .stderr()
      .split('\n')
      .filter((line) => line.includes('the endpoint flapping'))
  // What several workers say in the same words may stand there once.
  const changes = () => lines().map((line) => / is (down|up)/.exec(line)?.[1])
  await eventually(() => changes().includes('down') && changes().includes('up'))
  assert.ok(lines().length <= 12, lines().join('\n'))
})

test('a node that starts before its origins answers as soon as one is there', async (t) => {
  const placeholder = createServer()
  await new Promise<void>((resolve) => void placeholder.listen(0, '127.0.0.1', resolve))
  const { port } = placeholder.address() as AddressInfo
  await new Promise((resolve) => placeholder.close(resolve))
  const node = await startNode(t, {
    config: {
      sites: [
        {
          origin: {
            endpoints: [`http://127.0.0.1:${port}`],
            health: { path: '/up', every: '50ms', healthy: 1 },
          },
        },
      ],
    },
  })
  await eventually(async () => {
    const answer = await node.request('/')
    return answer.status === 503 && answer.headers['proxy-status'] === 'orla; error=destination_unavailable'
  })
  const refused = /is down: a check failed: http:\/\/127\.0\.0\.1:\d+ refused the connection/
  await eventually(() => refused.test(node.stderr()))
  const late = createServer((_, response) => void response.end('here'))
  await new Promise<void>((resolve) => void late.listen(port, '127.0.0.1', resolve))
  t.after(() => {
    late.close()
    late.closeAllConnections()
  })
  await eventually(async () => (await node.request('/')).text === 'here')
})

test('the same key goes to the same origin on every worker', async (t) => {
  const origins: TestOrigin[] = []
  for (const name of ['a', 'b', 'c'])
    origins.push(await startOrigin(t, (_, response) => void response.end(name)))
  const node = await startNode(t, {
    config: {
      edge: { workers: 2 },
      sites: [
        {
          origin: {
            endpoints: origins.map(({ url }) => url),
            balance: 'consistent-hash',
            hashOn: 'cookie:sid',
          },
        },
      ],
    },
  })
  const places = new Map<string, string>()
  for (let i = 0; i < 60; i += 1) {
    const sid = `s${i % 12}`
    const { text } = await node.request('/', { headers: { cookie: `theme=dark; sid=${sid}` } })
    assert.equal(places.get(sid) ?? text, text)
    places.set(sid, text)
  }
  assert.ok(new Set(places.values()).size >= 2)
})
