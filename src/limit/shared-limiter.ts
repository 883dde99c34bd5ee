/**
 * A rate limiter whose state lies in memory that all workers of a node share: what one of them gives, no other gives again.
 *
 * Keys are texts or addresses. An address is limited by its prefixes, where the plan has some, the shortest first; `::ffff:192.0.2.1` is the IPv4 address.
 * With a table, levels are looked at first and taken from then; where another process takes the last of one in between, what was taken from
 * the shorter ones stays taken.
 */
import type { IpAddress } from '../base/ip-address.ts'
import { whole } from './algorithms/plan.ts'
import { MOMENT_MAX } from './algorithms/moment.ts'
import { EvictedMemory } from './evicted-memory.ts'
import { KeyedHash } from './keyed-hash.ts'
import type { Decision, Limiter } from './limiter.ts'
import { layoutOf, type Level, type LimiterPlan, openRegion } from './region.ts'
import { enter, OWNERS_MAX } from './shared-lock.ts'
import { SketchGenerations } from './sketch-generations.ts'
import { blocksOf, SketchLimiter } from './sketch-limiter.ts'
import { ExactTable } from './table.ts'

/** A decision, and the prefix length that it is about: the one that refused, or the one with the least left. Absent for keys without prefixes. */
export interface LevelDecision extends Decision {
  readonly level?: number
}

export class SharedLimiter implements Limiter<string | IpAddress> {
  readonly #hash: KeyedHash
  readonly #levels: readonly Level[]
  readonly #firstV4: number
  readonly #firstV6: number
  readonly #table: ExactTable | undefined
  readonly #sketch: SketchLimiter | undefined
  /** Two words a level. */
  readonly #hashes: Int32Array

  /**
   * `words` were made by `layRegion` for a plan with the same `regionIdentity`; `worker` is a number (0 to 1022) that no other process with these words has.
   * @throws RangeError where the plan is out of its range, Error where the words are not those of the plan.
   */
  constructor(plan: LimiterPlan, words: Int32Array, { worker }: { readonly worker: number }) {
    const layout = layoutOf(plan)
    const { hashKey, secret } = openRegion(words, layout)
    whole('worker', worker, 0, OWNERS_MAX - 1)
    const owner = worker + 1
    enter(words, owner)
    this.#hash = new KeyedHash(hashKey[0], hashKey[1])
    this.#levels = layout.levels
    this.#firstV4 = layout.firstV4
    this.#firstV6 = layout.firstV6
    this.#hashes = new Int32Array(layout.levels.length * 2)
    const algorithms = layout.levels.map(({ algorithm }) => algorithm)
    const { table, locksAt, sketchShape } = layout
    if (table === undefined) {
      const blocks = blocksOf(sketchShape)
      const sketches = layout.sketches.map(
        ({ at }, number) => new SketchGenerations(words, at, sketchShape, { secret, number, owner, blocks }),
      )
      const ofLevels = layout.levels.map(({ sketch }) => sketches[sketch]!)
      this.#sketch = new SketchLimiter(words, locksAt, { owner, algorithms, sketches: ofLevels, blocks })
    } else {
      const memory = new EvictedMemory(words, locksAt, table.memory, { owner, algorithms, secret })
      this.#table = new ExactTable(words, layout.tableAt, table, { owner, algorithms, memory })
    }
  }

  /** `beside` are the other parts of a key that has an address in it: the address counts for each of them by itself. */
  take(key: string | IpAddress, cost: number, now: number, beside?: string): LevelDecision {
    if (!(cost >= 0 && cost <= Number.MAX_SAFE_INTEGER && Number.isInteger(cost)))
      whole('cost', cost, 0, Number.MAX_SAFE_INTEGER)
    if (!(now >= 0 && now <= MOMENT_MAX && Number.isInteger(now))) whole('now', now, 0, MOMENT_MAX)
    const hash = this.#hash
    if (typeof key === 'string') {
      hash.ofText(key, 0)
      return this.#takeOne(cost, now)
    }
    let kind = 0
    if (beside !== undefined) {
      hash.ofText(beside, 1)
      kind = hash.high
    }
    const isV4 = key.family === 4
    const from = isV4 ? this.#firstV4 : this.#firstV6
    const end = isV4 ? this.#firstV6 : this.#levels.length
    if (from === end) {
      hash.ofPrefix(key.words, isV4 ? 3 : 0, isV4 ? 32 : 128, kind ^ key.family)
      return this.#takeOne(cost, now)
    }
    for (let level = from; level < end; level++) {
      const { length } = this.#levels[level]!.prefix!
      hash.ofPrefix(key.words, isV4 ? 3 : 0, length, kind ^ (key.family | (length << 8)))
      this.#hashes[level << 1] = hash.high
      this.#hashes[(level << 1) + 1] = hash.low
    }
    if (this.#table !== undefined) return this.#takeFromTable(this.#table, from, end, cost, now)
    const decision = this.#sketch!.take(this.#hashes, from, end, cost, now)
    return this.#ofLevel(decision, this.#sketch!.deciding)
  }

  #takeOne(cost: number, now: number): Decision {
    const { high, low } = this.#hash
    if (this.#table !== undefined) return this.#table.take(high, low, 0, cost, now)
    this.#hashes[0] = high
    this.#hashes[1] = low
    return this.#sketch!.take(this.#hashes, 0, 1, cost, now)
  }

  #takeFromTable(table: ExactTable, from: number, end: number, cost: number, now: number): LevelDecision {
    const hashes = this.#hashes
    const last = end - 1
    let taken = 0
    for (let level = from; level < last; level++) {
      const { remaining } = table.take(hashes[level << 1]!, hashes[(level << 1) + 1]!, level, 0, now)
      if (remaining >= cost) continue
      const decision = table.take(hashes[level << 1]!, hashes[(level << 1) + 1]!, level, cost, now)
      if (!decision.allowed) return this.#ofLevel(decision, level)
      // It was mended in between, and this has been taken by now.
      taken |= 1 << level
    }
    // The longest prefix first: it refuses most often, and then nothing was taken from the others.
    let least = table.take(hashes[last << 1]!, hashes[(last << 1) + 1]!, last, cost, now)
    let deciding = last
    for (let level = last - 1; level >= from && least.allowed; level--) {
      const left = (taken & (1 << level)) === 0 ? cost : 0
      const decision = table.take(hashes[level << 1]!, hashes[(level << 1) + 1]!, level, left, now)
      if (decision.allowed && decision.remaining >= least.remaining) continue
      least = decision
      deciding = level
    }
    return this.#ofLevel(least, deciding)
  }

  #ofLevel({ allowed, remaining, retryAfterMs, resetMs, waitMs }: Decision, index: number): LevelDecision {
    const level = this.#levels[index]!.prefix!.length
    return waitMs === undefined
      ? { allowed, remaining, retryAfterMs, resetMs, level }
      : { allowed, remaining, retryAfterMs, resetMs, waitMs, level }
  }
}
