/** What versions did in a while: samples of nodes, less those from its beginning, added up. */
import { combineHistograms } from '../../base/histogram.ts'
import type { HistogramValue } from '../../contract/messages.ts'
import type { RolloutSample } from '../../contract/rollout.ts'
import type { FailureReason } from '../../contract/unit.ts'

export interface Counts {
  readonly requests: number
  readonly serverErrors: number
  readonly errors: Readonly<Partial<Record<FailureReason, number>>>
  readonly cpuSeconds: HistogramValue | undefined
  readonly wallSeconds: HistogramValue | undefined
}

export const NO_COUNTS: Counts = {
  requests: 0,
  serverErrors: 0,
  errors: {},
  cpuSeconds: undefined,
  wallSeconds: undefined,
}

export const errorCount = ({ errors }: Counts): number =>
  Object.values(errors).reduce((sum, count) => sum + count, 0)

/**
 * Counts since a moment. An instance that has counted for longer counts from when it is first seen; one that began later counts in full.
 * Names of nodes tell nothing: several edges may have one name, or none.
 */
export class CountsWindow {
  readonly #beganMs: number
  /** By instance; undefined where it counts in full. */
  readonly #first = new Map<string, Counts | undefined>()
  readonly #last = new Map<string, Counts>()

  /** By the clock of `take`. */
  constructor(beganMs: number) {
    this.#beganMs = beganMs
  }

  take(samples: readonly RolloutSample[], nowMs: number): void {
    for (const sample of samples) {
      const { instance, countedForMs } = sample
      const isLater = countedForMs < nowMs - this.#beganMs
      if (!this.#first.has(instance)) this.#first.set(instance, isLater ? undefined : sample)
      this.#last.set(instance, sample)
    }
  }

  get counts(): Counts {
    let sum = NO_COUNTS
    for (const [key, last] of this.#last) {
      const first = this.#first.get(key)
      sum = added(sum, first ? less(last, first) : last)
    }
    return sum
  }
}

export const added = (a: Counts, b: Counts): Counts => combined(a, b, (one, other) => one + other)

/** Never below zero: a process that died took a little along. */
const less = (a: Counts, b: Counts): Counts => combined(a, b, (one, other) => Math.max(0, one - other))

function combined(a: Counts, b: Counts, join: (one: number, other: number) => number): Counts {
  const reasons = [...new Set([...Object.keys(a.errors), ...Object.keys(b.errors)])] as FailureReason[]
  return {
    requests: join(a.requests, b.requests),
    serverErrors: join(a.serverErrors, b.serverErrors),
    errors: Object.fromEntries(
      reasons.map((reason) => [reason, join(a.errors[reason] ?? 0, b.errors[reason] ?? 0)]),
    ),
    cpuSeconds: joined(a.cpuSeconds, b.cpuSeconds, join),
    wallSeconds: joined(a.wallSeconds, b.wallSeconds, join),
  }
}

function joined(
  a: HistogramValue | undefined,
  b: HistogramValue | undefined,
  join: (one: number, other: number) => number,
): HistogramValue | undefined {
  if (a === undefined && b === undefined) return undefined
  return combineHistograms(a ?? emptyAs(b!), b ?? emptyAs(a!), join)
}

const emptyAs = ({ bounds, counts }: HistogramValue): HistogramValue => ({
  bounds,
  counts: counts.map(() => 0),
  sum: 0,
})
