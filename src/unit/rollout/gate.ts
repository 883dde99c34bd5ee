/**
 * Judges a new version against the old one by what both did since a step began.
 *
 * A difference that may be chance is no reason to roll back. Both shares are known by a sample alone, so it is the lower end of the
 * interval of their difference that must lie above the gate's threshold, and there must be five cases at least. The interval is made of
 * those of both shares (Wilson, 99.9 %), as in Newcombe, "Interval estimation for the difference between independent proportions",
 * Statistics in Medicine 17 (1998), method 10. What cannot be said yet is `waiting`.
 */
import type { RolloutGate } from '../../contract/rollout.ts'
import type { HistogramValue } from '../../contract/messages.ts'
import { errorCount, type Counts } from './counts.ts'
import { parseShare, shareText } from './stages.ts'

export type Judgement =
  | { readonly kind: 'healthy' }
  /** Fewer requests than the gate asks for. */
  | { readonly kind: 'waiting'; readonly requests: number }
  | { readonly kind: 'worse'; readonly reason: string }

/** One-sided 99.9 %: it is asked every second of every step. */
const Z = 3.09
const CASES_MIN = 5
/** Requests of the old version that make a share of it. With fewer, it counts as one that never fails. */
const OLD_MIN = 10
/** What is quicker than that is quick enough, whatever it was before, in seconds. */
const QUICK = { CPU: 0.002, wall: 0.01 } as const
/** Half of the runs, and all but the slowest hundredth. */
const QUANTILES = [0.5, 0.99] as const

export function judge(next: Counts, old: Counts, gate: RolloutGate): Judgement {
  const reason =
    worseShare(
      'runs that failed',
      [errorCount(next), next.requests],
      [errorCount(old), old.requests],
      gate.errors,
      mostOf(next.errors),
    ) ??
    worseShare(
      'answers of 500 and above',
      [next.serverErrors, next.requests],
      [old.serverErrors, old.requests],
      gate.serverErrors,
    ) ??
    slower('CPU', next.cpuSeconds, old.cpuSeconds, gate.latency) ??
    slower('wall', next.wallSeconds, old.wallSeconds, gate.latency)
  if (reason !== undefined) return { kind: 'worse', reason }
  return next.requests < gate.minRuns ? { kind: 'waiting', requests: next.requests } : { kind: 'healthy' }
}

type Part = readonly [cases: number, of: number]

function worseShare(
  what: string,
  next: Part,
  old: Part,
  threshold: number,
  more?: string,
): string | undefined {
  const before = old[1] < OLD_MIN ? NEVER : intervalOf(old)
  if (next[0] < CASES_MIN || leastRise(intervalOf(next), before) <= threshold) return undefined
  return `${what}: ${partText(next)} of the new version, ${partText(old)} of the old one${more ?? ''}`
}

const partText = ([cases, of]: Part): string => `${cases} of ${of}`

function mostOf(errors: Counts['errors']): string {
  const [most] = Object.entries(errors).toSorted(([, a], [, b]) => b - a)
  return most === undefined ? '' : ` (${most[0]})`
}

interface Interval {
  readonly low: number
  readonly share: number
  readonly high: number
}

const NEVER: Interval = { low: 0, share: 0, high: 0 }

/** Wilson's interval of a share. A request may fail more than once. */
function intervalOf([cases, of]: Part): Interval {
  if (of === 0) return cases > 0 ? { low: 1, share: 1, high: 1 } : { low: 0, share: 0, high: 1 }
  const share = Math.min(1, cases / of)
  const middle = share + Z ** 2 / (2 * of)
  const margin = Z * Math.sqrt((share * (1 - share)) / of + Z ** 2 / (4 * of ** 2))
  const whole = 1 + Z ** 2 / of
  return { low: (middle - margin) / whole, share, high: (middle + margin) / whole }
}

/** By how much the share rose, at least. */
const leastRise = (next: Interval, before: Interval): number =>
  next.share - before.share - Math.hypot(next.share - next.low, before.high - before.share)

/** Clearly more runs are beyond so many times the old version's time than may be. */
function slower(
  what: keyof typeof QUICK,
  next: HistogramValue | undefined,
  old: HistogramValue | undefined,
  factor: number,
): string | undefined {
  if (next === undefined || old === undefined) return undefined
  const runs = total(old)
  if (runs < OLD_MIN) return undefined
  for (const quantile of QUANTILES) {
    const bound = boundFrom(old, Math.max(factor * quantileOf(old, quantile), QUICK[what]))
    const beyond: Part = [above(next, bound), total(next)]
    const now = intervalOf(beyond)
    const isMore = now.low > 1 - quantile && leastRise(now, intervalOf([above(old, bound), runs])) > 0
    if (beyond[0] < CASES_MIN || !isMore) continue
    const [from, to] = [quantileOf(old, quantile), quantileOf(next, quantile)].map(timeText)
    return `${what} time: p${quantile * 100} ${to} of the new version, ${from} of the old one`
  }
  return undefined
}

const total = ({ counts }: HistogramValue): number => counts.reduce((sum, count) => sum + count, 0)

/** The smallest bound of a bucket that is not below. */
const boundFrom = ({ bounds }: HistogramValue, seconds: number): number =>
  bounds.find((bound) => bound >= seconds) ?? Infinity

const above = ({ bounds, counts }: HistogramValue, bound: number): number =>
  counts.reduce((sum, count, at) => sum + ((bounds[at] ?? Infinity) > bound ? count : 0), 0)

/** In seconds, within a bucket as if its runs lay evenly in it. What is beyond the last bound is there. */
export function quantileOf(histogram: HistogramValue, quantile: number): number {
  const { bounds, counts } = histogram
  let left = total(histogram) * quantile
  for (const [at, count] of counts.entries()) {
    const upper = bounds[at]
    if (upper === undefined) break
    if (left <= count && count > 0) {
      const lower = bounds[at - 1] ?? 0
      return lower + ((upper - lower) * left) / count
    }
    left -= count
  }
  return bounds.at(-1) ?? 0
}

const timeText = (seconds: number): string =>
  seconds >= 0.1 ? `${seconds.toFixed(2)} s` : `${(seconds * 1000).toFixed(2)} ms`

export type GateResult = { readonly gate: Partial<RolloutGate> } | { readonly problem: string }

/** `errors=1%,5xx=0.5%,latency=2x`: what is not named stays as it is by default. */
export function parseGate(text: string): GateResult {
  const gate: { -readonly [key in keyof RolloutGate]?: number } = {}
  for (const part of text.split(',')) {
    const [, name, value = ''] = /^\s*([\w-]+)=(.+?)\s*$/.exec(part) ?? []
    const share = value === '0%' ? 0 : parseShare(value)
    const factor = /^(\d+(?:\.\d+)?)x$/.exec(value)?.[1]
    if (name === 'errors' && share !== undefined) gate.errors = share
    else if (name === '5xx' && share !== undefined) gate.serverErrors = share
    else if (name === 'latency' && Number(factor) >= 1) gate.latency = Number(factor)
    else
      return {
        problem: `"${part.trim()}" is no condition; there are errors=1%, 5xx=1% (how much of a share more than the old version) and latency=2x (1x or more)`,
      }
  }
  return { gate }
}

/** By how much it may be worse. */
export const gateText = ({ errors, serverErrors, latency }: RolloutGate): string =>
  `errors +${shareText(errors)}, 5xx +${shareText(serverErrors)}, latency ${latency}x`
