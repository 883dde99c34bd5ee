/** One purge as one cache reads it: what it means there, by sets and starts. */
import { isWhole, type PurgeScope } from '../../../contract/purge.ts'
import { addressIn } from '../keys/key-index.ts'

/** `urls` and `prefixes` as addresses in keys are: behind the name of the site and a space, in a store that several sites share. */
export interface PurgeTerms extends PurgeScope {
  readonly soft: boolean
  /** In a store that several sites share: only of these. Absent: of all that is here. */
  readonly sites?: readonly string[] | undefined
}

/** Something that is kept, or on its way: under a key, with tags. */
export interface Kept {
  readonly key: string
  readonly tags: readonly string[]
}

export class CompiledPurge {
  readonly number: number
  readonly isSoft: boolean
  readonly addresses: ReadonlySet<string>
  readonly tags: ReadonlySet<string>
  readonly #prefixes: readonly string[]
  /** All that is here, of the sites. */
  readonly #isAll: boolean
  /** What keys of the sites begin with. */
  readonly #sites: readonly string[] | undefined

  constructor(terms: PurgeTerms, number: number) {
    const { urls = [], prefixes = [], tags = [], sites, soft } = terms
    this.number = number
    this.isSoft = soft
    this.addresses = new Set(urls)
    this.tags = new Set(tags)
    this.#prefixes = prefixes
    this.#isAll = isWhole(terms)
    this.#sites = sites?.map((site) => `${site} `)
  }

  /** What it means has no index: everything that is kept has to be looked at. */
  get isBroad(): boolean {
    return this.#isAll || this.#prefixes.length > 0
  }

  matches({ key, tags }: Kept): boolean {
    if (this.matchesKey(key)) return true
    // Most of what is looked at has no tags.
    if (this.tags.size === 0 || tags.length === 0 || !this.#isOfSites(key)) return false
    for (const tag of tags) if (this.tags.has(tag)) return true
    return false
  }

  /** Whatever its tags are. */
  matchesKey(key: string): boolean {
    if (this.#isAll) return this.#isOfSites(key)
    // An address holds no space behind its scheme: what a key begins with, its address begins with.
    for (const prefix of this.#prefixes) if (key.startsWith(prefix)) return true
    if (this.addresses.size === 0) return false
    return this.addresses.has(key) || this.addresses.has(addressIn(key))
  }

  #isOfSites(key: string): boolean {
    if (this.#sites === undefined) return true
    for (const start of this.#sites) if (key.startsWith(start)) return true
    return false
  }
}
