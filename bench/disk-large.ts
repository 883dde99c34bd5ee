/**
 * Objects from the tier on disk beside nginx from its disk cache, round by round, in CPU time a byte, all processes summed.
 *
 *     node bench/disk-large.ts [--rounds 5] [--megabytes 64] [--requests 40]
 *
 * Needs nginx. Both fetch the object once from an origin and then send it from their disk (which by then is the page cache) to one client
 * after the other; the edge may not keep it in memory. A ratio under 1 means that the edge spends less CPU; the goal for 64 MiB is 1.3.
 * Small ones: `--megabytes 0.01 --requests 3000` (a row of the index), `--megabytes 1 --requests 500` (a file that is read whole).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { Agent, createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cpuMicroseconds, processTree } from './peers/cpu.ts'
import { endBench } from './peers/ending.ts'
import { freePort } from './peers/free-port.ts'
import { median } from './peers/median.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    megabytes: { type: 'string', default: '64' },
    requests: { type: 'string', default: '40' },
  },
})
const BYTES = Math.round(Number(values.megabytes) * 1024 * 1024)
const REQUESTS = Number(values.requests)
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'orla-large-'))
const children: ChildProcess[] = []

const body = Buffer.alloc(BYTES, 'a large object ')
const origin = createServer((_, response) =>
  response.writeHead(200, { 'cache-control': 'max-age=3600', 'content-length': BYTES }).end(body),
)
await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve))
const originPort = (origin.address() as AddressInfo).port

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return child
}

const nginxConf = (port: number) => `
daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log; user root;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  proxy_cache_path ${folder}/nginx levels=1:2 keys_zone=disk:10m max_size=10g use_temp_path=off;
  proxy_temp_path ${folder}/temp;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${originPort}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache disk; proxy_cache_valid 200 1h; proxy_max_temp_file_size 2048m;
    }
  }
}`

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

/** One after the other, read and thrown away. Throws where a body is not whole. */
function fetchOnce(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => (bytes += chunk.length))
      response.on('end', () => (bytes === BYTES ? resolve() : reject(new Error(`${url}: ${bytes} bytes`))))
      response.on('error', reject)
    }).on('error', reject)
  })
}

async function nanosecondsAByte(url: string, pid: number): Promise<number> {
  const before = cpuMicroseconds(processTree(pid))
  for (let request = 0; request < REQUESTS; request++) await fetchOnce(url)
  return ((cpuMicroseconds(processTree(pid)) - before) * 1000) / (REQUESTS * BYTES)
}

try {
  const port = await freePort()
  writeFileSync(join(folder, 'nginx.conf'), nginxConf(port))
  const nginx = start('nginx', ['-c', join(folder, 'nginx.conf')])
  const config = {
    edge: { listen: '127.0.0.1:0', workers: 1 },
    control: { listen: '127.0.0.1:0', token: 'bench', warmChecker: false },
    store: { path: join(folder, 'data') },
    sites: [
      {
        origin: `http://127.0.0.1:${originPort}`,
        cache: { disk: '10gb', ram: '16mb', objectBytes: `${BYTES >> 1}b` },
      },
    ],
  }
  writeFileSync(join(folder, 'orla.json'), JSON.stringify(config))
  const edge = start(ORLA, ['start', '--config', join(folder, 'orla.json')])
  const edgeUrl = await new Promise<string>((resolve) => {
    edge.stdout!.on('data', (text) => {
      const line = /ready edge=(\S+)/.exec(String(text))
      if (line) resolve(line[1]!)
    })
  })
  const targets = [
    [`http://127.0.0.1:${port}/large`, nginx.pid!],
    [`${edgeUrl}/large`, edge.pid!],
  ] as const
  for (const [url] of targets) for (let warm = 0; warm < 10; warm++) await fetchOnce(url)
  const rounds: { theirs: number; ours: number }[] = []
  for (let round = 0; round < Number(values.rounds); round++) {
    const [theirs, ours] = [await nanosecondsAByte(...targets[0]), await nanosecondsAByte(...targets[1])]
    rounds.push({ theirs, ours })
  }
  const ratios = rounds.map(({ theirs, ours }) => ours / theirs)
  console.log(
    `${values.megabytes} MiB from disk: nginx ${median(rounds.map((r) => r.theirs)).toFixed(4)} ns a byte, ` +
      `edge ${median(rounds.map((r) => r.ours)).toFixed(4)} (${((median(rounds.map((r) => r.ours)) * BYTES) / 1000).toFixed(1)} µs a request), ratio ${median(ratios).toFixed(2)} (${ratios.map((ratio) => ratio.toFixed(2)).join(' ')})`,
  )
} finally {
  await endBench(children, origin, folder)
}
