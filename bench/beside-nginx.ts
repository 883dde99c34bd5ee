/**
 * The edge beside nginx with Lua, on the same work, round by round, in CPU time a request, all processes summed.
 *
 *     node bench/beside-nginx.ts [--rounds 5] [--seconds 4] [--connections 64] [--only 'content unit']
 *
 * Needs nginx with libnginx-mod-http-lua, and wrk. A ratio under 1 means that the edge spends less CPU. The rounds
 * alternate, so that a machine whose speed drifts is the same for both; the median of the rounds' ratios is what counts.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { measureLoad, type Load } from './peers/cpu.ts'
import { endBench } from './peers/ending.ts'
import { freePort } from './peers/free-port.ts'
import { median } from './peers/median.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    connections: { type: 'string', default: '64' },
    only: { type: 'string' },
  },
})
const seconds = Number(values.seconds)
const connections = Number(values.connections)
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'orla-bench-'))
const children: ChildProcess[] = []

const tokenUnit = (path: string, isolation: string) => `export default {
  paths: ['${path}/*'], isolation: '${isolation}',
  rewrite(request) { request.path = request.path.slice('${path}'.length) },
  access(request, response) {
    const token = request.query.get('token') ?? request.cookies.get('superstition')
    if (token !== 'token') return new Response('forbidden', { status: 403 })
    response.headers.append('set-cookie', 'superstition=token')
  },
}`
const helloUnit = (path: string, isolation: string) => `export default {
  paths: ['${path}'], isolation: '${isolation}',
  content: (request) =>
    new Response('hello ' + (request.query.get('name') ?? 'edge'), { headers: { 'content-type': 'text/plain' } }),
}`
const UNITS: Record<string, string> = {
  token: tokenUnit('/unit', 'process'),
  'token-inline': tokenUnit('/inline', 'inline'),
  hello: helloUnit('/content', 'process'),
  'hello-inline': helloUnit('/content-inline', 'inline'),
}
const SCENARIOS = [
  { name: 'cached', nginx: '/small', edge: '/small' },
  { name: 'cached + token unit', nginx: '/unit/small?token=token', edge: '/unit/small?token=token' },
  {
    name: 'cached + token unit, inline',
    nginx: '/unit/small?token=token',
    edge: '/inline/small?token=token',
  },
  { name: 'content unit', nginx: '/content?name=orla', edge: '/content?name=orla' },
  { name: 'content unit, inline', nginx: '/content?name=orla', edge: '/content-inline?name=orla' },
  { name: 'proxied', nginx: '/nostore', edge: '/nostore' },
  { name: 'cached 1 MiB', nginx: '/1m', edge: '/1m' },
].filter(({ name }) => values.only === undefined || name === values.only)

const megabyte = Buffer.alloc(1 << 20, 'orla')
const origin = createServer((request, response) => {
  const path = request.url!.split('?')[0]
  const body = path === '/1m' ? megabyte : Buffer.from('ok')
  response.writeHead(200, {
    'content-type': 'text/plain',
    'content-length': body.length,
    etag: '"one"',
    'cache-control': path === '/nostore' ? 'no-store' : 'max-age=600',
  })
  response.end(body)
})

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return child
}

try {
  await new Promise<void>((resolve) => void origin.listen(0, '127.0.0.1', resolve))
  const originPort = (origin.address() as AddressInfo).port
  const nginxPort = await freePort()
  const marks = { '@DIR@': folder, '@PORT@': nginxPort, '@ORIGIN@': originPort, '@WORKERS@': 1 }
  let conf = readFileSync(new URL('peers/nginx.conf', import.meta.url), 'utf8')
  for (const [mark, by] of Object.entries(marks)) conf = conf.replaceAll(mark, String(by))
  writeFileSync(join(folder, 'nginx.conf'), conf)
  const nginx = start('nginx', ['-c', join(folder, 'nginx.conf')])

  const config = {
    edge: { listen: '127.0.0.1:0', workers: 1 },
    control: { listen: '127.0.0.1:0', token: 'bench' },
    store: { path: join(folder, 'data') },
    sites: [{ origin: `http://127.0.0.1:${originPort}`, cache: { ram: '64mb' } }],
  }
  writeFileSync(join(folder, 'orla.json'), JSON.stringify(config))
  const edge = start(ORLA, ['start', '--config', join(folder, 'orla.json')])
  const [, edgeUrl, control] = await new Promise<RegExpExecArray>((resolve) => {
    edge.stdout!.on('data', (text) => {
      const line = /ready edge=(\S+) control=(\S+)/.exec(String(text))
      if (line) resolve(line)
    })
  })
  for (const [name, source] of Object.entries(UNITS)) {
    const file = join(folder, `${name}.ts`)
    writeFileSync(file, source)
    await promisify(execFile)(ORLA, ['deploy', file, '--control', control!, '--token', 'bench'])
  }
  // What was warmed up for a deploy is not part of a request.
  await sleep(1000)

  for (const { name, ...paths } of SCENARIOS) {
    const nginxUrl = `http://127.0.0.1:${nginxPort}${paths.nginx}`
    const ourUrl = `${edgeUrl}${paths.edge}`
    for (const [url, pid] of [
      [nginxUrl, nginx.pid!],
      [ourUrl, edge.pid!],
    ] as const)
      await measureLoad(url, pid, connections, 2)
    const rounds: { readonly theirs: Load; readonly ours: Load; readonly ratio: number }[] = []
    for (let round = 0; round < Number(values.rounds); round += 1) {
      const theirs = await measureLoad(nginxUrl, nginx.pid!, connections, seconds)
      const ours = await measureLoad(ourUrl, edge.pid!, connections, seconds)
      rounds.push({ theirs, ours, ratio: ours.cpuUsPerRequest / theirs.cpuUsPerRequest })
    }
    const figure = (pick: (round: (typeof rounds)[number]) => number) => median(rounds.map(pick)).toFixed(2)
    const failed = rounds.reduce((sum, { theirs, ours }) => sum + theirs.failed + ours.failed, 0)
    console.log(
      `${name.padEnd(28)} nginx ${figure((r) => r.theirs.cpuUsPerRequest)} µs  edge ${figure((r) => r.ours.cpuUsPerRequest)} µs` +
        `  ratio ${figure((r) => r.ratio)}  (${rounds.map((r) => r.ratio.toFixed(2)).join(' ')})  failed ${failed}`,
    )
  }
} finally {
  await endBench(children, origin, folder)
}
