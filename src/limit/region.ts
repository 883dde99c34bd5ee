/**
 * The memory of one limit: words that the supervisor makes and all workers of the node open, and nobody else ever sees.
 *
 *     header (what the region is, its secrets, who has it open) · locks, sketches · table
 *
 * What is laid out is decided by the plan alone, so that a worker that opens the region knows where everything is; the header holds a fingerprint
 * of that, and a worker whose plan says something else does not touch it.
 */
import { KEYS_MAX } from '../base/rate.ts'
import { type Algorithm, createAlgorithm, type RatePlan } from './algorithms/algorithm.ts'
import { told, whole } from './algorithms/plan.ts'
import { memoryLockWords, type MemoryShape, memoryWords } from './evicted-memory.ts'
import { KeyedHash } from './keyed-hash.ts'
import { PLACES, type Replacement } from './places.ts'
import { checkLevels, type LevelPlan, type PrefixPlan } from './prefix-levels.ts'
import { PIDS, PIDS_AT, releaseOf } from './shared-lock.ts'
import { DEPTH_MAX, laySketch, type SketchShape, sketchWords } from './sketch-generations.ts'
import { lockWords } from './sketch-limiter.ts'
import { bucketWords, LEVELS_MAX, type TableShape, tableWords } from './table.ts'

/** A limit on rates, and where it remembers. */
export interface LimiterPlan extends RatePlan {
  /** `exact`: a place for each key. `sketch`: cells that keys share; for window algorithms. */
  readonly store: 'exact' | 'sketch'
  /** `exact`: keys that find a place at once. */
  readonly keysMax: number
  readonly replacement: Replacement
  /**
   * The sketch of the limit, or the one behind its table, whose cells are states. Where no width is given, it is 524,288, and behind a table an eighth of
   * `keysMax`; that of a sketch is rounded up to a power of two.
   */
  readonly sketch: {
    readonly width?: number | undefined
    readonly depth: number
    readonly cellBits: 8 | 16 | 32
  }
  /** For keys that are addresses; without it an address is a key as any other. */
  readonly prefixes?: PrefixPlan | undefined
}

/** One kind of key: texts, or the prefixes of one length. */
export interface Level {
  /** Absent: texts, and addresses where there are no prefixes. */
  readonly prefix?: LevelPlan
  readonly algorithm: Algorithm
  /** Which of the sketches of the region counts it; -1 with a table. */
  readonly sketch: number
}

export interface RegionLayout {
  /** Texts first, then the prefixes of IPv4 from `firstV4`, and those of IPv6 from `firstV6` on; the shortest first. */
  readonly levels: readonly Level[]
  readonly firstV4: number
  readonly firstV6: number
  readonly sketchShape: SketchShape
  readonly sketches: readonly { readonly at: number; readonly lengthMs: number }[]
  /** Of locks: those of the sketches, or of the cells behind the table. */
  readonly locksAt: number
  readonly tableAt: number
  readonly table: (TableShape & { readonly memory: MemoryShape }) | undefined
  readonly words: number
  readonly fingerprint: number
}

/** What the region is, and the processes that have it open. */
const HEADER_WORDS = PIDS_AT + PIDS
const MAGIC_AT = 0
const FINGERPRINT_AT = 1
const BUCKETS_AT = 2
const STRIDE_AT = 3
const TABLE_AT = 4
const LOCKS_AT = 5
const SECRETS_AT = 8
const MAGIC = 0x0a11_0001
/** Bytes of `seed`. */
export const SEED_BYTES = 16
/** Places for each key that should find one: buckets fill unevenly, and with so many less than one key in a hundred finds all of its bucket taken. */
const PLACES_FOR_KEY = 2
const BYTES_MAX = 2 ** 31
const KEYS_MIN = 1
/** Cells of a row where nobody said how many: 9 MiB with three rows of 16 bits, in three generations. */
const WIDTH = 524_288
const MEMORY_WIDTH_MIN = 1024
/** A sketch that counts windows is cleared within each of them. */
const SKETCH_WINDOW_MIN_MS = 100

