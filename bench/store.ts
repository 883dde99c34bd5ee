/**
 * The store by itself: a durable append, a read, and a replica that takes over a long log.
 *
 *     node bench/store.ts [--appends 2000] [--entries 100000] [--folder DIR] [--json]
 *
 * Promised: an append p99 at most 1 ms, a read at most 10 µs, 100,000 entries replayed in 2 s. `--folder` names the disk that is measured.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/base/clock.ts'
import { chain } from '../src/store/chain.ts'
import { openStore } from '../src/store/sqlite-store.ts'
import { quantile, round } from './peers/node.ts'

const { values } = parseArgs({
  options: {
    appends: { type: 'string', default: '2000' },
    entries: { type: 'string', default: '100000' },
    folder: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
})
const folder = mkdtempSync(join(values.folder, 'orla-bench-store-'))
const us = (ms: number): number => round(ms * 1000)

try {
  const store = openStore(join(folder, 'a'), { clock: systemClock })
  const appendMs = Array.from({ length: Number(values.appends) }, (_, n) => {
    const startedAt = performance.now()
    store.append([{ operation: 'SET', key: `unit/${n % 100}`, value: `${n}`.padEnd(400, 'x') }])
    return performance.now() - startedAt
  })
  const reads = 200_000
  const startedAt = performance.now()
  for (let n = 0; n < reads; n++) store.get(`unit/${n % 100}`)
  const readUs = us((performance.now() - startedAt) / reads)

  const replica = openStore(join(folder, 'b'), { clock: systemClock })
  const effects = Array.from({ length: Number(values.entries) }, (_, n) => ({
    operation: 'SET' as const,
    key: `unit/${n % 1000}`,
    value: `${n}`.padEnd(200, 'x'),
  }))
  const entries = chain(replica.position(), effects, Date.now())
  const replayedAt = performance.now()
  // As they come from a control plane.
  for (let n = 0; n < entries.length; n += 500) replica.apply(entries.slice(n, n + 500))
  const replayMs = performance.now() - replayedAt
  const report = {
    appendMs: { p50: quantile(appendMs, 0.5).toFixed(3), p99: quantile(appendMs, 0.99).toFixed(3) },
    readUs,
    replayMs: round(replayMs),
    entries: entries.length,
  }
  console.log(values.json ? JSON.stringify(report) : report)
  store.close()
  replica.close()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
