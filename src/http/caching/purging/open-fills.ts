/** Answers on their way into the cache, by the address in their key: what a write, or a purge, has to stop. */
import type { CacheFill } from '../fill.ts'
import { addressIn } from '../keys/key-index.ts'

export class OpenFills {
  readonly #byAddress = new Map<string, Set<CacheFill>>()

  get isEmpty(): boolean {
    return this.#byAddress.size === 0
  }

  add(fill: CacheFill): void {
    const address = addressIn(fill.key)
    const fills = this.#byAddress.get(address)
    if (fills === undefined) this.#byAddress.set(address, new Set([fill]))
    else fills.add(fill)
  }

  remove(fill: CacheFill): void {
    const address = addressIn(fill.key)
    const fills = this.#byAddress.get(address)
    fills?.delete(fill)
    if (fills?.size === 0) this.#byAddress.delete(address)
  }

  /** Those of this moment: what is told to one of them may open others. */
  at(address: string): readonly CacheFill[] {
    return Array.from(this.#byAddress.get(address) ?? [])
  }

  all(): readonly CacheFill[] {
    return Array.from(this.#byAddress.values(), (fills) => Array.from(fills)).flat()
  }
}
