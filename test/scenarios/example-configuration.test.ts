/**
 * The example of a whole configuration, as Orla was designed with it, and the unit of that design: everything that they name does what
 * it says. Only ports are others.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { type RunningCommand, startOrla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { WITH_TIME } from '../harness/node.ts'
import { startOrigin, type TestOrigin } from '../harness/origin.ts'
import { processesBelow } from '../harness/processes.ts'
import { RawClient } from '../harness/raw-client.ts'

const EXAMPLE = `
{ "edge":    { "listen": "127.0.0.1:8080", "workers": 2,
               "limits": { "headBytes": "32kb", "bodyBytes": "1gb", "idle": "60s", "head": "10s" },
               "trustedProxies": ["10.0.0.0/8"], "accessLog": "access.log" },
  "control": { "listen": "127.0.0.1:8081", "token": "secret" },
  "store":   { "kind": "embedded", "path": "./data" },
  "node":    { "name": "gru1", "groups": ["sa-east"] },
  "sites":   [ { "hosts": ["*"],
                 "origin": { "endpoints": ["http://127.0.0.1:9000"], "balance": "round-robin",
                             "health": { "path": "/", "every": "5s" }, "timeouts": { "connect": "2s", "response": "30s" } },
                 "cache": { "ram": "64mb" } } ] }
`

const UNIT = `
import type { Unit } from "orla";

/** Lets in those who bring the token, and remembers them with a cookie. */
export default {
  hosts: ["tv.example.com"],   // of the request; \`nodes: ["group:sa-east"]\` would say which edge nodes run it
  paths: ["/hls/*"],
  access(request, response, edge) {
    const token = request.query.get("token") ?? request.cookies.get("superstition");
    if (token !== edge.env.TOKEN) return new Response("forbidden", { status: 403 });
    response.headers.append("set-cookie", \`superstition=\${token}\`);
  },
} satisfies Unit;
`

const WHERE = `export default {
  paths: ['/where'], nodes: ['group:sa-east'],
  content: (request, edge) => new Response(edge.node.name + ' of ' + edge.node.groups.join()) }`

test('the example configuration starts, and all that it names works', async (t) => {
  const origin = await startOrigin(t, (request, response) =>
    response.setHeader('cache-control', 'max-age=60').end(`origin ${request.url}`),
  )
  const { node, folder } = await start(t, origin)
  const url = node.edges[0]!

  await t.test('two workers, and a control plane that asks for the token', async () => {
    assert.equal(processesBelow(node.pid).workers.length, 2)
    assert.equal((await control(node, 'GET', '/v1/units', 'other')).status, 401)
    assert.equal((await control(node, 'GET', '/v1/units')).status, 200)
    assert.ok(existsSync(join(folder, 'data')))
  })

  await t.test('any host is the site; the cache keeps its answers; the log tells them', async (t) => {
    const agent = new Agent({ keepAlive: true })
    t.after(() => agent.destroy())
    const get = () =>
      ask(`${url}/a`, { agent, headers: { host: 'any.example.org', 'x-forwarded-for': '192.0.2.1' } })
    const [miss, hit] = [await get(), await get()]
    assert.deepEqual([miss.status, miss.text, hit.text], [200, 'origin /a', 'origin /a'])
    assert.match(String(hit.headers['cache-status']), /^orla; hit/)
    assert.equal(origin.requests.filter((one) => one === 'GET /a').length, 1)
    const lines = await eventually(() => {
      const found = readFileSync(join(folder, 'access.log'), 'utf8').trimEnd().split('\n')
      return found.length === 2 && found.map((line) => JSON.parse(line) as Record<string, unknown>)
    })
    // It is no proxy that is trusted who says where the request is from.
    for (const line of lines) assert.deepEqual([line['client'], line['target']], ['127.0.0.1', '/a'])
  })

  await t.test('the origin is checked', async () => {
    await eventually(() => origin.requests.filter((one) => one === 'GET /').length >= 2)
    const { text } = await control(node, 'GET', '/v1/origins')
    assert.match(text, new RegExp(`127\\.0\\.0\\.1:${origin.port}`))
  })

  await t.test('heads and bodies over the limits are refused', async () => {
    const refused = async (bytes: string) => {
      const client = await RawClient.connect(url)
      client.send(bytes)
      const answer = await client.readAll()
      return answer.slice(9, 12)
    }
    const head = 'POST / HTTP/1.1\r\nHost: a\r\n'
    assert.equal(await refused(`${head}X: ${'x'.repeat(32 * 1024)}\r\n\r\n`), '431')
    assert.equal(await refused(`${head}Content-Length: ${1024 ** 3 + 1}\r\n\r\n`), '413')
  })

  await t.test('units know the node, and the one of the design guards its paths', async () => {
    const limits = { cpuMs: 1000, wallMs: 60_000 }
    for (const [name, source, env] of [
      ['where', WHERE, {}],
      ['superstition', UNIT, { TOKEN: 'token' }],
    ] as const) {
      const { status, text } = await control(node, 'PUT', `/v1/units/${name}`, 'secret', {
        source,
        env,
        manifest: { limits },
        ...WITH_TIME,
      })
      assert.equal(status, 200, text)
    }
    assert.equal((await ask(`${url}/where`)).text, 'gru1 of sa-east')
    const tv = (path: string, cookie = '') => ask(url + path, { headers: { host: 'tv.example.com', cookie } })
    assert.equal((await tv('/hls/a')).status, 403)
    const admitted = await tv('/hls/a?token=token')
    assert.deepEqual([admitted.status, admitted.headers['set-cookie']], [200, ['superstition=token']])
    assert.equal((await tv('/hls/a', 'superstition=token')).text, 'origin /hls/a')
    assert.equal((await ask(`${url}/hls/a`)).status, 200)
  })
})

async function start(t: TestContext, origin: TestOrigin): Promise<{ node: RunningCommand; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'orla-example-'))
  const text = EXAMPLE.replace(':8080', ':0').replace(':8081', ':0').replace(':9000', `:${origin.port}`)
  await writeFile(join(folder, 'orla.config.json'), text)
  const node = await startOrla(t, ['start'], { cwd: folder })
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return { node, folder }
}

const control = (node: RunningCommand, method: string, path: string, token = 'secret', body?: unknown) =>
  ask(node.control + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
