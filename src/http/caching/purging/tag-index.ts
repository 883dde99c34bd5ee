/** What stands on a shelf, by tag. What has no tags takes no room here. */
import type { StoredResponse } from '../stored-response.ts'

export class TagIndex {
  readonly #byTag = new Map<string, Set<StoredResponse>>()

  add(response: StoredResponse): void {
    for (const tag of response.tags) {
      const there = this.#byTag.get(tag)
      if (there === undefined) this.#byTag.set(tag, new Set([response]))
      else there.add(response)
    }
  }

  remove(response: StoredResponse): void {
    for (const tag of response.tags) {
      const there = this.#byTag.get(tag)
      there?.delete(response)
      if (there?.size === 0) this.#byTag.delete(tag)
    }
  }

  tagged(tag: string): ReadonlySet<StoredResponse> {
    return this.#byTag.get(tag) ?? NONE
  }
}

const NONE: ReadonlySet<StoredResponse> = new Set()
