/**
 * Where stored responses stand: by key, and where an address has several, by the request headers that chose between
 * them.
 *
 * An address whose responses do not vary takes one place in the cache: its key. Otherwise a set stands there, and its
 * responses have places of their own. The two leave together: a set that goes takes its responses along, and the last
 * response takes its set along; so nothing stands here that cannot be found.
 */
import { ByteCache } from '../../cache/index.ts'
import type { HeaderList } from '../../wire/http1/message.ts'
import type { StoredResponse } from './stored-response.ts'
import { copyText } from './text.ts'
import { Variants, VARIANTS_BYTES } from './variants.ts'

export class Shelf {
  readonly #cache: ByteCache<StoredResponse | Variants>

  readonly #variantsMax: number

  /** `variantsMax`: responses of one address, at most. */
  constructor(bytesMax: number, variantsMax: number) {
    this.#variantsMax = variantsMax
    this.#cache = new ByteCache({
      bytesMax,
      onEvict: (value) => this.#onEvict(value),
      onRemove: (value) => {
        if (value.kind === 'response') value.body.unshelve()
      },
    })
  }

  /** The response for a request with these headers, fresh or not; noted as used. */
  find(key: string, headers: HeaderList, nowMs: number): StoredResponse | undefined {
    const stored = this.#cache.get(key)
    if (stored === undefined || stored.kind === 'response') return stored
    const chosen = stored.choose(headers, nowMs)
    if (chosen !== undefined) this.#cache.get(chosen.slot)
    return chosen
  }

  has(key: string): boolean {
    return this.#cache.peek(key) !== undefined
  }

  /** The header names by which the address varies, as far as is stored. */
  varyOf(key: string): readonly string[] | undefined {
    const stored = this.#cache.peek(key)
    return stored?.kind === 'variants' ? stored.names : undefined
  }

  /**
   * Keeps a response that was fetched for a request with these headers, in place of those that such a request got
   * before. False: it is too large.
   */
  keep(borrowedKey: string, headers: HeaderList, response: StoredResponse): boolean {
    const key = copyText(borrowedKey)
    const stored = this.#cache.peek(key)
    const isVaried = response.selecting.length > 0
    if (!isVaried && stored?.kind !== 'variants') {
      response.slot = key
      return this.#set(response)
    }
    const variants = stored?.kind === 'variants' ? stored : new Variants(key, this.#variantsMax)
    if (stored !== variants && !this.#cache.set(key, variants, VARIANTS_BYTES)) return false
    for (const old of variants.replacedBy(headers)) this.#removeFrom(variants, old)
    response.slot = variants.nextSlot()
    // It joins the set first, and the set is used last: so making room for it empties no set, and evicts this one
    // last of all.
    variants.add(response)
    this.#cache.get(key)
    if (!this.#set(response)) {
      this.remove(key, response)
      return false
    }
    if (isVaried) variants.names = response.selecting.map(({ name }) => name)
    const { surplus } = variants
    if (surplus !== undefined) this.#removeFrom(variants, surplus)
    return true
  }

  /** What stands here is held, from before others have to go for it: they may share the body. */
  #set(response: StoredResponse): boolean {
    response.body.shelve()
    const isKept = this.#cache.set(response.slot, response, response.bytes)
    if (!isKept) response.body.unshelve()
    return isKept
  }

  /** It has grown. False: that is more than there is room for. */
  reweigh(response: StoredResponse): boolean {
    return this.#cache.reweigh(response.slot, response, response.bytes)
  }

  /** A request with these headers is given none of what stands here any more. */
  displace(key: string, headers: HeaderList): void {
    const stored = this.#cache.peek(key)
    if (stored?.kind === 'response') this.#cache.delete(key)
    if (stored?.kind !== 'variants') return
    for (const old of stored.replacedBy(headers)) this.#removeFrom(stored, old)
    this.#dropIfEmpty(stored)
  }

  /** Takes away one response, if it still stands here. */
  remove(key: string, response: StoredResponse): void {
    const { owner } = response
    if (owner !== undefined) {
      this.#removeFrom(owner, response)
      this.#dropIfEmpty(owner)
    } else if (this.#cache.peek(key) === response) this.#cache.delete(key)
  }

  /** Takes away all that stands under the key; true where there was something. */
  removeAll(key: string): boolean {
    const stored = this.#cache.peek(key)
    if (stored?.kind === 'variants') this.#empty(stored)
    return this.#cache.delete(key)
  }

  clear(): void {
    this.#cache.clear()
  }

  /** What one response may weigh at most. */
  get entryBytesMax(): number {
    return this.#cache.entryBytesMax
  }

  get counters(): { readonly evicted: number; readonly entries: number; readonly bytes: number } {
    return { evicted: this.#cache.counters.evicted, entries: this.#cache.size, bytes: this.#cache.bytes }
  }

  #removeFrom(variants: Variants, response: StoredResponse): void {
    variants.remove(response)
    if (this.#cache.peek(response.slot) === response) this.#cache.delete(response.slot)
  }

  #dropIfEmpty(variants: Variants): void {
    if (variants.responses.length > 0) return
    if (this.#cache.peek(variants.key) === variants) this.#cache.delete(variants.key)
  }

  #empty(variants: Variants): void {
    for (let first = variants.responses[0]; first !== undefined; first = variants.responses[0]) {
      this.#removeFrom(variants, first)
    }
  }

  #onEvict(evicted: StoredResponse | Variants): void {
    if (evicted.kind === 'variants') {
      this.#empty(evicted)
      return
    }
    const { owner } = evicted
    if (owner === undefined) return
    owner.remove(evicted)
    this.#dropIfEmpty(owner)
  }
}
