/** `orla bench`: what a unit costs is measured where it is cheap, dear, waiting or broken. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { orla } from '../harness/command.ts'
import { startOrigin } from '../harness/origin.ts'

const folder = mkdtempSync(join(tmpdir(), 'orla-bench-'))
after(() => rmSync(folder, { recursive: true }))

function unit(name: string, code: string): string {
  const path = join(folder, `${name}.ts`)
  writeFileSync(path, code)
  return path
}

interface Told {
  readonly cpuMs: number
  readonly phases: readonly {
    readonly phase: string
    readonly calls: number
    readonly p50Us: number
    readonly p99Us: number
    readonly maxUs: number
    readonly limitShare: number
  }[]
}

async function bench(...argv: string[]): Promise<Told> {
  const { code, stdout, stderr } = await orla(['bench', ...argv, '--json'])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Told
}

test('each phase is measured by its own work, to the microsecond', async () => {
  const file = unit(
    'work',
    `const burn = (n: number) => { let x = 0; for (let i = 0; i < n; i++) x += Math.sqrt(i); return x }
     export default {
       limits: { cpuMs: 500 },
       access(request, response) { response.headers.set('x', String(burn(300_000))) },
       headerFilter() {},
       bodyFilter(chunk) { return chunk },
       log() {},
     }`,
  )
  const { cpuMs, phases } = await bench(file, '--calls', '100')
  assert.equal(cpuMs, 500)
  assert.deepEqual(
    phases.map(({ phase, calls }) => `${phase} ${calls}`),
    ['access 100', 'headerFilter 100', 'bodyFilter 100', 'log 100'],
  )
  const [access, filter] = phases
  assert.ok(access!.p50Us > 100 && access!.p50Us > 3 * filter!.p50Us, JSON.stringify(phases))
  for (const { p50Us, p99Us, maxUs, limitShare } of phases) {
    assert.ok(p50Us > 0.5 && p50Us <= p99Us && p99Us <= maxUs, JSON.stringify(phases))
    assert.ok(Math.abs(limitShare - p99Us / 500_000) < 1e-5)
  }
  assert.notEqual(access!.p50Us % 1, 0, 'finer than a microsecond')
})

test('waiting is not CPU time, and what resumes after it is', async () => {
  const file = unit(
    'waits',
    `export default {
       limits: { cpuMs: 500 },
       async access(request, response, edge) {
         await edge.kv.put('k', 'v')
         await new Promise((done) => setTimeout(done, 30))
         let x = 0
         if (request.query.has('burn')) for (let i = 0; i < 2_000_000; i++) x += Math.sqrt(i)
         if ((await edge.kv.get('k')) !== 'v') throw new Error('lost ' + x)
       },
     }`,
  )
  const run = async (target: string) =>
    (await bench(file, '--calls', '12', '--request', `GET ${target}`)).phases[0]!.p50Us
  const idle = await run('/')
  const busy = await run('/?burn')
  assert.ok(idle < 30_000, `${idle}`)
  assert.ok(busy > 1000 && busy > idle, `${busy} and ${idle}`)
})

test('a fetch is made once, also where its body goes on after its head', async (t) => {
  const origin = await startOrigin(t, (_, response) => {
    response.flushHeaders()
    setImmediate(() => response.write('one ', () => response.end('two')))
  })
  const file = unit(
    'fetches',
    `export default {
       limits: { cpuMs: 500 },
       async access() {
         const text = await (await fetch('${origin.url}/')).text()
         if (text !== 'one two') throw new Error(text)
       },
       content: () => fetch('${origin.url}/'),
     }`,
  )
  const { phases } = await bench(file, '--calls', '5', '--allow-fetch', '127.0.0.1')
  assert.equal(phases.length, 2)
  assert.equal(origin.requests.length, 1)
})

test('the request, the environment and the origin are what the options say', async () => {
  const file = unit(
    'asked',
    `export default {
       hosts: ['tv.example.com'],
       async content(request, edge) {
         const seen = [request.method, request.url, request.headers.get('x-a'), edge.env.WHO, await request.text()].join(' ')
         if (seen !== 'POST https://tv.example.com/a?b=c one me body') throw new Error(seen)
         return new Response('')
       },
     }`,
  )
  const options = ['--header', 'X-A: one', '--env', 'WHO=me', '--body', 'body', '--calls', '5']
  const { phases } = await bench(file, '--request', 'POST https://tv.example.com/a?b=c', ...options)
  assert.equal(phases[0]!.phase, 'content')

  const filter = unit(
    'filter',
    `export default { chunks: 'text', bodyFilter(chunk) { if (chunk !== 'é!') throw new Error(chunk) } }`,
  )
  writeFileSync(join(folder, 'body'), 'é!')
  await bench(filter, '--origin-body', `@${join(folder, 'body')}`, '--calls', '5')
})

test('an endpoint is chosen of those that there are, and the ttl is what the headers of the origin say', async () => {
  const file = unit(
    'bucket',
    `export default {
       limits: { cpuMs: 1000 },
       origin(request, edge) {
         edge.state.of = request.endpoints.length
         request.endpoint = request.endpoints[1]
         request.path = '/bucket' + request.path
         if (edge.env.ENDPOINT && request.endpoint !== edge.env.ENDPOINT) throw new Error(request.endpoint)
       },
       originResponse(request, response, edge) {
         if (response.ttl !== 60) throw new Error(String(response.ttl))
         if (edge.state.of !== 2 || request.path !== '/bucket/') throw new Error(request.path)
       },
       headerFilter(request) { if (request.path !== '/') throw new Error(request.path) },
     }`,
  )
  const options = ['--origin-header', 'Cache-Control: max-age=60', '--calls', '5']
  const { phases } = await bench(file, ...options)
  assert.deepEqual(
    phases.map(({ phase }) => phase),
    ['origin', 'originResponse', 'headerFilter'],
  )
  const named = ['--endpoint', 'near', '--endpoint', 'far', '--env', 'ENDPOINT=far']
  await bench(file, ...options, ...named)
})

test('people get a table, and are told which phases the request did not reach', async () => {
  const file = unit(
    'gate',
    `export default { access() { return new Response('no', { status: 403 }) }, content() { return new Response('') }, timer() {}, every: '20s' }`,
  )
  const { code, stdout, stderr } = await orla(['bench', file, '--calls', '50'])
  assert.equal(code, 0, stderr)
  assert.match(
    stdout,
    /^PHASE +CALLS +P50 µs +P99 µs +MAX µs +P99 OF 10 ms\naccess +50 .* %\ntimer +50 .* %\n$/,
  )
  assert.match(stderr, /GET \/ was answered 403 by the unit\nnot run with this request: content/)
  const only = await orla(['bench', file, '--calls', '50', '--phase', 'content'])
  assert.equal(only.code, 1)
  assert.match(only.stderr, /gate ran no phase to tell of; it ran access, timer/)
})

test('a slow unit is measured for as long as there is time', async () => {
  const file = unit(
    'slow',
    `export default { async access() { await new Promise((d) => setTimeout(d, 50)) } }`,
  )
  const { code, stdout, stderr } = await orla(['bench', file, '--for', '1s'])
  assert.equal(code, 0, stderr)
  assert.match(stdout, /access +\d{1,2} /)
  assert.match(stderr, /the time was up/)
})

for (const [name, code, told] of [
  ['types', 'export default { acess() {} }', /types\.ts:1:18: .*'access'[^]*does not build/],
  [
    'throws',
    'export default { access() { throw new Error("no") } }',
    /access: Error: no\n.*throws\.ts:1:\d+/,
  ],
  ['loops', 'export default { access() { for (;;); } }', /access failed \(cpu\)/],
  ['top', 'throw new Error("top"); export default { access() {} }', /top failed\n.*top/],
  ['none', 'export default { hosts: ["a.example.org"] }', /none/],
  [
    'crashes',
    'export default { access() { "x".repeat(2**29-24).split("") } }',
    /access failed \((?:crash|memory|cpu)\)/,
  ],
] as const) {
  test(`a unit that cannot be measured is refused with the reason: ${name}`, async () => {
    const { code: exit, stdout, stderr } = await orla(['bench', unit(name, code), '--calls', '5'])
    assert.equal(exit, 1, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, told)
  })
}

for (const [argv, told] of [
  [['--calls', '0'], /--calls takes/],
  [['--request', 'GET nowhere'], /--request takes/],
  [['--header', 'nothing'], /--header takes/],
  [['--phase', 'acces'], /--phase takes rewrite, access/],
  [['--body', '@/nowhere'], /nowhere/],
] as const) {
  test(`bench ${argv.join(' ')} is refused`, async () => {
    const { code, stderr } = await orla(['bench', 'units/hello.ts', ...argv])
    assert.ok(code === 64 || code === 1, String(code))
    assert.match(stderr, told)
  })
}
