/**
 * The eight algorithms a second time, as their definitions say them: fractions of BigInt, lists of all that was taken, nothing folded together.
 * Slow, and written without a look at the others, so that both are only alike where both are right.
 */
import type { RatePlan } from './plan.ts'

/** Whether a cost is taken at a moment, and how long it has to wait: undefined where it is refused. */
export interface Oracle {
  take(cost: number, now: number): number | undefined
  copy(): Oracle
}

interface Taken {
  readonly at: number
  readonly cost: number
}

type Allows = (taken: readonly Taken[], cost: number, now: number, first: number) => boolean

/** Decides by all that was taken so far, and by when the first question was. */
class History implements Oracle {
  readonly #allows: Allows
  readonly #taken: Taken[]
  #first: number | undefined

  constructor(allows: Allows, taken: readonly Taken[] = [], first?: number) {
    this.#allows = allows
    this.#taken = [...taken]
    this.#first = first
  }

  take(cost: number, now: number): number | undefined {
    this.#first ??= now
    if (!this.#allows(this.#taken, cost, now, this.#first)) return undefined
    this.#taken.push({ at: now, cost })
    return 0
  }

  copy(): Oracle {
    return new History(this.#allows, this.#taken, this.#first)
  }
}

const sum = (taken: readonly Taken[]): number => taken.reduce((total, { cost }) => total + cost, 0)

const ceilOver = (a: bigint, b: bigint): bigint => (a + b - 1n) / b

/** Tokens as a fraction over the window: starts full, fills up from one event to the next. */
const tokenBucket = ({ count, windowMs, burst = count }: RatePlan): Oracle =>
  new History((taken, cost, now) => {
    const full = BigInt(burst) * BigInt(windowMs)
    let tokens = full
    let last = taken[0]?.at ?? now
    for (const one of [...taken, { at: now, cost: 0 }]) {
      tokens += BigInt(one.at - last) * BigInt(count)
      if (tokens > full) tokens = full
      tokens -= BigInt(one.cost) * BigInt(windowMs)
      last = one.at
    }
    return BigInt(cost) * BigInt(windowMs) <= tokens
  })

/** The water at a moment is the most that any start in the past would have left in the bucket: poured since then, less what leaked since. */
const leakyBucket = ({ count, windowMs, burst = count }: RatePlan): Oracle =>
  new History((taken, cost, now) => {
    let water = 0n
    let poured = 0n
    for (const one of taken.toReversed()) {
      poured += BigInt(one.cost) * BigInt(windowMs)
      const left = poured - BigInt(now - one.at) * BigInt(count)
      if (left > water) water = left
    }
    return water + BigInt(cost) * BigInt(windowMs) <= BigInt(burst) * BigInt(windowMs)
  })

/** ITU-T I.371: the theoretical arrival time, in milliseconds × count, of one cell after the other. */
const gcra = ({ count, windowMs, burst = count - 1 }: RatePlan): Oracle => {
  const interval = BigInt(windowMs)
  const after = (tat: bigint | undefined, now: number): bigint | undefined => {
    const arrival = BigInt(now) * BigInt(count)
    const due = tat ?? arrival
    if (arrival < due - BigInt(burst) * interval) return undefined
    return (due > arrival ? due : arrival) + interval
  }
  return new History((taken, cost, now) => {
    let tat: bigint | undefined
    for (const one of taken) for (let cell = 0; cell < one.cost; cell += 1) tat = after(tat, one.at)
    for (let cell = 0; cell < cost; cell += 1) {
      tat = after(tat, now)
      if (tat === undefined) return false
    }
    return true
  })
}

const windowOf = (now: number, { windowMs, startMs = 0 }: RatePlan): number =>
  Math.floor((now - startMs) / windowMs)

const fixedWindow = (plan: RatePlan): Oracle =>
  new History((taken, cost, now) => {
    const inWindow = taken.filter(({ at }) => windowOf(at, plan) === windowOf(now, plan))
    return sum(inWindow) + cost <= plan.count
  })

/** Unit by unit: each is held against the estimate of what came before it, as fractions over the window. */
const slidingWindow = (plan: RatePlan): Oracle =>
  new History((taken, cost, now, first) => {
    const { count, windowMs, startMs = 0 } = plan
    const window = windowOf(now, plan)
    let current = sum(taken.filter(({ at }) => windowOf(at, plan) === window))
    let previous = sum(taken.filter(({ at }) => windowOf(at, plan) === window - 1))
    // A key is new in the window of its first question; the one before was full.
    if (plan.startFull === true && windowOf(first, plan) === window) previous = count
    const elapsed = now - startMs - window * windowMs
    for (let unit = 0; unit < cost; unit += 1) {
      const estimate = BigInt(previous) * BigInt(windowMs - elapsed) + BigInt(current) * BigInt(windowMs)
      if (estimate > BigInt(count) * BigInt(windowMs) || current >= count) return false
      current += 1
    }
    return true
  })

const slidingLog = ({ count, windowMs }: RatePlan): Oracle =>
  new History((taken, cost, now) => sum(taken.filter(({ at }) => at > now - windowMs)) + cost <= count)

/** Every departure as a fraction of milliseconds over the count: who has not left yet waits. */
class Queue implements Oracle {
  readonly #plan: RatePlan
  /** When each unit that came leaves, or would if a cost were that many units; in milliseconds × count. */
  readonly #departures: bigint[]

  constructor(plan: RatePlan, departures: readonly bigint[] = []) {
    this.#plan = plan
    this.#departures = [...departures]
  }

  take(cost: number, now: number): number | undefined {
    const { count, windowMs, queue = count } = this.#plan
    const arrival = BigInt(now) * BigInt(count)
    const departures = [...this.#departures]
    let first: bigint | undefined
    for (let unit = 0; unit < cost; unit += 1) {
      const after = departures.at(-1)
      const due =
        after === undefined || after + BigInt(windowMs) < arrival ? arrival : after + BigInt(windowMs)
      departures.push(due)
      first ??= due
    }
    if (departures.filter((due) => due > arrival).length > queue) return undefined
    this.#departures.splice(0, Infinity, ...departures)
    return first === undefined ? 0 : Number(ceilOver(first - arrival, BigInt(count)))
  }

  copy(): Oracle {
    return new Queue(this.#plan, this.#departures)
  }
}

/** What each frame sends, and the frame that the last item is in: nothing goes into one before it. */
class Frames implements Oracle {
  readonly #plan: RatePlan
  readonly #sent: Map<number, number>
  #last: number

  constructor(plan: RatePlan, sent: ReadonlyMap<number, number> = new Map(), last = -Infinity) {
    this.#plan = plan
    this.#sent = new Map(sent)
    this.#last = last
  }

  take(cost: number, now: number): number | undefined {
    if (cost === 0) return 0
    const { count, windowMs, startMs = 0, queue = count } = this.#plan
    if (cost > count) return undefined
    const current = windowOf(now, this.#plan)
    let frame = Math.max(current, this.#last)
    if ((this.#sent.get(frame) ?? 0) + cost > count) frame += 1
    const into = this.#sent.get(frame) ?? 0
    // Who waits, and rests of frames that were too small for the next.
    if ((frame - current) * count + into + cost > count + queue) return undefined
    this.#sent.set(frame, into + cost)
    this.#last = frame
    return Math.max(0, startMs + frame * windowMs - now)
  }

  copy(): Oracle {
    return new Frames(this.#plan, this.#sent, this.#last)
  }
}

const ORACLES: Readonly<Record<RatePlan['algorithm'], (plan: RatePlan) => Oracle>> = {
  'token-bucket': tokenBucket,
  'leaky-bucket': leakyBucket,
  gcra,
  'fixed-window': fixedWindow,
  'sliding-window': slidingWindow,
  'sliding-log': slidingLog,
  'leaky-queue': (plan) => new Queue(plan),
  shaper: (plan) => new Frames(plan),
}

export const oracleOf = (plan: RatePlan): Oracle => ORACLES[plan.algorithm](plan)
