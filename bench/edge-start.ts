/**
 * An edge that starts from its own disk while its control plane is down.
 *
 *     node bench/edge-start.ts [--units 1000] [--starts 5] [--json]
 *
 * The units are written by the control plane's own code, without a check, as only their number matters here. Promised: it serves within 2 s, and
 * the first request of a unit that was never run takes 20 ms (p99).
 */
import { parseArgs } from 'node:util'
import { join } from 'node:path'
import { bundle } from '../src/checker/bundle.ts'
import { systemClock } from '../src/base/clock.ts'
import { PHASE_BITS } from '../src/contract/unit.ts'
import { openSecrets } from '../src/store/secrets.ts'
import { openStore } from '../src/store/sqlite-store.ts'
import { planDeploy } from '../src/unit/changes.ts'
import { parseManifest } from '../src/unit/manifest.ts'
import { round, spread, startBenchNode, TOKEN } from './peers/node.ts'

const { values } = parseArgs({
  options: {
    units: { type: 'string', default: '1000' },
    starts: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
})
const units = Number(values.units)

const config = (control: string) => ({
  store: { kind: 'replica', path: './data', control, token: TOKEN },
  node: { name: 'edge' },
})

const control = await startBenchNode({ store: { path: './data' } })
await control.stop(true)
await fill(join(control.folder, 'data'))
const filled = await startBenchNode({ store: { path: './data' } }, control.folder)
const joined = await startBenchNode(config(filled.control))
await filled.stop()
await joined.stop(true)

const startMs: number[] = []
const coldMs: number[] = []
for (let n = 0; n < Number(values.starts); n++) {
  const edge = await startBenchNode(config(filled.control), joined.folder)
  startMs.push(edge.startMs)
  for (let i = n; i < units; i += Math.ceil(units / 100)) {
    const startedAt = performance.now()
    const text = await (await fetch(`${edge.edge}/unit-${i}`)).text()
    coldMs.push(performance.now() - startedAt)
    if (text !== `unit ${i}`) throw new Error(`unit ${i} answered ${text}`)
  }
  await edge.stop(n + 1 < Number(values.starts))
}
const report = { units, startMs: spread(startMs), joinMs: round(joined.startMs), coldMs: spread(coldMs) }
console.log(values.json ? JSON.stringify(report) : report)

async function fill(directory: string): Promise<void> {
  const store = openStore(directory, { clock: systemClock })
  const secrets = openSecrets(directory)
  for (let i = 0; i < units; i++) {
    const parsed = parseManifest({ paths: [`/unit-${i}`] }, {})
    if ('problems' in parsed) throw new Error(parsed.problems.join('; '))
    const table = JSON.stringify(Array.from({ length: 200 }, (_, j) => `entry ${i}-${j}`))
    const text = `const table = ${table}\nexport default { content: () => new Response('unit ${i}'.slice(0, table.length)) }`
    const built = await bundle(new Map([['unit.js', text]]), 'unit.js', 'js')
    if (!built.ok) throw new Error(JSON.stringify(built))
    const { code, sourceMap } = built
    const draft = {
      name: `unit-${i}`,
      code,
      sourceMap,
      files: { 'unit.js': text },
      entry: 'unit.js',
      phases: PHASE_BITS.content,
      manifest: parsed.manifest,
    }
    store.append(planDeploy(store, draft, { secrets, at: Date.now() }).effects)
  }
  store.close()
}
