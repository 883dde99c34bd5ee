/**
 * The workers of a node as one cache: what 1, 2 and 4 of them ask of the origin for the same requests, and the CPU time they spend.
 *
 *     node bench/siblings.ts [--requests 20000] [--keys 5000] [--bytes 2000] [--workers 1,2,4]
 *
 * The same sequence of keys (popular ones more often, from a seed) goes to each node over many connections, so that it spreads over
 * the workers. Two rounds: the first fills the caches, the second shows what a worker has or is given by a sibling. The number to look
 * at is the origin's requests: as many as there are keys, however many workers; and the CPU time a request beside that of one worker.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    keys: { type: 'string', default: '5000' },
    bytes: { type: 'string', default: '2000' },
    workers: { type: 'string', default: '1,2,4' },
  },
})
const [requests, keys, bytes] = [Number(values.requests), Number(values.keys), Number(values.bytes)]
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))
const CONNECTIONS = 64
/** Clock ticks a second, as Linux tells CPU time. */
const TICKS = 100

let asked = 0
const body = Buffer.alloc(bytes, 'x')
const origin = createServer((_, response) => {
  asked += 1
  response.writeHead(200, { 'cache-control': 'max-age=3600', 'content-length': bytes })
  response.end(body)
})
await new Promise<void>((resolve) => void origin.listen(0, '127.0.0.1', resolve))
const { port } = origin.address() as AddressInfo

/** Numbers from 0 to before 1, the same in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

function cpuSeconds(root: number): number {
  let ticks = 0
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const isWorker = readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('worker')
      if (Number(fields[1]) === root && isWorker) ticks += Number(fields[11]) + Number(fields[12])
    } catch {
      // It has ended.
    }
  }
  return ticks / TICKS
}

async function run(url: string, count: number, random: () => number): Promise<Record<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const kinds: Record<string, number> = {}
  let left = count
  const one = (path: string) =>
    new Promise<void>((resolve, reject) => {
      get(url + path, { agent }, (answer) => {
        const status = String(answer.headers['cache-status'])
        const kind = status.includes('detail=sibling')
          ? 'sibling'
          : status.includes('collapsed')
            ? 'collapsed'
            : status.includes('hit')
              ? 'hit'
              : 'miss'
        kinds[kind] = (kinds[kind] ?? 0) + 1
        answer.resume().on('end', resolve).on('error', reject)
      }).on('error', reject)
    })
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (left-- > 0) await one(`/${Math.floor(random() ** 3 * keys)}`)
    }),
  )
  agent.destroy()
  return kinds
}

for (const workers of values.workers.split(',').map(Number)) {
  const folder = mkdtempSync(join(tmpdir(), 'orla-bench-'))
  const config = {
    edge: { listen: '127.0.0.1:0', workers },
    control: { listen: '127.0.0.1:0', token: 'bench', warmChecker: false },
    store: { path: './data' },
    sites: [{ hosts: ['*'], origin: `http://127.0.0.1:${port}`, cache: { ram: '512mb' } }],
  }
  writeFileSync(join(folder, 'orla.config.json'), JSON.stringify(config))
  const node = spawn(ORLA, ['start'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((resolve) => {
    let out = ''
    node.stdout.on('data', (piece) => {
      out += String(piece)
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(out)
      if (found !== null) resolve(found[0])
    })
  })
  const random = seeded(5)
  for (const round of ['cold', 'warm']) {
    asked = 0
    const before = cpuSeconds(node.pid!)
    const kinds = await run(url, requests, random)
    const cpuUs = ((cpuSeconds(node.pid!) - before) / requests) * 1e6
    const share = (kind: string) => `${kind} ${(((kinds[kind] ?? 0) / requests) * 100).toFixed(1)} %`
    const shares = ['hit', 'sibling', 'collapsed', 'miss'].map(share).join(', ')
    console.log(
      `${workers} workers, ${round}: ${asked} requests to the origin; ${shares}; ${cpuUs.toFixed(0)} µs CPU a request`,
    )
  }
  node.kill('SIGTERM')
  await new Promise((resolve) => node.on('exit', resolve))
  rmSync(folder, { recursive: true, force: true })
}
origin.close()
