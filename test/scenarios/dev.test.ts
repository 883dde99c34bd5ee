/** `orla dev`: a real one beside an author who saves, breaks and mends. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { orla, startOrla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'

const UNIT = `import { word } from './word.ts'
export default {
  async access(request, response, edge) {
    await edge.kv.put('seen', request.path)
    edge.log('hello ' + request.path)
    response.headers.set('x-word', word + (edge.env.WHO ?? ''))
  },
  log(request, response, edge) { edge.log('after ' + response.status) },
}
`

async function open(t: TestContext, ...options: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'orla-devtest-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const write = (name: string, text: string) => {
    // As editors do it.
    writeFileSync(join(folder, `.${name}.swp`), text)
    renameSync(join(folder, `.${name}.swp`), join(folder, name))
  }
  write('gate.ts', UNIT)
  write('word.ts', `export const word = 'one'`)
  const origin = createServer((_, response) => response.end('from the origin'))
  await new Promise<void>((done) => origin.listen(0, '127.0.0.1', done))
  t.after(() => (origin.closeAllConnections(), origin.close()))
  const { port } = origin.address() as AddressInfo
  const through = ['--listen', '127.0.0.1:0', '--origin', `http://127.0.0.1:${port}`]
  const dev = await startOrla(t, ['dev', join(folder, 'gate.ts'), ...through, ...options])
  const text = () => dev.stdout() + dev.stderr()
  const seen = async (pattern: RegExp) => {
    await eventually(() => pattern.test(text())).catch(() => assert.match(text(), pattern))
  }
  return { dev, write, folder, seen, get: (path: string) => fetch(`${dev.edges[0]}${path}`) }
}

test('requests are answered and told, and what is saved is live', async (t) => {
  const { dev, write, seen, get } = await open(t, '--env', 'WHO=!')
  await seen(/^deployed gate 1 live on 1\/1 workers in \d+ ms$/m)
  const first = await get('/a?b')
  assert.equal(first.headers.get('x-word'), 'one!')
  assert.equal(first.headers.get('orla-units'), null, 'nothing is told to the client')
  assert.equal(await first.text(), 'from the origin')
  await seen(
    /^GET \/a\?b 200 [\d.]+ ms\n {2}gate@1 access next \d+ µs\n {2}gate@1 log next \d+ µs\n {2}kv\.put seen ok [\d.]+ ms$/m,
  )
  await seen(/^[\d:.]+ gate@1 info hello \/a \(gate\.ts:5:\d+\)$/m)
  await seen(/^[\d:.]+ gate@1 info after 200 \(gate\.ts:8:\d+\)$/m)

  write('word.ts', `export const word = 'two'`)
  await seen(/^deployed gate 2 live/m)
  assert.equal((await get('/')).headers.get('x-word'), 'two!')

  write('word.ts', `export const word = `)
  await seen(/word\.ts:1:\d+: .*expected/i)
  assert.equal((await get('/')).headers.get('x-word'), 'two!')

  write('word.ts', `export const word = 'three'`)
  await seen(/^deployed gate 3 live/m)
  assert.equal((await get('/')).headers.get('x-word'), 'three!')

  dev.kill('SIGINT')
  assert.deepEqual(await dev.ended, { code: 0, signal: null })
})

test('an import that is missing is told, and found when it comes', async (t) => {
  const { write, folder, seen, get } = await open(t)
  await seen(/^deployed gate 1 live/m)
  rmSync(join(folder, 'word.ts'))
  await seen(/no "\.\/word\.ts"/)
  write('word.ts', `export const word = 'back'`)
  await seen(/^deployed gate 2 live/m)
  assert.equal((await get('/')).headers.get('x-word'), 'back')
})

test('a failure is told with its place, and what was cut short too', async (t) => {
  const { write, seen, get } = await open(t)
  await seen(/^deployed gate 1 live/m)
  write('gate.ts', `export default { access() {\n  throw new Error('no') } }`)
  await seen(/^deployed gate 2 live/m)
  assert.equal((await get('/x')).status, 503)
  await seen(/gate@2 error throw: Error: no \(gate\.ts:2:\d+\)/)
  await seen(/^GET \/x 503 [\d.]+ ms\n {2}gate@2 access throw [1-9]\d* µs$/m)
})

test('its data goes with it, and a second one on its port is refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'orla-devtmp-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const env = { TMPDIR: folder }
  const dev = await startOrla(t, ['dev', 'units/hello.ts', '--listen', '127.0.0.1:0'], { env })
  assert.ok(readdirSync(folder).some((name) => name.startsWith('orla-dev-')))
  const address = new URL(dev.edges[0]!).host
  const second = await orla(['dev', 'units/hello.ts', '--listen', address], { env })
  assert.equal(second.code, 1, second.stderr)
  assert.match(second.stderr, new RegExp(address.replaceAll('.', '\\.')))
  dev.kill('SIGTERM')
  assert.equal((await dev.ended).code, 0)
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('orla-dev-')),
    [],
  )
  assert.equal((await orla(['dev', join(folder, 'none.ts')])).code, 1)
  assert.ok(existsSync(folder))
})
