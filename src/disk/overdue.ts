/** What had to leave a tier while it was at rest: it leaves before anybody looks again. */
import type { DiskPurge } from '../contract/disk-tier.ts'
import type { TierIndex } from './tier-index.ts'

/** Beyond that it is quicker to begin anew. */
const REMOVALS_MAX = 10_000

export class Overdue {
  #purges: DiskPurge[] = []
  #removals = new Set<string>()

  purge(purge: DiskPurge): void {
    this.#purges.push(purge)
  }

  remove(key: string): void {
    this.#removals.add(key)
    if (this.#removals.size <= REMOVALS_MAX) return
    this.#removals.clear()
    this.#purges.push({ kind: 'all', value: '', soft: false, number: 0 })
  }

  applyTo(index: TierIndex): void {
    if (this.#purges.length > 0 || this.#removals.size > 0) {
      index.syncNext()
      index.begin()
      for (const key of this.#removals) index.remove(key)
      for (const purge of this.#purges) index.purge(purge)
      index.commit()
      index.syncNoMore()
    }
    this.#purges = []
    this.#removals.clear()
  }
}
