/** Which parts of objects stand on a shelf, so that they can leave with their object. */
import { objectKeyOf } from './part-keys.ts'

export class PartIndex {
  /** Keys of parts by that of their object. */
  readonly #parts = new Map<string, Set<string>>()

  /** A part stands there now. */
  note(key: string): void {
    const object = objectKeyOf(key)
    const parts = this.#parts.get(object)
    if (parts === undefined) this.#parts.set(object, new Set([key]))
    else parts.add(key)
  }

  /** Something left that stood under this key; whether it was a part, is seen here. */
  forget(key: string): void {
    if (this.#parts.size === 0) return
    const object = objectKeyOf(key)
    const parts = this.#parts.get(object)
    if (parts?.delete(key) === true && parts.size === 0) this.#parts.delete(object)
  }

  of(object: string): readonly string[] {
    const parts = this.#parts.get(object)
    return parts === undefined ? NONE : [...parts]
  }

  /** Objects of which there are parts. */
  get size(): number {
    return this.#parts.size
  }
}

const NONE: readonly string[] = []
