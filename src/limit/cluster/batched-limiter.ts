/**
 * Decides of a share of the allowance that Redis has set aside for this worker, and settles with the others each `settle`.
 *
 * A share is counted in Redis when it is set aside, not when it is taken: so all nodes together never give more than Redis allows, but later than it
 * allowed, by two settlings at most. What is not taken goes back. Where no share is left, and the key is not known to be used up, the request
 * waits for one answer, as with an exact limit; where the key was not known at all, up to a tenth of its allowance (divided by all workers) is given
 * at once, and told right behind. What follows for the overshoot is in docs/guides/limits.md, with its proof.
 */
import { every } from '../../base/timers.ts'
import type { Decision } from '../limiter.ts'
import {
  checkCost,
  type ClusterLimiter,
  type ClusterLimiterParts,
  numbersOf,
  waitOf,
} from './cluster-limiter.ts'
import type { CounterLink } from './counter-link.ts'
import type { ClusterKey, Place } from './level-keys.ts'
import type { Participants } from './participants.ts'
import { Refusals } from './refusals.ts'
import { type Lot, Share } from './share.ts'

/** Keys whose share is known; more are asked for each time. */
const SHARES_MAX = 20_000
/** Requests that wait for an answer; more are decided here. */
const WAITING_MAX = 10_000
/** No question is on its way for longer: see `timeout` in the configuration. */
const ANSWERED_MS = 10_000
/** Of an allowance, what all workers together may give before Redis was asked. */
const GIVEN_UNASKED = 0.1
/** A lot is good for so many settlings. */
const LOT_SETTLINGS = 2
/** Old shares that are looked at each time. */
const SWEPT = 200
/** More than was taken is asked for: what grows goes on growing. */
const HEADROOM = 1.25
/** Of the time in which all of a key's allowance comes back, what has to pass before it is asked for again. */
const ASKED_AGAIN = 0.25

export interface BatchedLimiterParts extends ClusterLimiterParts {
  readonly settleMs: number
  readonly participants: Participants
  /** A new key is to get no burst: then nothing is given unasked. */
  readonly startFull: boolean
}

interface Question {
  readonly key: ClusterKey
  readonly cost: number
  readonly now: number
  readonly beside: string | undefined
}

/** A request that waits for an answer. */
interface Waiting extends Question {
  readonly resolve: (decision: Decision) => void
}

type Seven = [number, number, number, number, number, number, number]

interface Settled {
  readonly isAllowed: boolean
  readonly aside: number
  readonly remaining: number
  readonly waitMs: number
  readonly fullMs: number
  /** How long what was set aside is good for; -1: no end. */
  readonly stillMs: number
  readonly at: number
}

export class BatchedLimiter implements ClusterLimiter {
  readonly #parts: BatchedLimiterParts
  readonly #refusals: Refusals
  readonly #shares = new Map<string, Share>()
  readonly #waiting = new Map<Share, Waiting[]>()
  #waitingCount = 0
  /** Those that were used, or hold something. */
  readonly #active = new Set<Share>()
  /** Until then a key that is not known may be one that had to be forgotten. */
  #crowdedUntilMs = -Infinity
  /** Undefined while no share is active: a limiter that nobody asks any more does nothing. */
  #callOff: (() => void) | undefined

  constructor(parts: BatchedLimiterParts) {
    this.#parts = parts
    // Others may give back what they do not need.
    this.#refusals = new Refusals(parts.settleMs)
  }

  take(key: ClusterKey, cost: number, now: number, beside?: string): Decision | Promise<Decision> {
    checkCost(cost)
    const { counters, keys, counts, clock } = this.#parts
    const question = { key, cost, now, beside }
    if (counters.isAway) return this.#decideHere(question)
    const place = keys.of(key, beside)
    const link = counters.linkOf(place.tag)
    if (link === undefined) return this.#decideHere(question)
    const nowMs = clock.monotonic()
    const name = nameOf(place)
    const refused = this.#refusals.find(name, cost, nowMs)
    if (refused !== undefined) {
      counts.cluster += 1
      return refused
    }
    const share = this.#shareOf(name, place, nowMs)
    this.#keepSettling(share)
    if (share.spend(cost, nowMs)) return this.#allow(share, question, nowMs)
    const isUnknown = nowMs >= share.fullAtMs
    if (cost > 0 && isUnknown && share.untold + cost <= this.#givenUnasked(place, nowMs)) {
      share.untold += cost
      share.spent += cost
      if (!share.isAsking) void this.#ask(link, share)
      counts.cluster += 1
      return { ...this.#parts.local.take(key, cost, now, beside), allowed: true, retryAfterMs: 0 }
    }
    if (this.#waitingCount >= WAITING_MAX) return this.#decideHere(question)
    const { promise, resolve } = Promise.withResolvers<Decision>()
    this.#waitingCount += 1
    const waiting = this.#waiting.get(share) ?? []
    if (waiting.length === 0) this.#waiting.set(share, waiting)
    waiting.push({ ...question, resolve })
    if (!share.isAsking) void this.#ask(link, share)
    return promise
  }

  #decideHere({ key, cost, now, beside }: Question): Decision {
    this.#parts.counts.local += 1
    return this.#parts.local.take(key, cost, now, beside)
  }

  #allow(share: Share, { key, cost, now, beside }: Question, nowMs: number): Decision {
    this.#parts.counts.cluster += 1
    this.#parts.local.take(key, cost, now, beside)
    return {
      allowed: true,
      remaining: share.remaining + share.unitsAt(nowMs),
      retryAfterMs: 0,
      resetMs: Math.max(0, Math.ceil(share.fullAtMs - nowMs)),
    }
  }

