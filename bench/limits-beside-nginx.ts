/**
 * What a limit by address costs a cached request, beside nginx's `limit_req`: CPU time with it less CPU time without, all processes summed.
 *
 *     node bench/limits-beside-nginx.ts [--rounds 15] [--seconds 2] [--connections 64] [--limits 1,8] [--only 'no fields']
 *
 * Needs nginx with libnginx-mod-http-lua (for the configuration that the other benches share) and wrk. Nothing is refused: a refusal is another answer,
 * and cheaper. The cost of one limit is a small part of a request, so rounds alternate between all four servers and the median of their differences
 * counts; with `--limits 8` eight limits are asked one after the other, which tells the cost of one an eighth as loudly disturbed. A ratio
 * under 1 means that ours costs less. nginx adds no fields to its answers: ours is told with `RateLimit` fields, as is the default, and without.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { measureLoad } from './peers/cpu.ts'
import { endBench } from './peers/ending.ts'
import { freePort } from './peers/free-port.ts'
import { median } from './peers/median.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '64' },
    limits: { type: 'string', default: '1,8' },
    only: { type: 'string' },
  },
})
const seconds = Number(values.seconds)
const connections = Number(values.connections)
const COUNTS = values.limits.split(',').map(Number)
const SCENARIOS = [
  { name: 'no fields', fields: 'never' },
  { name: 'with fields', fields: 'always' },
].filter(({ name }) => values.only === undefined || name === values.only)
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'orla-bench-'))
const children: ChildProcess[] = []
const names = (count: number) => Array.from({ length: count }, (_, i) => `l${count}-${i}`)

const origin = createServer((_, response) => {
  response.writeHead(200, {
    'content-type': 'text/plain',
    'content-length': 2,
    'cache-control': 'max-age=600',
  })
  response.end('ok')
})

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return child
}

/** A location for each number of limits. Its zones allow more than any client here can ask. */
function nginxConf(nginxPort: number, originPort: number): string {
  let conf = readFileSync(new URL('peers/nginx.conf', import.meta.url), 'utf8')
  const marks = { '@DIR@': folder, '@PORT@': nginxPort, '@ORIGIN@': originPort, '@WORKERS@': 1 }
  for (const [mark, by] of Object.entries(marks)) conf = conf.replaceAll(mark, String(by))
  const zones = COUNTS.flatMap(names).map(
    (zone) => `limit_req_zone $binary_remote_addr zone=${zone}:10m rate=1000000r/s;`,
  )
  const locations = COUNTS.map((count) => {
    const limits = names(count).map((zone) => `limit_req zone=${zone} burst=1000000 nodelay;`)
    return `location /limited-${count}/ { ${limits.join(' ')} proxy_cache edge; proxy_cache_lock on; proxy_pass http://origin; }`
  })
  return conf
    .replace('upstream origin', `${zones.join('\n  ')}\n  upstream origin`)
    .replace('location / {', `${locations.join('\n    ')}\n    location / {`)
}

/** A site for each number of limits, and each way to tell of them. */
function edgeConfig(originPort: number): object {
  const site = { origin: `http://127.0.0.1:${originPort}`, cache: { ram: '64mb' } }
  const limited = SCENARIOS.flatMap(({ fields }) =>
    COUNTS.map((count) => ({
      ...site,
      name: `${fields}-${count}`,
      paths: [`/limited-${count}/${fields}`],
      limits: names(count).map((name) => ({ name, rate: '1000000/s', key: 'address', fields })),
    })),
  )
  return {
    edge: { listen: '127.0.0.1:0', workers: 1 },
    control: { listen: '127.0.0.1:0', token: 'bench' },
    store: { path: join(folder, 'data') },
    sites: [site, ...limited],
  }
}

try {
  await new Promise<void>((resolve) => void origin.listen(0, '127.0.0.1', resolve))
  const originPort = (origin.address() as AddressInfo).port
  const nginxPort = await freePort()
  writeFileSync(join(folder, 'nginx.conf'), nginxConf(nginxPort, originPort))
  const nginx = start('nginx', ['-c', join(folder, 'nginx.conf')])
  writeFileSync(join(folder, 'orla.json'), JSON.stringify(edgeConfig(originPort)))
  const edge = start(ORLA, ['start', '--config', join(folder, 'orla.json')])
  const edgeUrl = await new Promise<string>((resolve) => {
    edge.stdout!.on('data', (text) => {
      const line = /ready edge=(\S+)/.exec(String(text))
      if (line) resolve(line[1]!)
    })
  })
  await sleep(1000)
  const nginxUrl = `http://127.0.0.1:${nginxPort}`
  for (const count of COUNTS) {
    for (const { name, fields } of SCENARIOS) {
      const path = `/limited-${count}/${fields}`
      const measured = [
        { url: `${nginxUrl}/plain`, pid: nginx.pid! },
        { url: `${nginxUrl}${path}`, pid: nginx.pid! },
        { url: `${edgeUrl}/plain`, pid: edge.pid! },
        { url: `${edgeUrl}${path}`, pid: edge.pid! },
      ]
      for (const { url, pid } of measured) await measureLoad(url, pid, connections, 1)
      const theirs: number[] = []
      const ours: number[] = []
      const plain: number[] = []
      let failed = 0
      for (let round = 0; round < Number(values.rounds); round += 1) {
        const cpu: number[] = []
        // Back and forth, so that a drift of the machine's speed falls on both sides.
        const order = round % 2 === 0 ? [0, 1, 2, 3] : [3, 2, 1, 0]
        for (const at of order) {
          const { url, pid } = measured[at]!
          const load = await measureLoad(url, pid, connections, seconds)
          cpu[at] = load.cpuUsPerRequest
          failed += load.failed
        }
        theirs.push((cpu[1]! - cpu[0]!) / count)
        ours.push((cpu[3]! - cpu[2]!) / count)
        plain.push(cpu[2]!)
      }
      const ratio = median(ours) / median(theirs)
      console.log(
        `${`${count} limit${count === 1 ? '' : 's'}, ${name}`.padEnd(24)} one costs: nginx ${median(theirs).toFixed(2)} µs  edge ${median(ours).toFixed(2)} µs` +
          `  ratio ${ratio.toFixed(2)}  (edge without: ${median(plain).toFixed(2)} µs, failed ${failed})`,
      )
    }
  }
} finally {
  await endBench(children, origin, folder)
}
