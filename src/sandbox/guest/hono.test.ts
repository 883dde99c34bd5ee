/** An app of a framework that knows nothing of Orla, as a unit: the `fetch` form of the content phase. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { invokeEntry, openGuest } from './guest.support.ts'

const APP = `import { Hono } from 'hono'
import { cors } from 'hono/cors'
const app = new Hono()
app.use('*', cors(), async (context, next) => { await next(); context.header('x-after', 'yes') })
app.get('/hi/:name', (context) => context.text('hi ' + context.req.param('name') + context.req.query('mark')))
app.post('/json', async (context) => context.json({ got: await context.req.json(), key: context.env.KEY }, 201))
app.get('/throws', () => { throw new Error('boom') })
export default app`

const built = await build({
  stdin: { contents: APP, resolveDir: fileURLToPath(new URL('.', import.meta.url)), loader: 'ts' },
  bundle: true,
  write: false,
  format: 'cjs',
  target: 'esnext',
  conditions: ['workerd', 'worker', 'browser'],
})
const guest = await openGuest(built.outputFiles[0]!.text, { env: { KEY: 'value' } })
after(() => guest.dispose())

function ask(method: string, path: string, body = ''): { status: number; head: string; body: string } {
  const head = `${method} ${path} HTTP/1.1\r\nHost: example.org\r\n`
  const record = guest
    .settle(invokeEntry(1, ['content'], { head, body }))
    .findLast(({ kind }) => kind === 'invocation')
  assert.ok(record?.kind === 'invocation')
  return { status: Number(record.head.split('\n', 1)), head: record.head, body: record.body }
}

test('an app of Hono is a unit as it is', () => {
  assert.deepEqual(guest.installed, { ok: true, phases: 4, fields: {} })
  const hi = ask('GET', '/hi/bob?mark=!')
  assert.deepEqual([hi.status, hi.body], [200, 'hi bob!'])
  assert.match(hi.head, /^x-after: yes\r$/m)
  assert.match(hi.head, /^access-control-allow-origin: \*\r$/m)
})

test('it reads bodies and the environment, and handles its own errors', () => {
  const json = ask('POST', '/json', '{"a":1}')
  assert.deepEqual([json.status, JSON.parse(json.body)], [201, { got: { a: 1 }, key: 'value' }])
  assert.equal(ask('GET', '/throws').status, 500)
  assert.equal(ask('GET', '/nothing').status, 404)
})
