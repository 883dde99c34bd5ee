/**
 * The cache engine beside `lru-cache`, the map that most of Node caches with: operations a CPU second, and what an entry
 * takes beside its key and its value.
 *
 *     node bench/cache-engine.ts [--quick] [--entries 1000000] [--rounds 3] [--policy lru,sieve] [--shape url|number|long|fresh]
 *
 *     hits      get, at random over all entries
 *     skewed    get, most of it from a tenth of the entries, as on the web
 *     fill      set, new keys into a cache that is not full
 *     evicting  set, new keys into one that is
 *     mixed     get, and set where there was nothing; skewed over twice as many keys as there is room for
 *
 * Each policy has a process of its own. There, first, memory: the difference that the cache makes beside the same keys and values
 * without it, once it has been filled, and again after more entries have been evicted than it holds, some of them known again. Then the
 * policy and the rival take turns, so that what else the machine does falls on both; what is printed is the median of the rounds,
 * and that of their ratios. CPU time is that of the whole process: the collector's threads too.
 *
 * Keys are flat strings that were made before, and the same string is asked for, with its hash known to V8: so this is the
 * engine alone. `--shape fresh` makes each key when it is asked for, as a server would; `number` and `long` are keys of digits and of 160 characters.
 * `--together` makes a cache of every policy before, in the same process, and uses it: does one make another slower?
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { LRUCache } from 'lru-cache'
import { Cache, POLICY_NAMES, type PolicyName } from '../src/cache/index.ts'

const WHAT = ['hits', 'skewed', 'fill', 'evicting', 'mixed'] as const
type What = (typeof WHAT)[number]

/** What is to be reached: operations beside `lru-cache`, and bytes. */
const RATIOS_MIN: Partial<Record<PolicyName, Partial<Record<What, number>>>> = {
  lru: { hits: 1, evicting: 1 },
  sieve: { hits: 1.2 },
  's3-fifo': { hits: 1.2 },
}
const BYTES_MAX = 200

const SHAPES = {
  url: (i: number) => `https://example.org/items/${i}`,
  number: (i: number) => String(i),
  long: (i: number) => `https://example.org/${'a-long-way/'.repeat(10)}${i}?width=1200&height=800`,
  fresh: (i: number) => `https://example.org/items/${i}`,
}

interface Figures {
  /** An entry, as it was filled and after as many were evicted. */
  readonly bytes: { readonly filled: number; readonly steady: number }
  /** Millions of operations a CPU second, and as a multiple of the rival's. */
  readonly speed: Readonly<
    Record<What, { readonly own: number; readonly rival: number; readonly ratio: number }>
  >
}

interface Value {
  readonly number: number
}

interface Contender {
  get(key: string): Value | undefined
  set(key: string, value: Value): unknown
}

const { values: given } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    together: { type: 'boolean', default: false },
    entries: { type: 'string' },
    rounds: { type: 'string' },
    policy: { type: 'string' },
    shape: { type: 'string', default: 'url' },
    only: { type: 'string' },
  },
})
const entries = Number(given.entries ?? (given.quick ? 100_000 : 1_000_000))
const rounds = Number(given.rounds ?? 3)
const calls = given.quick ? 100_000 : 200_000
const shape = given.shape as keyof typeof SHAPES

if (given.only === undefined) compare()
else console.log(JSON.stringify(measure(given.only as PolicyName)))

