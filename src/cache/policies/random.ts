/**
 * Random: whoever the dice name leaves.
 *
 * Costs nothing on a hit and cannot be tricked into always choosing wrongly, as every fixed order can by a loop that is
 * a little longer than the cache.
 */
import type { PolicyEntry, PolicyOptions, ReplacementPolicy } from '../../contract/replacement-policy.ts'

export class RandomChoice<E extends PolicyEntry<E>> implements ReplacementPolicy<E> {
  /** All entries; each knows its place by its mark. */
  readonly #entries: E[] = []
  readonly #random: () => number

  constructor(options: PolicyOptions) {
    this.#random = options.random
  }

  onStore(entry: E): void {
    entry.mark = this.#entries.length
    this.#entries.push(entry)
  }

  onRemove(entry: E): void {
    const last = this.#entries.pop()
    if (last === undefined || last === entry) return
    this.#entries[entry.mark] = last
    last.mark = entry.mark
  }

  onReweigh(): void {}

  victim(): E | undefined {
    return this.#entries[Math.floor(this.#random() * this.#entries.length)]
  }
}
