/**
 * A million entries of key/value data: how long the file takes to open and what it takes of memory, on a node that orders changes and on an edge;
 * how long a snapshot of all of it takes on its way into an edge, and how long the longest part of it holds others up.
 *
 *     node bench/kv-million.ts [--entries 1000000]
 *
 * One process and no network: it is the work itself that is measured, wall time.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/base/clock.ts'
import type { KvOperation } from '../src/contract/kv.ts'
import { KV_BUCKETS } from '../src/contract/shared-log.ts'
import { type KvRole, openKeeper } from '../src/kv/keeper.ts'
import { KvReader } from '../src/kv/reader.ts'
import { KV_WORDS } from '../src/kv/versions.ts'

const entries = Number(process.argv[process.argv.indexOf('--entries') + 1]) || 1_000_000
const AT_ONCE = 1000
const NAMESPACES = 20

const folder = mkdtempSync(join(tmpdir(), 'orla-bench-kv-million-'))
const limits = { keysMax: entries, bytesMax: 1e10, keyBytesMax: 512, valueBytesMax: 1e6 }
const words = new Int32Array(KV_WORDS)
const open = (name: string, role: KvRole) =>
  openKeeper(role, { path: join(folder, name), words, clock: systemClock, limits })
const authority: KvRole = { kind: 'authority' }
const edge: KvRole = { kind: 'edge', uplink: { send: async () => [] } }

function timed<T>(what: string, work: () => T): T {
  const [started, before] = [performance.now(), process.memoryUsage().rss]
  const result = work()
  const ms = Math.round(performance.now() - started)
  const mib = ((process.memoryUsage().rss - before) / 1024 ** 2).toFixed(0)
  console.log(`${what}: ${ms} ms, ${mib} MiB more`)
  return result
}

const put = (i: number): KvOperation => ({
  op: 'put',
  namespace: `namespace-${Math.floor(i / AT_ONCE) % NAMESPACES}`,
  key: `key-${i}`,
  value: Buffer.from(`value ${i}`),
  ttlMs: 0,
})
let plane = open('plane.db', authority)
plane.feed!.positions()
timed(`${entries} entries written and logged`, () => {
  for (let i = 0; i < entries; i += AT_ONCE)
    plane.apply(
      Array.from({ length: AT_ONCE }, (_, j) => put(i + j)),
      false,
    )
})
plane.close()
plane = timed('opened where changes are ordered', () => open('plane.db', authority))

let replica = open('edge.db', edge)
let longestMs = 0
timed('a snapshot of all of it into an edge', () => {
  for (let bucket = 0; bucket < KV_BUCKETS; bucket++) {
    for (const part of plane.feed!.snapshot(bucket)) {
      const started = performance.now()
      replica.intake!.load(bucket, part)
      longestMs = Math.max(longestMs, performance.now() - started)
    }
  }
})
console.log(`its longest part: ${longestMs.toFixed(1)} ms`)
replica.close()
replica = timed('opened on an edge', () => open('edge.db', edge))

const reader = new KvReader({ name: 'kv', path: join(folder, 'edge.db'), words, clock: systemClock })
const reads = 100_000
const started = performance.now()
for (let i = 0; i < reads; i++) {
  const { namespace, key } = put((i * 7919) % entries)
  if (reader.get(namespace, key) === undefined) throw new Error(`${key} is not there`)
}
console.log(`a read of any of them: ${(((performance.now() - started) / reads) * 1000).toFixed(1)} µs`)

reader.close()
replica.close()
plane.close()
rmSync(folder, { recursive: true })
