/**
 * What a rate limit allows at each of its prefix lengths, with what was left open filled in: the longest has the limit's own rate, each
 * shorter one four times the rate and the burst of the one behind it, so that a network which holds many clients is not refused for being many.
 */
import { type Rate, RATE_COUNT_MAX, SLIDING_LOG_COUNT_MAX } from '../base/rate.ts'
import type { RateLimitConfig } from './limit-schema.ts'

const SHORTER_ALLOWS = 4

export interface Level extends Rate {
  /** Of the prefix. */
  readonly length: number
  readonly burst?: number
}

/** As it is configured. */
interface GivenLevel {
  readonly length: number
  readonly rate?: Rate | undefined
  readonly burst?: number | undefined
}

type Limit = Pick<RateLimitConfig, 'algorithm' | 'rate' | 'burst' | 'queue' | 'prefixes'>

/** From the longest prefix to the shortest. */
export function levelsOf(given: readonly GivenLevel[], limit: Limit): readonly Level[] {
  const { rate, burst, algorithm } = limit
  const countMax = algorithm === 'sliding-log' ? SLIDING_LOG_COUNT_MAX : RATE_COUNT_MAX
  let last: Omit<Level, 'length'> = { ...rate, ...(burst !== undefined && { burst }) }
  return given.map((level, index) => {
    if (index > 0) last = grown(last, countMax)
    if (level.rate !== undefined) last = { ...last, ...level.rate }
    if (level.burst !== undefined) last = { ...last, burst: level.burst }
    return { length: level.length, ...last }
  })
}

/** As far as it can be counted. */
const grown = (
  { count, windowMs, burst }: Omit<Level, 'length'>,
  countMax: number,
): Omit<Level, 'length'> => ({
  count: Math.min(countMax, count * SHORTER_ALLOWS),
  windowMs,
  ...(burst !== undefined && { burst: Math.min(RATE_COUNT_MAX, burst * SHORTER_ALLOWS) }),
})

/** What a limit holds at once: at its own rate, or at a shorter prefix. */
export interface WholeLimit extends Rate {
  /** The key that says so. */
  readonly at: string
  readonly isOwn: boolean
  readonly holds: number
}

export function wholeLimits(limit: Limit): readonly WholeLimit[] {
  const { algorithm, rate, burst, queue, prefixes } = limit
  const own = { at: burst === undefined ? 'rate' : 'burst', isOwn: true, ...rate }
  const all = [
    { ...own, ...(burst !== undefined && { burst }) },
    ...(['v4', 'v6'] as const).flatMap((family) =>
      levelsOf(prefixes[family], limit)
        .slice(1)
        .map((level, index) => ({ at: `prefixes.${family}[${index + 1}]`, isOwn: false, ...level })),
    ),
  ]
  return all.map(({ at, isOwn, count, windowMs, burst: most }) => {
    const held = algorithm === 'gcra' ? (most ?? count - 1) + 1 : (most ?? count)
    return { at, isOwn, count, windowMs, holds: Math.max(held, queue ?? 0) }
  })
}

/** Whether requests are counted by address: as the key says, or because what it names is not there. */
export const mayCountAddresses = (key: readonly string[]): boolean =>
  key.some((part) => !['path', 'host', 'all'].includes(part))
