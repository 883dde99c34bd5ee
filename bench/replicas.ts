/**
 * A control plane that feeds many replicas: how soon a publish reaches the slowest of them, and what a connection costs.
 *
 *     node bench/replicas.ts [--replicas 1000] [--publishes 20] [--json]
 *
 * A real node, and light clients with a real connection each, in another process: they read what they are told and say that they have it, as an
 * edge does. Promised: 1,000 are reached in 2 s, and a connection takes 100 KiB of the control plane's memory at most.
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { Agent, request, type IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { proportionalBytes } from '../src/base/proc.ts'
import { EventReader } from '../src/base/server-events.ts'
import type { EdgeHello, EdgeReport } from '../src/contract/replication.ts'
import type { LogEntry, Position } from '../src/contract/store.ts'
import { cpuMicroseconds } from './peers/cpu.ts'
import { round, spread, startBenchNode, TOKEN } from './peers/node.ts'

const { values } = parseArgs({
  options: {
    replicas: { type: 'string', default: '1000' },
    publishes: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
    clients: { type: 'string' },
  },
})

if (values.clients === undefined) await main(Number(values.replicas), Number(values.publishes))
else await clients(values.clients, Number(values.replicas))

async function main(replicas: number, publishes: number): Promise<void> {
  const node = await startBenchNode({ store: { path: './data' } })
  await node.call('PUT', '/v1/units/bench', { source: source(0) })
  await sleep(2000)
  const before = proportionalBytes(node.pid)
  const others = fork(fileURLToPath(import.meta.url), [
    '--clients',
    node.control,
    '--replicas',
    String(replicas),
  ])
  const told = (kind: string) =>
    new Promise<{ readonly [key: string]: unknown }>((resolve) => {
      const listener = (message: { readonly kind: string }) => {
        if (message.kind !== kind) return
        others.off('message', listener)
        resolve(message)
      }
      others.on('message', listener)
    })
  await told('connected')
  // What came up for the connects is let go of before it is measured.
  await sleep(5000)
  const kibOfEach = (proportionalBytes(node.pid) - before) / replicas / 1024
  const slowestMs: number[] = []
  const deployMs: number[] = []
  let cpuMs = 0
  for (let n = 1; n <= publishes; n++) {
    const cpuBefore = cpuMicroseconds([node.pid])
    const startedAt = performance.now()
    const everywhere = told('reached').then(() => slowestMs.push(performance.now() - startedAt))
    await node.call('PUT', '/v1/units/bench', { source: source(n), wait: 'all', timeoutMs: 60_000 })
    deployMs.push(performance.now() - startedAt)
    await everywhere
    cpuMs += (cpuMicroseconds([node.pid]) - cpuBefore) / 1000
  }
  others.disconnect()
  await node.stop()
  const report = {
    replicas,
    publishes,
    slowestMs: spread(slowestMs),
    acknowledgedMs: spread(deployMs),
    cpuMsOfAPublish: round(cpuMs / publishes),
    kibOfAConnection: round(kibOfEach),
  }
  console.log(values.json ? JSON.stringify(report) : report)
}

function source(n: number): string {
  return `/** ${n} */\nexport default { content: () => new Response('${n} ${'x'.repeat(2000)}') }`
}

/** In the other process. Tells it when all are connected, and each time all of them have what is newest. */
async function clients(control: string, replicas: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const behind = new Map<number, Set<number>>()
  const arrived = (id: number, replica: number) => {
    let missing = behind.get(id)
    if (!missing) behind.set(id, (missing = new Set(Array.from({ length: replicas }, (_, index) => index))))
    missing.delete(replica)
    if (missing.size > 0) return
    behind.delete(id)
    process.send!({ kind: 'reached', id })
  }
  const first = await position(control)
  const connected: Promise<unknown>[] = []
  for (let index = 0; index < replicas; index++) {
    connected.push(connect(control, index, first, agent, arrived))
    if (index % 50 === 49) await Promise.all(connected)
  }
  await Promise.all(connected)
  process.send!({ kind: 'connected' })
  process.on('disconnect', () => process.exit(0))
}

async function position(control: string): Promise<Position> {
  const response = await fetch(`${control}/v1/snapshot`, { headers: { authorization: `Bearer ${TOKEN}` } })
  return ((await response.json()) as { position: Position }).position
}

async function connect(
  control: string,
  index: number,
  from: Position,
  agent: Agent,
  onEntries: (id: number, replica: number) => void,
): Promise<void> {
  const name = `replica-${index}`
  const instance = randomBytes(16).toString('hex')
  const hello: EdgeHello = {
    protocol: 1,
    name,
    instance,
    groups: [],
    addresses: [],
    version: 'bench',
    positions: { units: from },
  }
  const response = await post(control, '/v1/edges/follow', hello, new Agent())
  const reader = new EventReader()
  const report = (live: Position) => {
    const said: EdgeReport = {
      name,
      instance,
      live,
      stored: live,
      epoch: live.id,
      enabled: true,
      workers: { live: 1, of: 1 },
    }
    post(control, '/v1/edges/report', said, agent).then(
      (answer) => answer.resume(),
      () => process.exit(1),
    )
  }
  report(from)
  response.on('data', (chunk: Uint8Array) => {
    for (const { event, data } of reader.push(chunk)) {
      if (event !== 'entries') continue
      const { log, entries } = JSON.parse(data) as { log: string; entries: readonly LogEntry[] }
      const last = entries.at(-1)
      if (log !== 'units' || !last) continue
      onEntries(last.id, index)
      report({ log: from.log, id: last.id, hash: last.hash })
    }
  })
  response.on('close', () => process.exit(1))
}

function post(control: string, path: string, body: object, agent: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, control), {
      method: 'POST',
      agent,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    })
    asked.on('response', (response) => {
      if (response.statusCode === 200) resolve(response)
      else reject(new Error(`${path}: ${response.statusCode}`))
    })
    asked.on('error', reject)
    asked.end(JSON.stringify(body))
  })
}