/** What a region for this plan looks like. @throws RangeError that names what of the plan is out of its range. */
export function layoutOf(plan: LimiterPlan): RegionLayout {
  const sketchShape = checkStore(plan)
  const levels = levelsOf(plan)
  const isTable = plan.store === 'exact'
  const stateWords = Math.max(...levels.map(({ algorithm }) => algorithm.words))
  const lengths = isTable ? [] : [...new Set(levels.map(({ plan }) => plan.windowMs))]
  const locksAt = HEADER_WORDS
  let at = locksAt + (isTable ? 0 : lockWords)
  const sketches = lengths.map((lengthMs) => {
    const sketch = { at, lengthMs }
    at += sketchWords(sketchShape)
    return sketch
  })
  const { width, depth } = sketchShape
  const memory = { width: Math.ceil(width / levels.length), depth, levels: levels.length, stateWords }
  const tableAt = at + (isTable ? memoryWords(memory) : 0)
  const buckets = Math.ceil((plan.keysMax * PLACES_FOR_KEY) / PLACES)
  const table = isTable ? { buckets, stateWords, replacement: plan.replacement, memory } : undefined
  const words = tableAt + (table === undefined ? 0 : tableWords(table))
  if (words * 4 > BYTES_MAX)
    throw new RangeError(
      `keysMax, sketch: the limit would take ${Math.ceil((words * 4) / 2 ** 20)} MiB of memory, at most ${BYTES_MAX / 2 ** 20} can be; fewer keys, fewer rows or an algorithm with less to remember take less`,
    )
  const firstV4 = 1
  return {
    levels: levels.map(({ plan: { windowMs }, algorithm, prefix }) => ({
      ...(prefix === undefined ? {} : { prefix }),
      algorithm,
      sketch: lengths.indexOf(windowMs),
    })),
    firstV4,
    firstV6: firstV4 + (plan.prefixes?.v4.length ?? 0),
    sketchShape,
    sketches,
    locksAt,
    tableAt,
    table,
    words,
    fingerprint: fingerprintOf(regionIdentity(plan)),
  }
}

/** What decides whether a region can be kept for another plan: two plans with the same text can share a region. */
export function regionIdentity(plan: LimiterPlan): string {
  const levels = levelsOf(plan).map(({ algorithm, prefix }) => `${prefix?.length ?? ''}:${algorithm.layout}`)
  const { width, depth, cellBits } = checkStore(plan)
  return [
    plan.store,
    plan.store === 'exact' ? `${plan.keysMax} ${plan.replacement}` : plan.startFull === true,
    `${width}x${depth}x${cellBits}`,
    plan.prefixes?.v4.length ?? 0,
    ...levels,
  ].join(' ')
}

/** Words of 32 bits that a region takes. @throws RangeError that names what of the plan is out of its range, and what would be right. */
export const regionWords = (plan: LimiterPlan): number => layoutOf(plan).words

/** Makes a region of words that are all zero: by the supervisor, once, before anybody opens it. `seed` is 16 random bytes, which stay secret. */
export function layRegion(words: Int32Array, plan: LimiterPlan, seed: Uint8Array): void {
  const layout = layoutOf(plan)
  if (words.length !== layout.words)
    throw new RangeError(`words: expected ${layout.words} of them, not ${words.length}`)
  if (seed.length < SEED_BYTES)
    throw new RangeError(`seed: expected ${SEED_BYTES} random bytes, not ${seed.length}`)
  const secrets = new DataView(seed.buffer, seed.byteOffset, SEED_BYTES)
  for (let i = 0; i < SEED_BYTES / 4; i++) words[SECRETS_AT + i] = secrets.getInt32(i * 4)
  for (const { at, lengthMs } of layout.sketches) laySketch(words, at, lengthMs, plan.startFull === true)
  words[BUCKETS_AT] = layout.table?.buckets ?? 0
  words[STRIDE_AT] = layout.table === undefined ? 0 : bucketWords(layout.table.stateWords)
  words[TABLE_AT] = layout.tableAt
  words[LOCKS_AT] = layout.locksAt
  words[FINGERPRINT_AT] = layout.fingerprint
  Atomics.store(words, MAGIC_AT, MAGIC)
}

/** The secrets of a region: the key of its hash, and what the seeds of its sketches are drawn from. @throws where the region is not laid for this layout. */
export function openRegion(
  words: Int32Array,
  layout: RegionLayout,
): { readonly hashKey: readonly [number, number]; readonly secret: readonly [number, number] } {
  if (words.length !== layout.words || Atomics.load(words, MAGIC_AT) !== MAGIC)
    throw new Error('the memory of this limit is not laid out')
  if (words[FINGERPRINT_AT] !== layout.fingerprint)
    throw new Error('the memory of this limit was laid out for another plan')
  const secret = (index: number) => words[SECRETS_AT + index]!
  return { hashKey: [secret(0), secret(1)], secret: [secret(2), secret(3)] }
}

