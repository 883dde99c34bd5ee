/** Window counters of the keys of this process in a sketch, in place of a state for each: memory does not grow with the keys. */
import type { RatePlan } from './algorithms/algorithm.ts'
import { MOMENT_MAX } from './algorithms/moment.ts'
import { limiterAlone, sketchFor } from './limiter-alone.ts'
import { checkSketch, type LimiterOptions, type StoreOptions } from './limiter-options.ts'
import type { Decision } from './limiter.ts'
import type { SharedLimiter } from './shared-limiter.ts'

export class SketchedKeys {
  readonly #limiter: SharedLimiter
  /** Windows of a sketch begin at 0: by so much its time is ahead where they shall begin elsewhere. */
  readonly #aheadMs: number

  constructor({ startMs = 0, ...plan }: RatePlan, options: StoreOptions) {
    this.#limiter = limiterAlone({
      ...plan,
      store: options.store ?? 'sketch',
      keysMax: 1,
      replacement: 's3-fifo',
      sketch: sketchFor(options.sketch ?? {}, plan.count),
    })
    this.#aheadMs = (plan.windowMs - (startMs % plan.windowMs)) % plan.windowMs
  }

  take(key: string, cost: number, now: number): Decision {
    return this.#limiter.take(key, cost, Math.min(now + this.#aheadMs, MOMENT_MAX))
  }
}

/** Undefined: keys are to be remembered one by one. @throws TypeError or RangeError that names the option. */
export function sketchedKeys(
  plan: RatePlan,
  options: LimiterOptions<never> & StoreOptions,
): SketchedKeys | undefined {
  const { store = 'exact', sketch, keysMax } = options
  if (sketch !== undefined) checkSketch(sketch)
  if (store === 'exact') {
    if (sketch !== undefined) throw new TypeError(`sketch: expected with store: 'sketch' alone`)
    return undefined
  }
  if (keysMax !== undefined)
    throw new TypeError(`keysMax: a sketch has no places for keys; how large it is, sketch: { width } says`)
  return new SketchedKeys(plan, options)
}
