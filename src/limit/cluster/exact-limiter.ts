/**
 * Asks Redis for every decision: no node allows what another one has given.
 *
 * The price is one way there and back for each request, and a script in Redis. Without an answer in time this node decides by itself, by its own
 * counter, which has counted all along what it allowed.
 */
import type { Decision } from '../limiter.ts'
import {
  checkCost,
  type ClusterLimiter,
  type ClusterLimiterParts,
  numbersOf,
  waitOf,
} from './cluster-limiter.ts'
import type { CounterLink, Reply } from './counter-link.ts'
import type { ClusterKey, Place } from './level-keys.ts'
import { Refusals } from './refusals.ts'

interface Question {
  readonly key: ClusterKey
  readonly cost: number
  readonly now: number
  readonly beside: string | undefined
}

export class ExactLimiter implements ClusterLimiter {
  readonly #parts: ClusterLimiterParts
  readonly #refusals = new Refusals()

  constructor(parts: ClusterLimiterParts) {
    this.#parts = parts
  }

  take(key: ClusterKey, cost: number, now: number, beside?: string): Decision | Promise<Decision> {
    checkCost(cost)
    const { counters, keys, counts, clock } = this.#parts
    if (counters.isAway) return this.#decideHere(key, cost, now, beside)
    const place = keys.of(key, beside)
    const link = counters.linkOf(place.tag)
    if (link === undefined) return this.#decideHere(key, cost, now, beside)
    const refused = this.#refusals.find(place.keys.at(-1)!, cost, clock.monotonic())
    if (refused === undefined) return this.#ask(link, place, { key, cost, now, beside })
    counts.cluster += 1
    return refused
  }

  #decideHere(key: ClusterKey, cost: number, now: number, beside: string | undefined): Decision {
    this.#parts.counts.local += 1
    return this.#parts.local.take(key, cost, now, beside)
  }

  async #ask(
    link: CounterLink,
    { keys: names, levels }: Place,
    { key, cost, now, beside }: Question,
  ): Promise<Decision> {
    const { counters, keys, local, counts, clock } = this.#parts
    const askedMs = clock.monotonic()
    let decision: Decision
    try {
      const args = [String(cost), ...levels.args]
      decision = decisionOf(await counters.run(link, keys.scripts.take, names, args))
    } catch {
      // Why is told by whoever looks after the servers.
      return this.#decideHere(key, cost, now, beside)
    }
    counts.cluster += 1
    if (decision.allowed) local.take(key, cost, now, beside)
    else this.#refusals.note(names.at(-1)!, cost, decision, askedMs)
    return decision
  }
}

function decisionOf(reply: Reply): Decision {
  const [allowed, remaining, wait, full] = numbersOf(reply, 5) as [number, number, number, number]
  return { allowed: allowed === 1, remaining, retryAfterMs: waitOf(wait), resetMs: full }
}
