/**
 * HTTPS, HTTP/2 and handshakes beside nginx: CPU time of the worker a request, for the same cached object.
 *
 *     node bench/tls-beside-nginx.ts [--rounds 5] [--seconds 2]
 *
 * The rounds alternate; the median of their ratios counts, and the lowest figure of each is shown.
 * Needs nginx, h2load (nghttp2-client), wrk and openssl. Both run one worker, on loopback, with the same P-256 certificate.
 */
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from './peers/free-port.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' } },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const folder = mkdtempSync(join(tmpdir(), 'orla-tls-bench-'))
// nginx's worker is another user where its master is root.
chmodSync(folder, 0o755)
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))

const origin = createServer((_request, response) => {
  response.setHeader('cache-control', 'max-age=3600').end('x'.repeat(200))
})
await new Promise<void>((resolve) => void origin.listen(0, '127.0.0.1', resolve))
const originPort = (origin.address() as AddressInfo).port

const cert = join(folder, 'cert.pem')
const key = join(folder, 'key.pem')
const make =
  'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=a.test -addext subjectAltName=DNS:a.test'
execFileSync('openssl', [...make.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' })

/** In milliseconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

const childrenOf = (pid: number): number[] =>
  spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean)
    .map(Number)

interface Rival {
  readonly name: string
  readonly pid: number
  readonly port: number
}

async function startNginx(): Promise<{ rival: Rival; stop: () => void }> {
  const port = await freePort()
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
     events { worker_connections 4096; }
     http { access_log off; proxy_cache_path ${folder}/cache keys_zone=c:10m; keepalive_requests 100000000; open_file_cache max=1000;
       ssl_session_cache shared:s:10m; ssl_protocols TLSv1.2 TLSv1.3;
       server { listen 127.0.0.1:${port} ssl http2; ssl_certificate ${cert}; ssl_certificate_key ${key};
         location / { proxy_pass http://127.0.0.1:${originPort}; proxy_cache c; proxy_cache_valid 200 10m; } } }`,
  )
  const child = spawn('nginx', ['-c', file, '-p', folder, '-g', 'daemon off;'], { stdio: 'ignore' })
  const pid = await waitFor(() => childrenOf(child.pid!)[0])
  return { rival: { name: 'nginx', pid, port }, stop: () => void child.kill() }
}

async function startEdge(): Promise<{ rival: Rival; stop: () => void }> {
  const port = await freePort()
  const config = {
    edge: { listen: { address: `127.0.0.1:${port}`, tls: { certificates: [{ cert, key }] } } },
    control: { listen: '127.0.0.1:0' },
    sites: [{ origin: `http://127.0.0.1:${originPort}`, cache: {} }],
  }
  writeFileSync(join(folder, 'orla.config.json'), JSON.stringify(config))
  const child = spawn(ORLA, ['start'], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  const isWorker = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('orla worker')
  const all = (pid: number): number[] => childrenOf(pid).flatMap((below) => [below, ...all(below)])
  const pid = await waitFor(() => all(child.pid!).find(isWorker))
  return { rival: { name: 'orla', pid, port }, stop: () => void child.kill() }
}

async function waitFor<T>(find: () => T | undefined): Promise<T> {
  for (;;) {
    const found = find()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Beside us, not instead of us: the origin is in this process. `s_time` ends with 1 whatever happened. */
const run = (command: string, args: string[]): Promise<{ code: number; stdout: string }> =>
  new Promise((resolve) => {
    execFile(command, args, { timeout: 120_000 }, (error, stdout) =>
      resolve({ code: error === null ? 0 : 1, stdout }),
    )
  })

/** Runs a client, and returns the CPU time that each of what it counts cost the server, in microseconds. */
function measure({ pid }: Rival, command: string, args: string[], count: RegExp): number {
  const before = cpuOf(pid)
  const { stdout } = spawnSync(command, args, { encoding: 'utf8', timeout: 120_000 })
  return ((cpuOf(pid) - before) * 1000) / Number(count.exec(stdout)?.[1])
}

const nginx = await startNginx()
const edge = await startEdge()
const rivals = [nginx.rival, edge.rival]
try {
  for (const { name, port } of rivals) {
    const url = `https://127.0.0.1:${port}/a`
    while ((await run('curl', ['-skf', '-o', '/dev/null', url])).code !== 0)
      await new Promise((resolve) => setTimeout(resolve, 50))
    process.stderr.write(`${name} serves\n`)
  }
  const url = ({ port }: Rival) => `https://127.0.0.1:${port}/a`
  const h2load = ['-D', String(seconds), '-c', '2', '-m', '100', '-t', '1']
  const sTime = ['s_time', '-new', '-tls1_3', '-time', String(seconds), '-connect']
  const work: readonly (readonly [name: string, measure: (rival: Rival) => number])[] = [
    ['HTTP/2', (rival) => measure(rival, 'h2load', [...h2load, url(rival)], /(\d+) succeeded/)],
    [
      'HTTPS, HTTP/1.1',
      (rival) => measure(rival, 'wrk', ['-t1', '-c64', `-d${seconds}`, url(rival)], /(\d+) requests in/),
    ],
    [
      'handshake, TLS 1.3',
      (rival) =>
        measure(rival, 'openssl', [...sTime, `127.0.0.1:${rival.port}`], /^(\d+) connections in \d+ real/m),
    ],
  ]
  const figures = work.map(() => rivals.map((): number[] => []))
  // The first round makes everybody warm.
  for (let round = 0; round <= rounds; round += 1)
    for (const [of, [, cost]] of work.entries())
      for (const [who, rival] of rivals.entries()) {
        const us = cost(rival)
        if (round > 0) figures[of]![who]!.push(us)
      }
  for (const [of, [name]] of work.entries()) {
    const [theirs, ours] = figures[of] as [number[], number[]]
    const ratios = ours.map((us, round) => us / theirs[round]!).toSorted((a, b) => a - b)
    const median = ratios[ratios.length >> 1]!
    process.stdout.write(
      `${name.padEnd(20)} nginx ${Math.min(...theirs).toFixed(1)} µs  edge ${Math.min(...ours).toFixed(1)} µs  ` +
        `ratio ${median.toFixed(2)}  (${ratios.map((ratio) => ratio.toFixed(2)).join(' ')})\n`,
    )
  }
} finally {
  nginx.stop()
  edge.stop()
  origin.close()
  setTimeout(() => rmSync(folder, { recursive: true, force: true }), 500)
}
