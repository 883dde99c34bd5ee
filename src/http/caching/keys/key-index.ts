/**
 * Which keys of a cache begin with the same address: a write to it, or a purge of it, is of consequence for all of them.
 *
 * Keys that are nothing but an address are not listed: who knows the address knows them. So an index of a site whose keys hold no more
 * than that stays empty, and costs a search for a space a store.
 */
import { objectKeyOf } from '../parts/part-keys.ts'

export class KeyIndex {
  readonly #byAddress = new Map<string, Set<string>>()
  /** Keys of parts, by that of their object: an address may have very many keys, and each store and miss asks for the parts of one. */
  readonly #byObject = new Map<string, Set<string>>()

  /** The key is in the cache from now on. */
  add(key: string): void {
    const address = addressIn(key)
    if (address === key) return
    put(this.#byAddress, address, key)
    const object = objectKeyOf(key)
    if (object !== key) put(this.#byObject, object, key)
  }

  /** It has left. */
  remove(key: string): void {
    const address = addressIn(key)
    if (address === key) return
    take(this.#byAddress, address, key)
    const object = objectKeyOf(key)
    if (object !== key) take(this.#byObject, object, key)
  }

  /** Whether there are parts of the object that has this key. */
  hasParts(key: string): boolean {
    return this.#byObject.has(key)
  }

  /** The keys of the parts of an object, as they are at this moment. */
  partsOf(key: string): readonly string[] {
    const keys = this.#byObject.size === 0 ? undefined : this.#byObject.get(key)
    return keys === undefined ? NONE : [...keys]
  }

  /** The longer keys of an address, or of that in a key, as they are at this moment. */
  keysOf(key: string): readonly string[] {
    const keys = this.#byAddress.size === 0 ? undefined : this.#byAddress.get(addressIn(key))
    return keys === undefined ? NONE : [...keys]
  }
}

function put(index: Map<string, Set<string>>, under: string, key: string): void {
  const keys = index.get(under)
  if (keys === undefined) index.set(under, new Set([key]))
  else keys.add(key)
}

function take(index: Map<string, Set<string>>, under: string, key: string): void {
  const keys = index.get(under)
  keys?.delete(key)
  if (keys?.size === 0) index.delete(under)
}

const NONE: readonly string[] = []

/**
 * What stands before the first space or line break behind the scheme: a site's name may stand before it. See `site-key.ts`, and
 * `parts/part-keys.ts` for what follows a line break.
 */
export function addressIn(key: string): string {
  const from = key.indexOf('://')
  const object = objectKeyOf(key)
  const end = object.indexOf(' ', from)
  return end < 0 ? object : object.slice(0, end)
}

/** The address without the name of a site. */
export function urlIn(address: string): string {
  const space = address.indexOf(' ')
  return space < 0 ? address : address.slice(space + 1)
}
