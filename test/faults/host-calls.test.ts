/** What happens to calls of units when one of the two ends goes away in the middle. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

/** The longest that may be: what has written or fetched is lost with a step that is cut off, at eight times `cpuMs` of wall time. */
const LIMITS = 'limits: { wallMs: 60000, cpuMs: 1000 },'
/** To connect takes as long as the machine stands still. */
const FETCH = { sites: ['127.0.0.1'], timeouts: { connect: '60s', response: '120s' } }

const UNITS = (url: string) => ({
  fetcher: `
    export default {
      paths: ['/fetch'], ${LIMITS}
      async content() { return new Response(await (await fetch('${url}/held')).text()) },
    }`,
  reader: `
    export default {
      paths: ['/read'], ${LIMITS}
      async content(request, edge) {
        await edge.kv.get('nothing')
        await new Promise((resolve) => setTimeout(resolve, 1500))
        return new Response('read ' + ((await edge.kv.get('nothing')) ?? 'none'))
      },
    }`,
  plain: `export default { paths: ['/plain'], ${LIMITS} content: () => new Response('plain') }`,
})

/** An origin whose answers wait until they are let go. */
async function holdingOrigin(t: Parameters<typeof startOrigin>[0]) {
  const held: (() => void)[] = []
  let asked = 0
  const origin = await startOrigin(t, (_request, response) => {
    asked++
    held.push(() => response.end('let go'))
  })
  return { url: origin.url, asked: () => asked, letGo: () => held.splice(0).forEach((end) => end()) }
}

const killSandboxes = (node: TestNode) => {
  for (const pid of node.processes().sandboxes) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It was replaced meanwhile.
    }
  }
}

test('when a sandbox dies, what had fetched fails once and what had only read is run again', async (t) => {
  const origin = await holdingOrigin(t)
  const node = await startNode(t, {
    config: { edge: { fetch: FETCH } },
    units: UNITS(origin.url),
  })
  const fetched = node.request('/fetch')
  const read = node.request('/read')
  await eventually(() => origin.asked() === 1)
  killSandboxes(node)
  const answer = await fetched
  assert.equal(answer.headers['orla-unit-error'], 'fetcher crash')
  assert.equal((await read).text, 'read none')
  assert.equal(origin.asked(), 1)
  // The answer of what is gone meets nobody.
  origin.letGo()
  const again = node.request('/fetch')
  await eventually(() => origin.asked() === 2)
  origin.letGo()
  assert.equal((await again).text, 'let go')
})

test('when the worker dies in the middle of a call, the next one serves', async (t) => {
  const origin = await holdingOrigin(t)
  const node = await startNode(t, {
    config: { edge: { fetch: FETCH } },
    units: UNITS(origin.url),
  })
  const cut = node.request('/fetch').catch((error: Error) => error)
  await eventually(() => origin.asked() === 1)
  for (const pid of node.processes().workers) process.kill(pid, 'SIGKILL')
  assert.ok((await cut) instanceof Error)
  origin.letGo()
  const answer = await eventually(() => node.request('/plain').catch(() => false as const))
  assert.equal(answer.text, 'plain')
})

test('an answer that comes after the client has left harms nobody', async (t) => {
  const origin = await holdingOrigin(t)
  const node = await startNode(t, {
    config: { edge: { fetch: FETCH } },
    units: UNITS(origin.url),
  })
  const { hostname, port } = new URL(node.url)
  for (let i = 1; i <= 5; i++) {
    const socket = connect(Number(port), hostname)
    socket.write('GET /fetch HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually(() => origin.asked() === i)
    socket.destroy()
  }
  origin.letGo()
  assert.equal((await node.request('/plain')).text, 'plain')
  const next = node.request('/fetch')
  await eventually(() => origin.asked() === 6)
  origin.letGo()
  assert.equal((await next).text, 'let go')
})

test('a thousand awaits at a time are answered, in one invocation and in many', async (t) => {
  // Answers wait until so many are asked for at a time: how long that takes is the machine's business.
  const atOnce = 51
  let held: (() => void)[] | undefined = []
  const origin = await startOrigin(t, (_request, response) => {
    const answer = () => void response.end('ok')
    if (!held) return answer()
    held.push(answer)
    if (held.length < atOnce) return
    for (const one of held) one()
    held = undefined
  })
  const node = await startNode(t, {
    config: { edge: { fetch: FETCH } },
    units: {
      many: `
        export default {
          paths: ['/many'], ${LIMITS}
          async content(request, edge) {
            const keys = Array.from({ length: 1000 }, (_, i) => 'k' + i)
            await Promise.all(keys.map((key, i) => edge.kv.put(key, String(i))))
            const values = await Promise.all(keys.map((key) => edge.kv.get(key)))
            return new Response(String(values.every((value, i) => value === String(i))))
          },
        }`,
      one: `
        export default {
          paths: ['/one'], ${LIMITS}
          async content(request, edge) {
            const answer = await fetch('${origin.url}/')
            return new Response((await answer.text()) + (await edge.kv.increment('n')))
          },
        }`,
    },
  })
  assert.equal((await node.request('/many')).text, 'true')
  const answers = await Promise.all(
    Array.from({ length: 1000 }, async () => (await node.request('/one', { timeoutMs: 400_000 })).text),
  )
  assert.deepEqual(
    answers.map((text) => Number(text.slice(2))).toSorted((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i + 1),
  )
})
