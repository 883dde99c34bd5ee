/**
 * What telemetry costs a request: CPU time of all processes of a node with one worker, for a cached small object, without telemetry and
 * with a share of requests sampled.
 *
 *     node bench/telemetry.ts [--rounds 5] [--seconds 3]
 *
 * Needs wrk. All nodes run at once and take turns, so that what else the machine does meets each of them; the ratio to the one without
 * telemetry is made in each round, and the median of the rounds counts. The collector takes everything and is not charged.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { measureLoad } from './peers/cpu.ts'
import { median } from './peers/median.ts'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' } },
})
const ORLA = fileURLToPath(new URL('../bin/orla', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'orla-telemetry-bench-'))

let reports = 0
const behind = createServer((request, response) => {
  if (request.method === 'POST') reports += 1
  request.resume()
  response.setHeader('cache-control', 'max-age=3600').end(request.method === 'POST' ? '' : 'x'.repeat(200))
})
await new Promise<void>((resolve) => void behind.listen(0, '127.0.0.1', resolve))
const address = `http://127.0.0.1:${(behind.address() as AddressInfo).port}`

interface Rival {
  readonly name: string
  readonly child: ChildProcess
  readonly url: string
  readonly costs: number[]
}

const CASES: readonly (readonly [name: string, traces: object | undefined])[] = [
  ['no telemetry', undefined],
  ['traces, none sampled', { traces: { sample: 0 } }],
  ['traces, 1 %', { traces: { sample: 0.01 } }],
  ['traces, 100 %, http/protobuf', { traces: { sample: 1 } }],
  ['traces, 100 %, http/json', { traces: { sample: 1 }, protocol: 'http/json' }],
]

async function start(name: string, index: number, otlp: object | undefined): Promise<Rival> {
  const file = join(folder, `${index}.json`)
  writeFileSync(
    file,
    JSON.stringify({
      edge: { listen: '127.0.0.1:0', workers: 1 },
      control: { listen: '127.0.0.1:0', token: 'bench' },
      store: { path: `./data-${index}` },
      sites: [{ origin: address, cache: {} }],
      telemetry: { otlp: otlp === undefined ? false : { endpoint: address, metrics: false, ...otlp } },
    }),
  )
  const child = spawn(ORLA, ['start', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const line = await new Promise<string>((resolve) =>
    child.stdout.once('data', (text) => resolve(String(text))),
  )
  const url = /edge=(\S+)/.exec(line)?.[1]
  if (url === undefined) throw new Error(`${name} did not start: ${line}`)
  return { name, child, url: `${url}/small`, costs: [] }
}

const rivals: Rival[] = []
try {
  for (const [index, [name, otlp]] of CASES.entries()) rivals.push(await start(name, index, otlp))
  // The first round warms up.
  for (let round = -1; round < Number(values.rounds); round += 1) {
    for (const { child, url, costs } of rivals) {
      const load = await measureLoad(url, child.pid!, 64, Number(values.seconds))
      if (load.failed > 0) throw new Error(`${load.failed} requests failed`)
      if (round >= 0) costs.push(load.cpuUsPerRequest)
    }
  }
  const [{ costs: base }] = rivals as [Rival]
  for (const { name, costs } of rivals) {
    const ratio = median(costs.map((cost, round) => cost / base[round]!))
    console.log(`${name.padEnd(30)} ${median(costs).toFixed(1)} µs a request, ratio ${ratio.toFixed(2)}`)
  }
  console.log(`${reports} reports came`)
} finally {
  for (const { child } of rivals) child.kill()
  behind.close()
  behind.closeAllConnections()
  rmSync(folder, { recursive: true, force: true })
}
