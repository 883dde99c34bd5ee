/** `fetch` in units on a real node: through the worker, bounded, and never in circles. */
import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { ROOT } from '../shape/tree.ts'

const FETCH = { sites: ['127.0.0.1'] }
const LIMITS = 'limits: { wallMs: 60000, cpuMs: 1000 },'

test('a unit fetches, and answers with what came', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.setHeader('x-origin', 'yes')
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ url: request.url, name: 'ã' }))
  })
  const node = await startNode(t, {
    config: { edge: { fetch: FETCH } },
    units: {
      pass: `
        export default {
          paths: ['/pass'], ${LIMITS}
          async fetch(request, env, ctx) {
            return fetch('${origin.url}/from-unit', { headers: { accept: 'text/x' } })
          },
        }`,
      made: `
        export default {
          paths: ['/made'], ${LIMITS}
          async content() {
            const answers = await Promise.all([1, 2, 3].map((n) => fetch('${origin.url}/' + n)))
            const data = await Promise.all(answers.map((answer) => answer.json()))
            return Response.json({ urls: data.map(({ url }) => url), name: data[0].name, url: answers[0].url })
          },
        }`,
    },
  })
  const passed = await node.request('/pass')
  assert.equal(passed.text, '{"url":"/from-unit","name":"ã"}')
  assert.equal(passed.headers['x-origin'], 'yes')
  assert.deepEqual(JSON.parse((await node.request('/made')).text), {
    urls: ['/1', '/2', '/3'],
    name: 'ã',
    url: `${origin.url}/1`,
  })
})

test('an app of Hono fetches, and goes on after its answer', async (t) => {
  const seen: string[] = []
  const origin = await startOrigin(t, (request, response) => {
    seen.push(request.url!)
    response.end('from the api')
  })
  const node = await startNode(t, { config: { edge: { fetch: FETCH } } })
  await cp(join(ROOT, 'node_modules/hono'), join(node.folder, 'node_modules/hono'), { recursive: true })
  const { writeFile } = await import('node:fs/promises')
  await writeFile(
    join(node.folder, 'app.ts'),
    `import { Hono } from 'hono'
     const app = new Hono()
     app.get('/app', async (c) => {
       const answer = await fetch('${origin.url}/first')
       c.executionCtx.waitUntil(
         new Promise((resolve) => setTimeout(resolve, 20)).then(() => fetch('${origin.url}/later')),
       )
       return c.text(await answer.text())
     })
     export default app`,
  )
  const limits = ['--wall-ms', '60000', '--cpu-ms', '1000']
  // The check of a package is given up where the machine has no time for it.
  const deployed = await eventually(async () => {
    const result = await node.orla('deploy', 'app.ts', '--paths', '/app', ...limits)
    return !result.stderr.includes('the check did not end within') && result
  })
  assert.equal(deployed.code, 0, deployed.stderr)
  assert.equal((await node.request('/app')).text, 'from the api')
  // What goes on after an answer is lost where its isolate is cut off for standing still: then it is asked for again.
  let askedAt = performance.now()
  await eventually(async () => {
    if (seen.includes('/later') || performance.now() - askedAt < 20_000) return seen.includes('/later')
    await node.request('/app')
    askedAt = performance.now()
    return false
  })
})

test('a unit that fetches itself comes to an end', async (t) => {
  const node = await startNode(t, {
    // The first fetch waits for all the others.
    config: { edge: { fetch: { allowPrivate: true, timeouts: { response: '10m' } } } },
  })
  await node.deploy(
    'loop',
    `export default {
       paths: ['/loop'], ${LIMITS}
       async content(request, edge) {
         const count = await edge.kv.increment('runs')
         try {
           const answer = await fetch('${node.url}/loop')
           return new Response(await answer.text())
         } catch (error) {
           return new Response(count + ' ' + error.code + ' ' + error.message)
         }
       },
     }`,
  )
  const answer = await node.request('/loop')
  assert.match(
    answer.text,
    /^7 fetch-budget fetch GET .*\/loop: this request came here by 6 fetches in a row: it goes in a loop/,
  )
})

test('private addresses and the control plane are out of reach, unless they are named', async (t) => {
  const node = await startNode(t, {
    units: {
      probe: `
        export default {
          paths: ['/probe'], ${LIMITS}
          async content(request) {
            try {
              return await fetch(request.query.get('url'))
            } catch (error) {
              return new Response(error.name + ' ' + error.code, { status: 403 })
            }
          },
        }`,
    },
  })
  for (const url of [
    node.control,
    node.url,
    'http://localhost:9999/',
    'http://[::1]/',
    'http://169.254.169.254/',
  ]) {
    const answer = await node.request(`/probe?url=${encodeURIComponent(url)}`)
    assert.equal(answer.text, 'TypeError fetch-private', url)
  }
})

test('a fetch that is aborted ends, at the server too', async (t) => {
  let closed = 0
  const origin = await startOrigin(t, (request) => void request.socket.on('close', () => closed++))
  const node = await startNode(t, {
    config: { edge: { fetch: FETCH } },
    units: {
      hasty: `
        export default {
          paths: ['/hasty'], ${LIMITS}
          async content() {
            try {
              await fetch('${origin.url}/', { signal: AbortSignal.timeout(30) })
            } catch (error) {
              return new Response(error.name)
            }
          },
        }`,
    },
  })
  assert.equal((await node.request('/hasty')).text, 'TimeoutError')
  await eventually(() => closed === 1)
})