/** A worker died: what it had locked is free again. By the supervisor; nobody has to wait for it. */
export function forgetWorker(words: Int32Array, worker: number): void {
  const owner = worker + 1
  const tableAt = words[TABLE_AT]!
  const stride = words[STRIDE_AT]!
  for (let i = 0; i < words[BUCKETS_AT]!; i++) releaseOf(words, tableAt + i * stride, owner)
  const locks = stride === 0 ? lockWords : memoryLockWords
  for (let i = 0; i < locks; i += 16) releaseOf(words, words[LOCKS_AT]! + i, owner)
}

function checkStore(plan: LimiterPlan): SketchShape {
  const { store, algorithm, sketch } = plan
  if (store !== 'exact' && store !== 'sketch')
    throw new RangeError(`store: expected "exact" or "sketch", not ${told(store)}`)
  if (plan.replacement !== 's3-fifo' && plan.replacement !== 'lru')
    throw new RangeError(`replacement: expected "s3-fifo" or "lru", not ${told(plan.replacement)}`)
  whole('keysMax', plan.keysMax, KEYS_MIN, KEYS_MAX)
  const behind = Math.max(Math.ceil(plan.keysMax / 8), Math.min(plan.keysMax, MEMORY_WIDTH_MIN))
  const width = sketch.width ?? (store === 'sketch' ? WIDTH : behind)
  if (sketch.width !== undefined) whole('sketch.width', width, 1, 2 ** 24)
  whole('sketch.depth', sketch.depth, 1, DEPTH_MAX)
  if (![8, 16, 32].includes(sketch.cellBits))
    throw new RangeError(`sketch.cellBits: expected 8, 16 or 32, not ${told(sketch.cellBits)}`)
  if (store === 'sketch' && algorithm !== 'fixed-window' && algorithm !== 'sliding-window')
    throw new RangeError(
      `algorithm: a sketch counts windows, so expected "fixed-window" or "sliding-window", not ${told(algorithm)}; with store "exact" it can be any`,
    )
  const { depth, cellBits } = sketch
  return {
    width: store === 'sketch' ? 2 ** Math.max(1, Math.ceil(Math.log2(width))) : width,
    depth,
    cellBits,
  }
}

function levelsOf(plan: LimiterPlan): { plan: RatePlan; algorithm: Algorithm; prefix?: LevelPlan }[] {
  const { v4 = [], v6 = [] } = plan.prefixes ?? {}
  checkLevels('v4', v4)
  checkLevels('v6', v6)
  if (v4.length + v6.length >= LEVELS_MAX)
    throw new RangeError(
      `prefixes: expected at most ${LEVELS_MAX - 1} lengths of both families together, not ${v4.length + v6.length}`,
    )
  const byLength = (a: LevelPlan, b: LevelPlan) => a.length - b.length
  const ofPrefix = (prefix: LevelPlan) => ({ plan: { ...plan, burst: undefined, ...prefix }, prefix })
  const levels = [{ plan }, ...[...v4.toSorted(byLength), ...v6.toSorted(byLength)].map(ofPrefix)]
  return levels.map((level) => {
    if (plan.store === 'sketch') checkCounts(plan, level.plan)
    return { ...level, algorithm: createAlgorithm(level.plan) }
  })
}

function checkCounts({ sketch: { cellBits } }: LimiterPlan, { count, windowMs, startMs }: RatePlan): void {
  if (count > 2 ** cellBits - 1)
    throw new RangeError(
      `cells of ${cellBits} bits count to ${2 ** cellBits - 1}, and ${count} are to be allowed; ${furtherThan(cellBits)} further`,
    )
  if (windowMs < SKETCH_WINDOW_MIN_MS)
    throw new RangeError(
      `a sketch is cleared in each window, so expected a window of at least ${SKETCH_WINDOW_MIN_MS} ms, not ${windowMs}; with store "exact" it can be shorter`,
    )
  if (startMs !== undefined && startMs !== 0)
    throw new RangeError(`startMs: windows of a sketch start at 0, not ${startMs}`)
}

function furtherThan(cellBits: SketchShape['cellBits']): string {
  if (cellBits === 32) return 'store "exact" counts'
  return cellBits === 16 ? 'cells of 32 bits or store "exact" count' : 'cells of 16 bits count'
}

function fingerprintOf(text: string): number {
  const hash = new KeyedHash(0, 0)
  hash.ofText(text, 0)
  return hash.high
}
