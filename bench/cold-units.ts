/**
 * Many units on one node, few of them hot: what the first request of a cold one takes, and what memory all of them take.
 *
 *     node bench/cold-units.ts [--units 1000] [--hot 100] [--rate 200] [--cold 300] [--json]
 *
 * A real node with one worker. Every unit answers a path of its own and has about 4 KB of code. Requests to the hot ones go on all the
 * time, in turn and at a steady rate, so that each has its isolate and the machine has something to do; meanwhile cold ones are asked,
 * each once. The promise: p99 of the cold ones at most 20 ms, and memory that is bounded, not 1.2 MiB a unit. Times are wall time as
 * a client sees it, so a bare request of the same kind (a path that no unit has) is timed beside each, and CPU time of all processes is told.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { Agent, get } from 'node:http'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { proportionalBytes } from '../src/base/proc.ts'
import { cpuMicroseconds, processTree } from './peers/cpu.ts'

const { values } = parseArgs({
  options: {
    units: { type: 'string', default: '1000' },
    hot: { type: 'string', default: '100' },
    rate: { type: 'string', default: '200' },
    cold: { type: 'string', default: '300' },
    json: { type: 'boolean', default: false },
  },
})
const [units, hot, rate, cold] = [values.units, values.hot, values.rate, values.cold].map(Number) as [
  number,
  number,
  number,
  number,
]
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))
/** Deploys under way at once: most of a deploy is waiting for the disk and for processes. */
const DEPLOYS_AT_ONCE = 4

const sourceOf = (i: number): string => `
const table = ${JSON.stringify(Array.from({ length: 200 }, (_, j) => `entry ${i}-${j}`))}
export default {
  paths: ['/unit-${i}'],
  content(request) {
    return new Response(table[${i % 200}] + ' ' + request.path)
  },
}`

const folder = await mkdtemp(join(tmpdir(), 'orla-bench-cold-'))
await writeFile(
  join(folder, 'orla.config.json'),
  JSON.stringify({
    edge: { listen: '127.0.0.1:0', workers: 1 },
    control: { listen: '127.0.0.1:0', token: 'bench' },
    store: { path: './data' },
  }),
)
const node = spawn(ORLA, ['start'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

const ask = (url: string): Promise<{ ms: number; status: number }> =>
  new Promise((resolve, reject) => {
    const started = performance.now()
    get(url, { agent }, (response) => {
      response.resume()
      response.on('end', () => resolve({ ms: performance.now() - started, status: response.statusCode! }))
    }).on('error', reject)
  })

const at = (of: readonly number[], share: number): number =>
  of.toSorted((a, b) => a - b)[Math.min(of.length - 1, Math.ceil(of.length * share) - 1)] ?? Number.NaN
const mib = (pid: number): number => proportionalBytes(pid) / 2 ** 20
const named = (pid: number, what: RegExp): boolean =>
  what.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
const memory = () => {
  const of = (what: RegExp) =>
    tree()
      .filter((pid) => named(pid, what))
      .map((pid) => Math.round(mib(pid)))
  return { supervisor: Math.round(mib(supervisor)), workers: of(/^orla worker/), sandboxes: of(/sandbox/) }
}
const supervisor = node.pid!
const tree = (): number[] => processTree(supervisor)

try {
  const [edge, control] = await new Promise<[string, string]>((resolve, reject) => {
    node.on('exit', () => reject(new Error('the node did not start')))
    createInterface(node.stdout).once('line', (line) => {
      const [, first, second] = /edge=(\S+) control=(\S+)/.exec(line)!
      resolve([first!, second!])
    })
  })
  const deploy = async (i: number): Promise<void> => {
    const answer = await fetch(`${control}/v1/units/unit-${i}`, {
      method: 'PUT',
      headers: { authorization: 'Bearer bench', 'content-type': 'application/json' },
      body: JSON.stringify({ source: sourceOf(i), language: 'js' }),
    })
    if (answer.status !== 200) throw new Error(await answer.text())
    await answer.arrayBuffer()
  }
  const before = memory()
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < units) await deploy(next++)
  }
  const deployedFrom = performance.now()
  await Promise.all(Array.from({ length: DEPLOYS_AT_ONCE }, lane))
  const deployS = (performance.now() - deployedFrom) / 1000

  // Hot: each in turn, at a steady rate, until the cold ones have been asked.
  const hotMs: number[] = []
  const failed: number[] = []
  let isOver = false
  const hotLoop = (async () => {
    const started = performance.now()
    const underWay: Promise<void>[] = []
    for (let sent = 0; !isOver; sent++) {
      const dueIn = started + (sent / rate) * 1000 - performance.now()
      if (dueIn > 1) await sleep(dueIn)
      underWay.push(
        ask(`${edge}/unit-${sent % hot}`).then(({ ms, status }) => {
          hotMs.push(ms)
          if (status !== 200) failed.push(status)
        }),
      )
    }
    await Promise.all(underWay)
  })()
  await sleep(Math.max(2000, (hot / rate) * 3000))
  hotMs.length = 0
  const cpuBefore = cpuMicroseconds(tree())
  const coldMs: number[] = []
  const bareMs: number[] = []
  for (let i = 0; i < cold; i++) {
    bareMs.push((await ask(`${edge}/nobody`)).ms)
    const { ms, status } = await ask(`${edge}/unit-${hot + (i % (units - hot))}`)
    coldMs.push(ms)
    if (status !== 200) failed.push(status)
    await sleep(20)
  }
  const cpuMs = (cpuMicroseconds(tree()) - cpuBefore) / 1000
  isOver = true
  await hotLoop
  const round = (ms: number) => Math.round(ms * 10) / 10
  const spread = (of: readonly number[]) => ({
    p50: round(at(of, 0.5)),
    p99: round(at(of, 0.99)),
    max: round(at(of, 1)),
  })
  const report = {
    units,
    hot,
    load: loadavg().map(round),
    deployS: round(deployS),
    coldMs: spread(coldMs),
    hotMs: spread(hotMs),
    bareMs: spread(bareMs),
    failed: failed.length,
    cpuMsOfEachRequest: round(cpuMs / (hotMs.length + 2 * cold)),
    mibBefore: before,
    mibAfter: memory(),
  }
  console.log(values.json ? JSON.stringify(report) : report)
} finally {
  agent.destroy()
  node.kill('SIGTERM')
  await new Promise((resolve) => void (node.exitCode === null ? node.once('exit', resolve) : resolve(0)))
  await rm(folder, { recursive: true, force: true })
}
