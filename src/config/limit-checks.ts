/** What each key of a limit allows alone, and together makes no sense. */
import { partsOf, SLIDING_LOG_COUNT_MAX } from '../base/rate.ts'
import type { Problem } from './check.ts'
import { mayCountAddresses, type WholeLimit, wholeLimits } from './limit-levels.ts'
import { clusterThatCannotBe } from './limit-cluster-checks.ts'
import type { Config } from './schema.ts'
import type { LimitConfig, RateLimitConfig } from './limit-schema.ts'

type Say = (key: string, message: string) => void

/** `isWhole`: this is all of a configuration, and not a site by itself, so that what lies elsewhere in it must be there. */
export function limitsThatCannotBe(config: Config, isWhole: boolean): Problem[] {
  const lists = [
    { at: 'limits', limits: config.limits },
    ...config.sites.map(({ limits }, index) => ({ at: `sites[${index}].limits`, limits })),
  ]
  return lists.flatMap(({ at, limits }) => [
    ...namedTwice(at, limits),
    ...limits.flatMap((limit, index) => {
      const problems: Problem[] = []
      const say: Say = (key, message) => problems.push({ path: `${at}[${index}].${key}`, message })
      if (isWhole) lacking(limit, config, say)
      banThatCannotBe(limit, say)
      if (limit.kind === 'rate') rateThatCannotBe(limit, say)
      return problems
    }),
  ])
}

/** Units, metrics and `RateLimit` fields know a limit by its name. */
function namedTwice(at: string, limits: readonly LimitConfig[]): Problem[] {
  return limits.flatMap(({ name }, index) => {
    const first = limits.findIndex((other) => other.name === name)
    return first === index
      ? []
      : [{ path: `${at}[${index}].name`, message: `${at}[${first}] is called "${name}" already` }]
  })
}

function lacking(limit: LimitConfig, { edge, geo }: Config, say: Say): void {
  if (limit.kind === 'rate' && limit.scope === 'cluster' && edge.limitsRedis === undefined)
    say('scope', '"cluster" needs to know where all nodes count: `edge.limitsRedis` with the URL of a Redis')
  if (limit.kind !== 'bandwidth' && limit.key?.includes('asn') === true && geo.asn === undefined)
    say('key', '"asn" needs a table of networks: `geo.asn` with the path of a MaxMind file')
}

const DAY_MS = 24 * 3_600_000

function banThatCannotBe(limit: LimitConfig, say: Say): void {
  if (limit.kind === 'bandwidth' || limit.ban === undefined) return
  const { ban } = limit
  if (ban.within < 1 || ban.within > 30 * DAY_MS) say('ban.within', 'expected a time from "1ms" to "30d"')
  if (ban.for < 1000 || ban.for > 366 * DAY_MS) say('ban.for', 'expected a time from "1s" to "366d"')
}

const BURSTING = ['token-bucket', 'leaky-bucket', 'gcra']
const WAITING = ['leaky-queue', 'shaper']
const WINDOWED = ['fixed-window', 'sliding-window']

function rateThatCannotBe(limit: RateLimitConfig, say: Say): void {
  const { algorithm, burst, queue, startFull, store, scope, mode } = limit
  const only = (key: string, names: readonly string[], what: string) => {
    if (!names.includes(algorithm)) say(key, `${what} ${listed(names)}, and \`algorithm\` is "${algorithm}"`)
  }
  if (burst !== undefined) only('burst', BURSTING, 'belongs to')
  if (queue !== undefined) only('queue', WAITING, 'belongs to')
  if (startFull) only('startFull', ['sliding-window'], 'belongs to')
  if (store === 'sketch') only('store', WINDOWED, '"sketch" counts what fell into a window, for')
  if (mode === 'batched' && scope === 'node')
    say('mode', '"batched" belongs to `scope` "cluster"; what is counted on one node needs no settling')
  if (scope === 'cluster') clusterThatCannotBe(limit, say)
  prefixesThatCannotBe(limit, say)
  if (burst === 0 && algorithm !== 'gcra') say('burst', `expected a whole number from 1 for "${algorithm}"`)
  else countsThatCannotBe(limit, say)
}

