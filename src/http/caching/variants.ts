/**
 * The responses of one address that differ by request headers, newest first, one without `Vary` last.
 *
 * The set stands in the cache under the address itself, and each response under a slot of its own: so they age and
 * leave one by one. Their number is bounded: `Vary: User-Agent` would otherwise fill the cache with one page.
 */
import type { HeaderList } from '../../wire/http1/message.ts'
import type { StoredResponse } from './stored-response.ts'
import { isSelectedBy } from './vary.ts'

/** What the set itself weighs, beside the cache's own overhead. */
export const VARIANTS_BYTES = 512

export class Variants {
  readonly kind = 'variants'
  readonly key: string
  readonly responses: StoredResponse[] = []
  /** The names by which the newest response varies: what the next request will most likely be told apart by. */
  names: readonly string[] = []
  #slots = 0
  readonly #countMax: number

  constructor(key: string, countMax: number) {
    this.key = key
    this.#countMax = countMax
  }

  /** A name for a place in the cache that no address can have: it holds a line break. */
  nextSlot(): string {
    return `${this.key}\n${this.#slots++}`
  }

  /**
   * The response for a request with these headers: the newest that is fresh, else the newest. RFC 9111 §4.1: one
   * without `Vary` only where no other matches, since it was most likely forgotten there.
   */
  choose(headers: HeaderList, nowMs: number): StoredResponse | undefined {
    let stale: StoredResponse | undefined
    for (const response of this.responses) {
      if (!isSelectedBy(response.selecting, headers)) continue
      if (response.isFresh(nowMs)) return response
      stale ??= response
    }
    return stale
  }

  /**
   * The responses that a new one, fetched for a request with these headers, takes the place of. That something varies
   * is newer knowledge than that it does not, so one without `Vary` goes as well.
   */
  replacedBy(headers: HeaderList): StoredResponse[] {
    return this.responses.filter((response) => isSelectedBy(response.selecting, headers))
  }

  add(response: StoredResponse): void {
    response.owner = this
    if (response.selecting.length === 0) this.responses.push(response)
    else this.responses.unshift(response)
  }

  /** The one to part with where there are too many: the oldest of those that vary. */
  get surplus(): StoredResponse | undefined {
    if (this.responses.length <= this.#countMax) return undefined
    return this.responses.findLast((response) => response.selecting.length > 0)
  }

  remove(response: StoredResponse): void {
    const at = this.responses.indexOf(response)
    if (at >= 0) this.responses.splice(at, 1)
    response.owner = undefined
  }
}
