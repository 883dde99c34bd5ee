/**
 * HTTPS, HTTP/2 and handshakes beside nginx: CPU time of the worker a request, for the same cached object.
 *
 *     node bench/tls-beside-nginx.ts [seconds]
 *
 * Needs nginx, h2load (nghttp2-client), wrk and openssl. Both run one worker, on loopback, with the same P-256 certificate.
 */
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const seconds = Number(process.argv[2] ?? 4)
const folder = mkdtempSync(join(tmpdir(), 'orla-tls-bench-'))
// nginx's worker is another user where its master is root.
chmodSync(folder, 0o755)
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))

const origin = createServer((_request, response) => {
  response.setHeader('cache-control', 'max-age=3600').end('x'.repeat(200))
})
await new Promise<void>((resolve) => void origin.listen(0, '127.0.0.1', resolve))
const originPort = (origin.address() as AddressInfo).port

async function freePort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => void server.close(() => resolve()))
  return port
}

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

/** Runs a client, and returns what it did and the CPU milliseconds it cost the server. */
function measure(
  { pid }: Rival,
  command: string,
  args: string[],
  count: RegExp,
): { done: number; ms: number } {
  const before = cpuOf(pid)
  const { stdout } = spawnSync(command, args, { encoding: 'utf8', timeout: 120_000 })
  return { done: Number(count.exec(stdout)?.[1]), ms: cpuOf(pid) - before }
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
  for (let round = 1; round <= 2; round += 1) {
    for (const rival of rivals) {
      const url = `https://127.0.0.1:${rival.port}/a`
      const h2 = await measure(
        rival,
        'h2load',
        ['-n', '100000', '-c', '2', '-m', '100', '-t', '1', url],
        /(\d+) succeeded/,
      )
      const h1 = await measure(rival, 'wrk', ['-t1', '-c64', `-d${seconds}`, url], /(\d+) requests in/)
      const connect = [
        's_time',
        '-connect',
        `127.0.0.1:${rival.port}`,
        '-new',
        '-time',
        String(seconds),
        '-tls1_3',
      ]
      const tls = await measure(rival, 'openssl', connect, /^(\d+) connections in \d+ real/m)
      process.stdout.write(
        `${rival.name}: HTTP/2 ${((h2.ms * 1000) / h2.done).toFixed(1)} µs, HTTPS ${((h1.ms * 1000) / h1.done).toFixed(1)} µs, ` +
          `${Math.round(tls.done / (tls.ms / 1000))} handshakes a CPU second\n`,
      )
    }
  }
} finally {
  nginx.stop()
  edge.stop()
  origin.close()
  setTimeout(() => rmSync(folder, { recursive: true, force: true }), 500)
}