function prefixesThatCannotBe({ prefixes, key }: RateLimitConfig, say: Say): void {
  for (const family of ['v4', 'v6'] as const) {
    const lengths = prefixes[family].map(({ length }) => length)
    for (const [index, length] of lengths.entries()) {
      const before = lengths[index - 1]
      if (before === undefined || length < before) continue
      const why = length === before ? `${before} stands there already` : `stands behind ${before}`
      say(`prefixes.${family}[${index}]`, `${why}; expected the longest prefix first, as in [64, 56, 48]`)
    }
  }
  // What nobody wrote is what the schema fills in.
  const isGiven = JSON.stringify(prefixes) !== DEFAULT_PREFIXES
  if (isGiven && key !== undefined && !mayCountAddresses(key))
    say('prefixes', 'belongs to a `key` of "address": nothing else has prefixes')
  if (prefixes.v4.length + prefixes.v6.length > LENGTHS_MAX)
    say('prefixes', `expected ${LENGTHS_MAX} lengths of both families together at most`)
}

/** As many as a region has numbers for. */
const LENGTHS_MAX = 15
const DEFAULT_PREFIXES = JSON.stringify({
  v4: [{ length: 32 }],
  v6: [64, 56, 48].map((length) => ({ length })),
})

function countsThatCannotBe(limit: RateLimitConfig, say: Say): void {
  const { algorithm, rate } = limit
  if (algorithm === 'sliding-log' && rate.count > SLIDING_LOG_COUNT_MAX) {
    say(
      'rate',
      `"sliding-log" remembers each request; expected ${SLIDING_LOG_COUNT_MAX} in the window at most, or "sliding-window"`,
    )
    return
  }
  for (const level of wholeLimits(limit)) {
    const problem = problemOf(level, limit)
    if (problem === undefined) continue
    say(...problem)
    // Shorter prefixes have more of the same.
    if (level.isOwn) return
  }
}

function problemOf(
  { at, holds, windowMs, count }: WholeLimit,
  { algorithm, cost, store, sketch }: RateLimitConfig,
): Parameters<Say> | undefined {
  const { unitsMax: holdsMax } = partsOf({ count, windowMs }, holds)
  if (holds > holdsMax && !COUNTING.includes(algorithm)) {
    const message = `is too much to be counted exactly: expected ${holdsMax} at most, a shorter time, or rounder numbers`
    return [at, message]
  }
  const cellMax = 2 ** sketch.cellBits - 1
  if (store === 'sketch' && count >= cellMax) {
    const message = `a cell of ${sketch.cellBits} bits counts to ${cellMax}, and ${count} would never be reached; expected less, ${sketch.cellBits === 32 ? '' : 'more bits, '}or "exact"`
    return [at, message]
  }
  if (store === 'sketch' && windowMs < SKETCH_WINDOW_MIN_MS) {
    const message = `a sketch is cleared in each window; expected one of ${SKETCH_WINDOW_MIN_MS} ms or more, or "exact"`
    return [at, message]
  }
  if (cost <= holds) return undefined
  return [
    'cost',
    `one request takes ${cost}, and \`${at}\` never holds more than ${holds}: nobody would be allowed`,
  ]
}

/** What counts whole units alone. */
const COUNTING = ['fixed-window', 'sliding-log']
/** As `limit/` has it. */
const SKETCH_WINDOW_MIN_MS = 100

const listed = (names: readonly string[]): string => {
  const quoted = names.map((name) => `"${name}"`)
  return quoted.length === 1 ? quoted[0]! : `${quoted.slice(0, -1).join(', ')} and ${quoted.at(-1)}`
}
