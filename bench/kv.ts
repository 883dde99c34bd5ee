/**
 * What `edge.kv` costs: the time of a `get` as the unit sees it, and the CPU time of an `increment`, all processes of the node summed.
 *
 *     node bench/kv.ts [--seconds 3]
 *
 * A real node with one worker. Units do the work in a loop, so that requests are few and their cost does not count: `get` one after the
 * other, with nothing to batch; `increment` 64 at a time, as under load. The unit has whole milliseconds alone, so a run of
 * gets is timed from outside, as the difference between a request that makes many and one that makes none.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { cpuMicroseconds, processTree } from './peers/cpu.ts'

const seconds = Number(process.argv[process.argv.indexOf('--seconds') + 1]) || 3
const ORLA = new URL('../bin/orla', import.meta.url).pathname

const UNIT = `export default {
  paths: ['/kv/*'],
  limits: { wallMs: 60000, cpuMs: 1000 },
  async content(request, edge) {
    const count = Number(request.query.get('count') ?? 0)
    if (request.path === '/kv/get') {
      await edge.kv.put('key', 'value')
      for (let i = 0; i < count; i++) await edge.kv.get('key')
    } else {
      const one = async (start) => {
        for (let i = start; i < count; i += 64) await edge.kv.increment('counter-' + (i % 16))
      }
      await Promise.all(Array.from({ length: 64 }, (_, start) => one(start)))
    }
    return new Response('done')
  },
}`

const folder = await mkdtemp(join(tmpdir(), 'orla-bench-kv-'))
await writeFile(
  join(folder, 'orla.config.json'),
  JSON.stringify({
    edge: { listen: '127.0.0.1:0', workers: 1 },
    control: { listen: '127.0.0.1:0', token: 'bench' },
    store: { path: './data' },
  }),
)
const node = spawn(ORLA, ['start'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
const [line] = (await new Promise((resolve) => {
  createInterface(node.stdout).once('line', (text) => resolve([text]))
})) as [string]
const [, edge, control] = /edge=(\S+) control=(\S+)/.exec(line)!
const answer = await fetch(`${control}/v1/units/kv`, {
  method: 'PUT',
  headers: { authorization: 'Bearer bench', 'content-type': 'application/json' },
  body: JSON.stringify({ source: UNIT, language: 'js' }),
})
if (answer.status !== 200) throw new Error(await answer.text())

const run = async (what: string, count: number): Promise<number> => {
  const started = performance.now()
  const text = await (await fetch(`${edge}/kv/${what}?count=${count}`)).text()
  if (text !== 'done') throw new Error(text)
  return performance.now() - started
}

// One get at a time: runs of 20, so that a run is short beside a scheduler's turn, and the median of them.
for (let i = 0; i < 100; i++) await run('get', 20)
const gets: number[] = []
const bare: number[] = []
const getsEnd = performance.now() + seconds * 1000
while (performance.now() < getsEnd) {
  bare.push(await run('get', 0))
  gets.push(await run('get', 20))
}
const at = (of: number[], share: number) => of.toSorted((a, b) => a - b)[Math.floor(of.length * share)]!
const base = at(bare, 0.5)
const us = (share: number) => (((at(gets, share) - base) / 20) * 1000).toFixed(0)
console.log(`get: p50 ${us(0.5)} µs, p90 ${us(0.9)} µs, over runs of 20, ${gets.length} runs`)

await run('increment', 5000)
const before = cpuMicroseconds(processTree(node.pid!)) / 1e6
let count = 0
const end = performance.now() + seconds * 1000
while (performance.now() < end) {
  await run('increment', 5000)
  count += 5000
}
const cpuSeconds = cpuMicroseconds(processTree(node.pid!)) / 1e6 - before
console.log(
  `increment: ${Math.round(count / cpuSeconds)} a CPU second, ${((cpuSeconds / count) * 1e6).toFixed(1)} µs each, ${count} made`,
)

node.kill('SIGTERM')
await new Promise((resolve) => node.once('exit', resolve))
await rm(folder, { recursive: true, force: true })