function compare(): void {
  const names = (given.policy?.split(',') ?? POLICY_NAMES) as readonly PolicyName[]
  console.log(`${entries} entries; keys: ${shape}; millions of operations a CPU second (times lru-cache)`)
  console.log(
    ['policy'.padEnd(10), ...WHAT.map((what) => what.padStart(13)), '  bytes an entry: filled, steady'].join(
      '',
    ),
  )
  const missed: string[] = []
  for (const name of names) {
    const options = Object.entries({ only: name, entries, rounds, shape }).flatMap(([key, value]) => [
      `--${key}`,
      String(value),
    ])
    const flags = [...(given.quick ? ['--quick'] : []), ...(given.together ? ['--together'] : [])]
    const args = ['--expose-gc', import.meta.filename, ...options, ...flags]
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${name}: ${stderr}`)
    const { bytes, speed }: Figures = JSON.parse(stdout)
    const cells = WHAT.map((what) =>
      `${speed[what].own.toFixed(2)} (${speed[what].ratio.toFixed(2)})`.padStart(13),
    )
    console.log(
      [name.padEnd(10), ...cells, String(bytes.filled).padStart(10), String(bytes.steady).padStart(6)].join(
        '',
      ),
    )
    for (const [what, min] of Object.entries(RATIOS_MIN[name] ?? {}))
      if (speed[what as What].ratio < min)
        missed.push(`${name}, ${what}: ${speed[what as What].ratio.toFixed(2)} < ${min}`)
    if (Math.max(bytes.filled, bytes.steady) > BYTES_MAX)
      missed.push(`${name}: more than ${BYTES_MAX} bytes an entry`)
  }
  console.log(missed.length === 0 ? 'All figures are reached.' : `Not reached: ${missed.join('; ')}.`)
}

function measure(name: PolicyName): Figures {
  const random = randomFrom(12345)
  const keys = Array.from({ length: 2 * entries }, (_, i) => flat(SHAPES[shape](i)))
  const values = keys.map((_, number): Value => ({ number }))
  // V8 computes the hash of a string once: whoever is asked first must not pay for both.
  new Set(keys).clear()
  const order = new Int32Array(calls)
  const keyAt = shape === 'fresh' ? SHAPES.fresh : (i: number): string => keys[i]!
  if (given.together)
    for (const other of POLICY_NAMES) exercise(new Cache({ entriesMax: 1000, policy: other }), keys, values)

  const before = memory()
  const cache = new Cache<Value>({ entriesMax: entries, policy: name, random })
  for (let i = 0; i < entries; i++) cache.set(keys[i]!, values[i]!)
  const filled = Math.round((memory() - before) / entries)
  for (let i = 0; i < 2 * entries; i++) {
    const at = Math.floor(2 * entries * random() ** 1.5)
    if (cache.get(keys[at]!) === undefined) cache.set(keys[at]!, values[at]!)
  }
  const steady = Math.round((memory() - before) / entries)

  const rival = new LRUCache<string, Value>({ max: entries })
  for (let i = 0; i < entries; i++) rival.set(keys[i]!, values[i]!)
  const own: Contender = cache
  let sum = 0
  const tasks: Record<What, (contender: Contender, round: number) => void> = {
    hits: (contender) => {
      for (let i = 0; i < calls; i++) sum += contender.get(keyAt(order[i]!))?.number ?? 0
    },
    skewed: (contender) => {
      for (let i = 0; i < calls; i++) sum += contender.get(keyAt(order[i]!))?.number ?? 0
    },
    fill: (contender) => {
      for (let i = 0; i < calls; i++) contender.set(keyAt(i), values[i]!)
    },
    evicting: (contender, round) => {
      for (let i = 0; i < calls; i++) {
        // From where the cache has none.
        const at = (entries + round * calls + i) % keys.length
        contender.set(keyAt(at), values[at]!)
      }
    },
    mixed: (contender) => {
      for (let i = 0; i < calls; i++) {
        const key = keyAt(order[i]!)
        const value = contender.get(key)
        if (value === undefined) contender.set(key, values[order[i]!]!)
        else sum += value.number
      }
    },
  }
  const orders: Record<What, () => number> = {
    hits: () => random() * entries,
    skewed: () => entries * random() ** 6,
    fill: () => 0,
    evicting: () => 0,
    mixed: () => 2 * entries * random() ** 3,
  }
  const speed = Object.fromEntries(
    WHAT.map((what) => {
      // What the steps before left behind is put back: all keys that are asked for are there.
      if (what === 'hits') for (const one of [own, rival]) refill(one, keys, values)
      const times = Array.from({ length: rounds + 1 }, (_, round) => {
        for (let i = 0; i < calls; i++) order[i] = Math.floor(orders[what]())
        const contenders: Contender[] =
          what === 'fill'
            ? [new Cache<Value>({ entriesMax: calls, policy: name }), new LRUCache({ max: calls })]
            : [own, rival]
        const took = contenders.map((contender) => secondsOf(() => tasks[what](contender, round)))
        return { own: took[0]!, rival: took[1]! }
      }).slice(1) // The first round is for the compiler.
      const million = calls / 1e6
      return [
        what,
        {
          own: million / median(times.map((took) => took.own)),
          rival: million / median(times.map((took) => took.rival)),
          ratio: median(times.map((took) => took.rival / took.own)),
        },
      ]
    }),
  ) as Figures['speed']
  if (Number.isNaN(sum)) throw new Error('what was read was not used')
  return { bytes: { filled, steady }, speed }
}

/** The first half of the keys is in it again; some policies keep others of them in their place until all were asked for often. */
function refill(contender: Contender, keys: readonly string[], values: readonly Value[]): void {
  for (let i = 0; i < entries; i++)
    if (contender.get(keys[i]!) === undefined) contender.set(keys[i]!, values[i]!)
}

function exercise(contender: Contender, keys: readonly string[], values: readonly Value[]): void {
  for (let i = 0; i < 20_000; i++) {
    const at = (i * i) % 3000
    if (contender.get(keys[at]!) === undefined) contender.set(keys[at]!, values[at]!)
  }
}

function secondsOf(call: () => void): number {
  const start = process.cpuUsage()
  call()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1e6
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
}

/** A string in one piece, as it comes from a socket. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** Bytes in use, what arrays of numbers take included. */
function memory(): number {
  for (let round = 0; round < 2; round++) globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
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
