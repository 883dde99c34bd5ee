/**
 * The cache engine beside `lru-cache`, the map that most of Node caches with: hits, stores into a full cache and a mixture,
 * in operations a CPU second, and what an entry takes beside its key and its value.
 *
 *     node bench/cache-engine.ts [--entries 1000000] [--rounds 3] [--policy lru,sieve]
 *
 * Every contender runs in a process of its own, one after the other, round by round, so that none finds the code of another compiled for
 * it and what else the machine does falls on all; the best round of each counts. CPU time is that of the whole
 * process: the collector's threads too.
 *
 * Keys are made before and the same string is asked for: their hashes are known, as they would be in no server. So this
 * is the engine alone. Access is at random over all entries, and skewed as on the web (a tenth gets most of it).
 */
import { spawnSync } from 'node:child_process'
import { LRUCache } from 'lru-cache'
import { Cache, ENTRY_OVERHEAD_BYTES, POLICY_NAMES, type PolicyName } from '../src/cache/index.ts'

const RIVAL = 'lru-cache'
const CALLS = 1_000_000

interface Figures {
  readonly bytes: number
  /** Operations a CPU second, in millions. */
  readonly hits: number
  readonly skewed: number
  readonly stores: number
  readonly mixed: number
}
const WHAT = ['hits', 'skewed', 'stores', 'mixed'] as const

interface Value {
  readonly number: number
}

interface Contender {
  get(key: string): Value | undefined
  set(key: string, value: Value): unknown
}

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? undefined : process.argv[at + 1]
}
const entries = Number(option('entries') ?? 1_000_000)
const only = option('only')

if (only === undefined) compare()
else console.log(JSON.stringify(measure(only)))

function compare(): void {
  const names = [RIVAL, ...(option('policy')?.split(',') ?? POLICY_NAMES)]
  const best = new Map<string, Figures>()
  for (let round = 0; round < Number(option('rounds') ?? 3); round++) {
    for (const name of names) {
      const args = ['--expose-gc', import.meta.filename, '--only', name, '--entries', String(entries)]
      const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
      if (status !== 0) throw new Error(`${name}: ${stderr}`)
      const figures: Figures = JSON.parse(stdout)
      const before = best.get(name) ?? figures
      const fastest = WHAT.map((what) => [what, Math.max(before[what], figures[what])])
      best.set(name, { bytes: figures.bytes, ...Object.fromEntries(fastest) })
    }
  }
  const rival = best.get(RIVAL)!
  console.log(`${entries} entries; millions of operations a CPU second (times ${RIVAL})`)
  console.log(['policy'.padEnd(12), ...WHAT.map((what) => what.padStart(15)), 'bytes an entry'].join(' '))
  for (const [name, figures] of best) {
    const cells = WHAT.map((what) =>
      `${figures[what].toFixed(2)} (${(figures[what] / rival[what]).toFixed(2)})`.padStart(15),
    )
    console.log([name.padEnd(12), ...cells, String(figures.bytes).padStart(14)].join(' '))
  }
  console.log(
    `An entry is charged ${ENTRY_OVERHEAD_BYTES} bytes beside the characters of its key and its value.`,
  )
}

function measure(name: string): Figures {
  const random = randomFrom(12345)
  const keys = Array.from({ length: 2 * entries }, (_, i) => `https://example.org/items/${i}`)
  const values = keys.map((_, number): Value => ({ number }))
  const order = new Int32Array(CALLS)
  const fillOrder = (of: () => number): void => {
    for (let i = 0; i < CALLS; i++) order[i] = Math.floor(of())
  }
  const before = memory()
  const cache: Contender =
    name === RIVAL
      ? new LRUCache<string, Value>({ max: entries })
      : new Cache<Value>({ entriesMax: entries, policy: name as PolicyName, random })
  for (let i = 0; i < entries; i++) cache.set(keys[i]!, values[i]!)
  const bytes = Math.round((memory() - before) / entries)

  let sum = 0
  const readAll = (): void => {
    for (let i = 0; i < CALLS; i++) sum += cache.get(keys[order[i]!]!)!.number
  }
  fillOrder(() => random() * entries)
  const hits = fastest(readAll)
  fillOrder(() => entries * random() ** 6)
  const skewed = fastest(readAll)

  let at = 0
  const stores = fastest(() => {
    for (let i = 0; i < CALLS; i++) {
      at = (at + 1) % (2 * entries)
      cache.set(keys[at]!, values[at]!)
    }
  })
  fillOrder(() => 2 * entries * random() ** 3)
  const mixed = fastest(() => {
    for (let i = 0; i < CALLS; i++) {
      const key = keys[order[i]!]!
      const value = cache.get(key)
      if (value === undefined) cache.set(key, values[order[i]!]!)
      else sum += value.number
    }
  })
  if (Number.isNaN(sum)) throw new Error('what was read was not used')
  return { bytes, hits, skewed, stores, mixed }
}

/** Millions of calls a CPU second, in the best of a few rounds: other work on the machine only ever adds. */
function fastest(calls: () => void): number {
  let best = 0
  for (let round = 0; round < 5; round++) {
    const start = process.cpuUsage()
    calls()
    const { user, system } = process.cpuUsage(start)
    best = Math.max(best, CALLS / (user + system))
  }
  return best
}

/** Bytes in use, what arrays of numbers take included. */
function memory(): number {
  for (let round = 0; round < 4; round++) globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