  /** Units that a worker may give of a key that it knows nothing of. */
  #givenUnasked({ levels }: Place, nowMs: number): number {
    const { participants, startFull } = this.#parts
    // A wide prefix has as many keys behind it as somebody wants: what is given to each of them is no part of its own.
    if (startFull || levels.count > 1 || nowMs < this.#crowdedUntilMs || !participants.isSettled) return 0
    return Math.floor((levels.full * GIVEN_UNASKED) / participants.count)
  }

  /** Asks for whoever waits, and for what is expected. One question a key is on its way at a time. */
  async #ask(link: CounterLink, share: Share): Promise<void> {
    const { participants, clock } = this.#parts
    share.isAsking = true
    const { untold } = share
    const [first, ...others] = this.#waiting.get(share) ?? []
    const needed = others.reduce((sum, { cost }) => sum + cost, 0)
    const askedMs = clock.monotonic()
    const expected = Math.ceil(HEADROOM * Math.max(share.expected, share.spent))
    const wanted = Math.max(0, expected - share.unitsAt(askedMs))
    const numbers = [untold, first?.cost ?? 0, needed, wanted, participants.count + 1, 0, 0]
    let settled: Settled
    try {
      settled = await this.#settle(link, share.place, numbers)
    } catch {
      share.isAsking = false
      this.#decideWaitingHere(share)
      return
    }
    share.isAsking = false
    share.untold -= untold
    this.#learn(share, settled, askedMs)
    if (first !== undefined) {
      this.#waiting.get(share)!.shift()
      this.#waitingCount -= 1
      this.#answer(share, first, settled, askedMs)
    }
    this.#serveWaiting(share)
    // What was given while this was on its way.
    if (share.untold > 0 && !share.isAsking && link.isUsable) void this.#ask(link, share)
  }

  async #settle(
    link: CounterLink,
    { keys: names, levels }: Place,
    numbers: readonly number[],
  ): Promise<Settled> {
    const { counters, keys } = this.#parts
    const args = [...numbers.map(String), ...levels.args]
    const reply = numbersOf(await counters.run(link, keys.scripts.settle, names, args), 7)
    const [isAllowed, aside, remaining, waitMs, fullMs, stillMs, at] = reply as Seven
    return { isAllowed: isAllowed === 1, aside, remaining, waitMs: waitOf(waitMs), fullMs, stillMs, at }
  }

  #learn(share: Share, { aside, remaining, fullMs, stillMs, at }: Settled, askedMs: number): void {
    const { clock, settleMs } = this.#parts
    share.remaining = remaining
    // From its answer on: no earlier than Redis means it.
    share.fullAtMs = clock.monotonic() + fullMs
    const name = nameOf(share.place)
    if (this.#shares.get(name) === share) {
      // To the end: it is the last to be forgotten.
      this.#shares.delete(name)
      this.#shares.set(name, share)
    } else this.#forgot(share.fullAtMs)
    if (aside === 0) return
    // From the question on: no later than Redis means it.
    const goodMs = Math.min(LOT_SETTLINGS * settleMs, stillMs < 0 ? Infinity : stillMs)
    share.lots.push({ units: aside, untilMs: askedMs + goodMs, at })
    this.#keepSettling(share)
  }

  #answer(share: Share, waiting: Waiting, settled: Settled, askedMs: number): void {
    const { clock, counts } = this.#parts
    const { cost, resolve } = waiting
    if (settled.isAllowed) {
      share.spent += cost
      resolve(this.#allow(share, waiting, clock.monotonic()))
      return
    }
    const { remaining, waitMs, fullMs: resetMs } = settled
    // What is used up is asked for again when some of it has come together, and not for each unit; nothing of it is lost meanwhile.
    const retryAfterMs = Math.max(waitMs, Math.min(this.#parts.settleMs, Math.floor(resetMs * ASKED_AGAIN)))
    const refusal: Decision = { allowed: false, remaining, retryAfterMs, resetMs }
    this.#refusals.note(nameOf(share.place), cost, refusal, askedMs)
    counts.cluster += 1
    resolve(refusal)
  }

  /** In the order in which they came, as far as the share goes; the next one asks again. */
  #serveWaiting(share: Share): void {
    const { counters, counts, clock } = this.#parts
    const waiting = this.#waiting.get(share) ?? []
    const name = nameOf(share.place)
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const { cost, resolve } = next
      const nowMs = clock.monotonic()
      const refused = this.#refusals.find(name, cost, nowMs)
      if (refused !== undefined) {
        counts.cluster += 1
        resolve(refused)
      } else if (share.spend(cost, nowMs)) resolve(this.#allow(share, next, nowMs))
      else break
      waiting.shift()
      this.#waitingCount -= 1
    }
    if (waiting.length === 0) {
      this.#waiting.delete(share)
      return
    }
    const link = counters.linkOf(share.place.tag)
    if (link === undefined) this.#decideWaitingHere(share)
    else void this.#ask(link, share)
  }

  #decideWaitingHere(share: Share): void {
    const waiting = this.#waiting.get(share) ?? []
    this.#waiting.delete(share)
    this.#waitingCount -= waiting.length
    for (const one of waiting) one.resolve(this.#decideHere(one))
  }

  #shareOf(name: string, place: Place, nowMs: number): Share {
    let share = this.#shares.get(name)
    if (share !== undefined) return share
    if (this.#shares.size >= SHARES_MAX) {
      const [oldestName, oldest] = this.#shares.entries().next().value!
      this.#shares.delete(oldestName)
      // What is on its way to Redis is told when its answer comes: see `#learn`.
      this.#forgot(oldest.isAsking ? nowMs + ANSWERED_MS : oldest.fullAtMs)
    }
    share = new Share(place)
    this.#shares.set(name, share)
    return share
  }

  #forgot(fullAtMs: number): void {
    this.#crowdedUntilMs = Math.max(this.#crowdedUntilMs, fullAtMs)
  }

  #keepSettling(share: Share): void {
    this.#active.add(share)
    this.#callOff ??= every(this.#parts.timers, this.#parts.settleMs, () => this.#settleAll())
  }

  #settleAll(): void {
    const { clock, counters } = this.#parts
    const nowMs = clock.monotonic()
    for (const share of this.#active) {
      const link = counters.linkOf(share.place.tag)
      const isIdle = share.spent === 0
      // What is over, too: of a window it may still be of use to others.
      const back = isIdle ? share.lots : share.lots.filter(({ untilMs }) => untilMs <= nowMs)
      share.lots = share.lots.filter((lot) => !back.includes(lot))
      if (link !== undefined) for (const lot of back) this.#giveBack(link, share, lot)
      if (isIdle) {
        share.expected = 0
        if (!share.isAsking && !this.#waiting.has(share)) this.#active.delete(share)
        continue
      }
      share.expected = Math.max(share.spent, Math.floor(share.expected / 2))
      share.spent = 0
      const hasToAsk = share.untold > 0 || this.#isShort(share, nowMs)
      if (link !== undefined && !share.isAsking && hasToAsk) void this.#ask(link, share)
    }
    this.#sweep(nowMs)
    if (this.#active.size > 0) return
    this.#callOff?.()
    this.#callOff = undefined
  }

  /** Whether what it holds does not last until shares are settled again. */
  #isShort(share: Share, nowMs: number): boolean {
    if (share.remaining === 0 && nowMs < share.fullAtMs && share.lots.length === 0) return false
    return share.unitsAt(nowMs + this.#parts.settleMs) < share.expected
  }

  #giveBack(link: CounterLink, { place }: Share, { units, at }: Lot): void {
    // Where that is lost, it is as if it had been taken.
    this.#settle(link, place, [0, 0, 0, 0, 1, units, at]).catch(() => undefined)
  }

  #sweep(nowMs: number): void {
    let left = SWEPT
    for (const [name, share] of this.#shares) {
      if (left-- === 0) return
      const isIdle = !this.#active.has(share) && share.untold === 0 && !share.isAsking
      if (isIdle && nowMs >= share.fullAtMs) this.#shares.delete(name)
    }
  }
}

/** The finest of its keys. */
const nameOf = ({ keys }: Place): string => keys.at(-1)!
