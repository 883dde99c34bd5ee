/** What the algorithms have in common that keep one level: all but how they decide. */
import type { Decision } from '../limiter.ts'
import type { Algorithm, AlgorithmName } from './algorithm.ts'
import { Level, LEVEL_WORDS } from './level.ts'
import type { RatePlan } from './plan.ts'

export abstract class LevelAlgorithm implements Algorithm {
  readonly name: AlgorithmName
  readonly words = LEVEL_WORDS
  readonly layout: string
  readonly costMax: number
  protected readonly level: Level

  /** `units`: as high as the level can be. @throws RangeError where so many cannot be counted exactly */
  protected constructor(name: AlgorithmName, plan: RatePlan, units: number) {
    this.name = name
    this.costMax = units
    this.level = new Level(plan, units)
    this.layout = `${name}/${this.level.layout}`
  }

  abstract take(state: Float64Array, at: number, cost: number, now: number): Decision

  isIdle(state: Float64Array, at: number, now: number): boolean {
    return this.level.read(state, at, now) === 0
  }

  used(state: Float64Array, at: number, now: number): number {
    return this.level.used(state, at, now)
  }

  load(state: Float64Array, at: number, used: number, now: number): void {
    this.level.load(state, at, used, now)
  }

  merge(state: Float64Array, at: number, words: Float64Array, other: number, now: number): void {
    this.level.merge(state, at, words, other, now)
  }
}
