/** A limiter as workers share it, in memory that this process alone has. */
import { randomBytes } from 'node:crypto'
import type { SketchOptions } from './limiter-options.ts'
import { layRegion, type LimiterPlan, regionWords, SEED_BYTES } from './region.ts'
import { SharedLimiter } from './shared-limiter.ts'

/** @throws RangeError that names what of the plan is out of its range. */
export function limiterAlone(plan: LimiterPlan): SharedLimiter {
  const words = new Int32Array(regionWords(plan))
  layRegion(words, plan, randomBytes(SEED_BYTES))
  return new SharedLimiter(plan, words, { worker: 0 })
}

const DEPTH = 3

/** Cells that count to `largest`, where nothing else is said. */
export const sketchFor = (
  { width, depth = DEPTH, cellBits }: SketchOptions,
  largest: number,
): LimiterPlan['sketch'] => ({ width, depth, cellBits: cellBits ?? (largest > 65_535 ? 32 : 16) })
