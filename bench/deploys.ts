/**
 * From a deploy to live on all workers: the time that `PUT /v1/units/NAME` takes, as its caller sees it, on a running node.
 *
 *     node bench/deploys.ts [--control http://127.0.0.1:8081] [--token T] [--edge http://127.0.0.1:8080] [--count 200] [--json]
 *
 * Small units, each deploy a new text, over ten names in turn, one after the other. With --edge every deploy is followed
 * by a request that must be answered by the new version: "live" is not only what the control plane says. The promise: p99 at
 * most 100 ms, and the first deploy after the start of a node at most 1 s (run it against a fresh node to see that one).
 * The units are removed afterwards.
 */
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    control: { type: 'string', default: process.env['ORLA_CONTROL'] ?? 'http://127.0.0.1:8081' },
    token: { type: 'string', default: process.env['ORLA_TOKEN'] ?? '' },
    edge: { type: 'string' },
    count: { type: 'string', default: '200' },
    json: { type: 'boolean', default: false },
  },
})
const NAMES = 10

interface Change {
  readonly version: number
  readonly live: { readonly workers: number; readonly of: number }
  readonly timings: Readonly<Record<string, number>>
}

async function call(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${values.control}${path}`, {
    method,
    headers: { authorization: `Bearer ${values.token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const answer: unknown = await response.json()
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
  return answer
}

const pathOf = (i: number) => `/bench-deploys/${i % NAMES}`
const nameOf = (i: number) => `bench-deploys-${i % NAMES}`

async function deploy(i: number): Promise<{ ms: number; change: Change }> {
  const source = `/** Deploy ${i}. */
export default {
  paths: ["${pathOf(i)}"],
  content(request) {
    return new Response("deploy ${i} of " + request.path)
  },
}
`
  const start = performance.now()
  const change = (await call('PUT', `/v1/units/${nameOf(i)}`, { source })) as Change
  const ms = performance.now() - start
  if (change.live.workers !== change.live.of)
    throw new Error(`live on ${change.live.workers} of ${change.live.of}`)
  if (values.edge !== undefined) await expectLive(i, values.edge)
  return { ms, change }
}

async function expectLive(i: number, edge: string): Promise<void> {
  const expected = `deploy ${i} of ${pathOf(i)}`
  const text = await (await fetch(`${edge}${pathOf(i)}`)).text()
  if (text !== expected)
    throw new Error(`answered ${JSON.stringify(text.slice(0, 200))} instead of "${expected}"`)
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * q) - 1)] ?? Number.NaN
const round = (ms: number) => Math.round(ms * 10) / 10

// The first `fetch` of a process loads it, which takes a quarter of a second.
await call('GET', '/v1/units')

const results: Awaited<ReturnType<typeof deploy>>[] = []
for (let i = 0; i < Number(values.count); i += 1) results.push(await deploy(i))
for (let i = 0; i < Math.min(NAMES, Number(values.count)); i += 1)
  await call('DELETE', `/v1/units/${nameOf(i)}`)

const times = results.map(({ ms }) => ms).toSorted((a, b) => a - b)
const steps = Object.keys(results.at(-1)?.change.timings ?? {})
const report = {
  deploys: results.length,
  workers: results[0]?.change.live.of,
  firstMs: round(results[0]?.ms ?? Number.NaN),
  p50Ms: round(quantile(times, 0.5)),
  p99Ms: round(quantile(times, 0.99)),
  maxMs: round(times.at(-1) ?? Number.NaN),
  p50OfStepsMs: Object.fromEntries(
    steps.map((step) => {
      const own = results.map(({ change }) => change.timings[step] ?? 0).toSorted((a, b) => a - b)
      return [step, round(quantile(own, 0.5))]
    }),
  ),
}
if (values.json) console.log(JSON.stringify(report))
else {
  console.log(`${report.deploys} deploys to ${report.workers} workers, one after the other`)
  console.log(
    `p50 ${report.p50Ms} ms, p99 ${report.p99Ms} ms, slowest ${report.maxMs} ms; the first took ${report.firstMs} ms`,
  )
  console.log(`steps (p50): ${steps.map((step) => `${step} ${report.p50OfStepsMs[step]}`).join(', ')}`)
}
