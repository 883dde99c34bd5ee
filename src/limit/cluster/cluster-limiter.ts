/** What every limit over all nodes is, whichever way it counts. */
import type { Clock } from '../../base/clock.ts'
import type { Timers } from '../../base/timers.ts'
import type { Decision } from '../limiter.ts'
import type { CounterLink, Reply } from './counter-link.ts'
import type { ClusterKey, LevelKeys } from './level-keys.ts'
import type { Script } from './scripts.ts'

/** Where this node counts for itself. */
export interface LocalCounter {
  take(key: ClusterKey, cost: number, now: number, beside?: string): Decision
}

export interface ClusterLimiter {
  /**
   * A promise where Redis is asked, which never rejects: what has no answer in time is decided here. `now` is the moment on the clock of the local
   * counter; Redis has its own. `beside`: see `SharedLimiter`.
   */
  take(key: ClusterKey, cost: number, now: number, beside?: string): Decision | Promise<Decision>
}

/** What limiters ask. */
export interface CounterServers {
  /** No key has a link. */
  readonly isAway: boolean
  /** Undefined while it is away: then nothing is asked. */
  linkOf(tag: string): CounterLink | undefined
  run(link: CounterLink, script: Script, keys: readonly string[], args: readonly string[]): Promise<Reply>
}

/** Who decided, and how often. */
export interface DecisionCounts {
  /** What all nodes know: asked, or a share of it. */
  cluster: number
  /** This node alone. */
  local: number
}

export interface ClusterLimiterParts {
  readonly counters: CounterServers
  readonly keys: LevelKeys
  /** Counts all the time what was allowed, so that it knows what was used when it has to decide. */
  readonly local: LocalCounter
  readonly counts: DecisionCounts
  readonly clock: Clock
  readonly timers: Timers
}

/** -1 of a script is never. */
export const waitOf = (ms: number): number => (ms < 0 ? Infinity : ms)

/** What a script answers. Throws where it is something else: then it is no Redis. */
export function numbersOf(reply: Reply, count: number): readonly number[] {
  const isRight = Array.isArray(reply) && reply.length === count && reply.every(Number.isSafeInteger)
  if (!isRight) throw new Error('what answers there is not Redis')
  return reply as readonly number[]
}

/** The RangeError that a local limiter throws, before anything is asked. */
export function checkCost(cost: number): void {
  if (!Number.isSafeInteger(cost) || cost < 0)
    throw new RangeError(`cost: expected a whole number from 0, not ${String(cost)}`)
}
