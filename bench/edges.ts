/**
 * From a publish to live on every edge: whole nodes on this machine, one control plane and edges that follow it.
 *
 *     node bench/edges.ts [--edges 20] [--publishes 50] [--json]
 *
 * "Live" is not only what the control plane says: after each publish every edge is asked, and has to answer by the new version. Promised: p99 at
 * most 500 ms for 20 edges, and without any (`--edges 0`) p50 at most 30 ms and p99 at most 100 ms.
 */
import { parseArgs } from 'node:util'
import { type BenchNode, round, spread, startBenchNode, TOKEN } from './peers/node.ts'

const { values } = parseArgs({
  options: {
    edges: { type: 'string', default: '20' },
    publishes: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
  },
})
const publishes = Number(values.publishes)

const source = (n: number): string => `export default { content: () => new Response('version ${n}') }`

const control = await startBenchNode({ store: { path: './data' }, control: { warmChecker: true } })
const edges: BenchNode[] = []
try {
  await control.call('PUT', '/v1/units/bench', { source: source(0) })
  for (let n = 0; n < Number(values.edges); n++) {
    const store = { kind: 'replica', path: './data', control: control.control, token: TOKEN }
    edges.push(await startBenchNode({ store, node: { name: `edge-${n}` } }))
  }
  const everywhereMs: number[] = []
  const liveMs: number[] = []
  for (let n = 1; n <= publishes; n++) {
    const startedAt = performance.now()
    const answer = (await control.call('PUT', '/v1/units/bench', { source: source(n) })) as {
      readonly edges?: { readonly live: number; readonly ms: number }
      readonly timings: { readonly storeMs?: number; readonly flipMs?: number }
    }
    everywhereMs.push(performance.now() - startedAt)
    liveMs.push(answer.edges?.ms ?? (answer.timings.storeMs ?? 0) + (answer.timings.flipMs ?? 0))
    for (const { edge } of [control, ...edges]) {
      const text = await (await fetch(`${edge}/`)).text()
      if (text !== `version ${n}`) throw new Error(`${edge} answered ${text} after ${n} was live`)
    }
  }
  const listed = (await control.call('GET', '/v1/edges')) as {
    readonly liveMs?: { readonly p50: number; readonly p99: number }
  }[]
  const ofEdges = listed.flatMap((edge) => (edge.liveMs ? [edge.liveMs] : []))
  const report = {
    edges: edges.length,
    publishes,
    /** As whoever publishes sees it: built, checked, tried, appended, live everywhere. */
    publishMs: spread(everywhereMs),
    /** From the append to the last edge that runs it. */
    commitToLiveMs: spread(liveMs),
    slowestEdge: {
      p50: round(Math.max(...ofEdges.map(({ p50 }) => p50))),
      p99: round(Math.max(...ofEdges.map(({ p99 }) => p99))),
    },
  }
  console.log(values.json ? JSON.stringify(report) : report)
} finally {
  await Promise.all([control, ...edges].map((node) => node.stop()))
}
