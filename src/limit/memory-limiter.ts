/** What the limiters of one process have in common: an algorithm, the states of its keys, a clock, and items that are handed on or dropped. */
import { type Algorithm, type AlgorithmName, createAlgorithm } from './algorithms/algorithm.ts'
import { MOMENT_MAX, momentOn } from './algorithms/moment.ts'
import { told, whole } from './algorithms/plan.ts'
import { KeyStates } from './key-states.ts'
import { keysMaxOf, type LimiterOptions, planOf } from './limiter-options.ts'
import type { Decision, Limiter } from './limiter.ts'
import { type SketchedKeys, sketchedKeys } from './sketched-keys.ts'

export abstract class MemoryLimiter<Item = unknown> implements Limiter {
  readonly #algorithm: Algorithm
  readonly #keys: KeyStates
  readonly #sketch: SketchedKeys | undefined
  readonly #clock: () => number
  readonly #options: LimiterOptions<Item>

  /** @throws TypeError or RangeError that names the option. */
  protected constructor(name: AlgorithmName, options: LimiterOptions<Item>) {
    const plan = planOf(name, options)
    this.#algorithm = createAlgorithm(plan)
    this.#sketch = sketchedKeys(plan, options)
    this.#keys = new KeyStates(this.#algorithm, keysMaxOf(options, this.#algorithm))
    this.#clock = options.clock ?? (() => performance.now())
    this.#options = options
  }

  /** Keys that are remembered one by one, `keysMax` at most; of a sketch, 0. */
  get size(): number {
    return this.#keys.size
  }

  /**
   * Takes `cost` units of what `key` may take, all or none, and says whether it did, what is left, and when it is worth asking again.
   *
   * `cost` is a whole number from 0, 1 where none is given; 0 takes nothing, is always allowed, and shows what is left. More than can ever be
   * allowed at once is refused, with `retryAfterMs` being `Infinity`. `now` is whole milliseconds from 0 on; where none is given, the clock is asked. A time
   * up to ten seconds before one that was seen counts as that; one further back, as a clock that was set: what was used stays used.
   * @throws TypeError where the key is no string, RangeError where cost or time are no such numbers.
   */
  take(key: string, cost = 1, now = this.now()): Decision {
    if (typeof key !== 'string') throw new TypeError(`key: expected a string, not ${told(key)}`)
    if (cost !== 1 && !(Number.isSafeInteger(cost) && cost >= 0))
      whole('cost', cost, 0, Number.MAX_SAFE_INTEGER)
    if (!(Number.isInteger(now) && now >= 0 && now <= MOMENT_MAX)) whole('now', now, 0, MOMENT_MAX)
    if (this.#sketch !== undefined) return this.#sketch.take(key, cost, now)
    this.#keys.find(key, now)
    return this.#algorithm.take(this.#keys.state, this.#keys.at, cost, now)
  }

  /**
   * Takes what an item costs, and gives it to `forward` where that was allowed, to `drop` where it was not.
   * @throws TypeError where the limiter was made without `forward`.
   */
  handle(item: Item): Decision {
    const decision = this.decide(item)
    if (decision.allowed) this.forward(item)
    else this.drop(item, decision)
    return decision
  }

  protected decide(item: Item, now = this.now()): Decision {
    const { forward, key, cost } = this.#options
    if (forward === undefined)
      throw new TypeError(
        'handle needs somebody to give items to: make the limiter with { forward: (item) => …, drop: (item) => … }',
      )
    return this.take(key === undefined ? '' : key(item), cost === undefined ? 1 : cost(item), now)
  }

  protected forward(item: Item): void {
    this.#options.forward?.(item)
  }

  protected drop(item: Item, decision: Decision): void {
    this.#options.drop?.(item, decision)
  }

  /** Whole milliseconds of the clock. */
  protected now(): number {
    return momentOn(this.#clock)
  }
}
