/**
 * Where stored responses stand: by key, and where an address has several, by the request headers that chose between
 * them.
 *
 * An address whose responses do not vary takes one place in the cache: its key. Otherwise a set stands there, and its
 * responses have places of their own. The two leave together: a set that goes takes its responses along, and the last
 * response takes its set along; so nothing stands here that cannot be found.
 */
import { Cache, type CacheOptions } from '../../cache/index.ts'
import type { HeaderList } from '../../wire/http1/message.ts'
import type { ResponseCacheCounters } from './response-cache-options.ts'
import type { CachePurges } from './purging/cache-purges.ts'
import { tagsOf } from './purging/response-tags.ts'
import { TagIndex } from './purging/tag-index.ts'
import type { StoredResponse } from './stored-response.ts'
import { KeyIndex } from './keys/key-index.ts'
import { isPartOf } from './parts/part-keys.ts'
import { copyText } from './text.ts'
import { Variants, VARIANTS_BYTES } from './variants.ts'

/** Who leaves and who comes in, and the clock by which the age of those who leave is told. */
export type ShelfChoice = Pick<CacheOptions<unknown>, 'policy' | 'admission' | 'nowMs'>

export class Shelf {
  readonly #keys = new KeyIndex()
  readonly #cache: Cache<StoredResponse | Variants>
  /** For purges. */
  readonly tags = new TagIndex()
  /** Those of the cache that this is the shelf of. */
  purging: CachePurges | undefined

  readonly #variantsMax: number

  /** `variantsMax`: responses of one address, at most. */
  constructor(bytesMax: number, variantsMax: number, choice: ShelfChoice = {}) {
    this.#variantsMax = variantsMax
    this.#cache = new Cache({
      ...choice,
      bytesMax,
      onEvict: (value) => this.#onEvict(value),
      onRemove: (value) => {
        if (value.kind === 'response') {
          value.body.unshelve()
          this.tags.remove(value)
        }
        if (value.kind === 'variants') this.#keys.remove(value.key)
        else if (value.owner === undefined) this.#keys.remove(value.slot)
      },
    })
  }

  /** The response for a request with these headers, fresh or not; noted as used. What was purged is not found, also while it still stands here. */
  find(key: string, headers: HeaderList, nowMs: number): StoredResponse | undefined {
    let found = this.#choose(key, headers, nowMs)
    // Nearly always no purge is pending.
    if (this.purging?.isPending !== true) return found
    while (found !== undefined && !this.purging.survives(key, found))
      found = this.#choose(key, headers, nowMs)
    return found
  }

  #choose(key: string, headers: HeaderList, nowMs: number): StoredResponse | undefined {
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
    response.tags = tagsOf(response.headers, key)
    response.purgeNumber = this.purging?.number ?? 0
    const isKept = this.#put(key, headers, response)
    if (isKept) this.#keys.add(key)
    return isKept
  }

  #put(key: string, headers: HeaderList, response: StoredResponse): boolean {
    const stored = this.#cache.peek(key)
    const isVaried = response.selecting.length > 0
    if (!isVaried && stored?.kind !== 'variants') {
      response.slot = key
      return this.#set(response)
    }
    const variants = stored?.kind === 'variants' ? stored : new Variants(key, this.#variantsMax)
    const [old, ...others] = variants.replacedBy(headers)
    const name = `${key}\n${response.selecting.map(({ normalised = '' }) => normalised).join('\n')}`
    if (old === undefined && !this.#cache.admits(name, response.bytes)) return false
    if (stored !== variants && !this.#cache.set(key, variants, VARIANTS_BYTES, key, true)) return false
    for (const other of others) this.#removeFrom(variants, other)
    if (old !== undefined) variants.remove(old)
    // In the place of the old one, so that the policy goes on with what it knows.
    response.slot = old?.slot ?? variants.nextSlot()
    // It joins the set first, and the set is used last: so making room for it empties no set.
    variants.add(response)
    this.#cache.get(key)
    if (!this.#set(response, name, true) || !this.#standsIn(variants, response)) {
      this.remove(key, response)
      return false
    }
    if (isVaried) variants.names = response.selecting.map(({ name }) => name)
    const { surplus } = variants
    if (surplus !== undefined) this.#removeFrom(variants, surplus)
    return true
  }

  /**
   * Policies that do not go by the last use may have parted with the set to make room for its newest response, and with
   * all that was in it: then the set comes back with this response alone. False: there is no room for the two.
   */
  #standsIn(variants: Variants, response: StoredResponse): boolean {
    if (this.#cache.peek(variants.key) === variants) return true
    if (this.#cache.peek(response.slot) !== response) return false
    variants.add(response)
    if (this.#cache.set(variants.key, variants, VARIANTS_BYTES, variants.key, true)) {
      return this.#cache.peek(response.slot) === response
    }
    return false
  }

  /** What stands here is held, from before others have to go for it: they may share the body. */
  #set(response: StoredResponse, name = response.slot, isAdmitted = false): boolean {
    response.body.shelve()
    const isKept = this.#cache.set(response.slot, response, response.bytes, name, isAdmitted)
    if (!isKept) response.body.unshelve()
    else this.tags.add(response)
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

  /** Those that stand under the key; nobody will know that they were looked at. */
  responsesAt(key: string): readonly StoredResponse[] {
    const stored = this.#cache.peek(key)
    if (stored === undefined) return []
    return stored.kind === 'response' ? [stored] : [...stored.responses]
  }

  /** The keys that begin with this one and a space, or a line break: those of its parts. */
  relativesOf(key: string): readonly string[] {
    return this.#keys.keysOf(key).filter((one) => one.startsWith(`${key} `) || isPartOf(one, key))
  }

  /** Takes away all that stands under the key; true where there was something. */
  removeAll(key: string): boolean {
    const stored = this.#cache.peek(key)
    if (stored?.kind === 'variants') this.#empty(stored)
    return this.#cache.delete(key)
  }

  /** Whether parts of an object stand here. */
  hasParts(key: string): boolean {
    return this.#keys.hasParts(key)
  }

  /** Takes away the parts of an object. */
  removeParts(key: string): void {
    for (const part of this.#keys.partsOf(key)) this.removeAll(part)
  }

  /** All of them, for whoever looks for some; `purging/` says how. */
  *responses(): Generator<StoredResponse, void> {
    for (const value of this.#cache.values()) if (value.kind === 'response') yield value
  }

  clear(): void {
    this.#cache.clear()
  }

  /** What one response may weigh at most. */
  get entryBytesMax(): number {
    return this.#cache.entryWeightMax
  }

  get counters(): Pick<ResponseCacheCounters, 'evicted' | 'refused' | 'evictedAges' | 'entries' | 'bytes'> {
    const { evicted, refused, evictedAges } = this.#cache.counters
    return { evicted, refused, evictedAges, entries: this.#cache.size, bytes: this.#cache.weight }
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
