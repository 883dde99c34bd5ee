/**
 * How sites lie in the store, and how they are read from it.
 *
 *     site/NAME            SiteRecord: the site as somebody wrote it, where that came from, and since when
 *     settings/sites-file  what the configuration file said about each site when it was applied last
 *     settings/edge        which other keys of the file were applied live last: it makes a position of its own
 *
 * What a person wrote is kept, not what was made of it: so it is shown as it was given, and defaults of a newer program hold
 * for it too.
 */
import { EdgeError } from '../base/errors.ts'
import { checkSite, type Problem } from '../config/check.ts'
import { siteWithAbsolutePaths } from '../config/load.ts'
import type { SiteConfig, SiteInput } from '../config/schema.ts'
import type { StoreView } from '../contract/store.ts'

export const FILE_KEY = 'settings/sites-file'
export const EDGE_KEY = 'settings/edge'
const PREFIX = 'site/'
export const siteKey = (name: string): string => PREFIX + name

export interface SiteRecord {
  /** As it was written, and checked before it was stored. */
  readonly input: SiteInput
  /** Where paths in it count from. */
  readonly folder: string
  /** `file`: the configuration file; `live`: the command or the API. */
  readonly from: 'file' | 'live'
  /** The position of its last change: one number means one content. */
  readonly version: number
  /** Milliseconds since 1970. */
  readonly at: number
}

export function readSite(store: StoreView, name: string): SiteRecord | undefined {
  const text = store.get(siteKey(name))
  return text === undefined ? undefined : parsed(text, siteKey(name))
}

/** All sites, by name. */
export function listSites(store: StoreView): readonly (readonly [name: string, record: SiteRecord])[] {
  return store.list(PREFIX).map(([key, text]) => [key.slice(PREFIX.length), parsed(text, key)] as const)
}

function parsed(text: string, key: string): SiteRecord {
  try {
    return JSON.parse(text) as SiteRecord
  } catch (error) {
    throw new EdgeError('store-corrupt', `the value of ${key} is no JSON`, { cause: error })
  }
}

export interface NamedProblem extends Problem {
  readonly site: string
}

/**
 * The sites of the store as the data plane takes them, each checked once: `cache` holds them by their text in the store.
 * The same list comes back while nothing changed.
 */
export class SiteReader {
  readonly #store: StoreView
  #cache = new Map<string, SiteConfig>()
  #last: readonly SiteConfig[] = []

  constructor(store: StoreView) {
    this.#store = store
  }

  read(): readonly SiteConfig[] {
    const seen = new Map<string, SiteConfig>()
    const sites = this.#store.list(PREFIX).map(([key, text]) => {
      const site = this.#cache.get(text) ?? this.#compile(key, text)
      seen.set(text, site)
      return site
    })
    this.#cache = seen
    const isSame =
      sites.length === this.#last.length && sites.every((site, index) => site === this.#last[index])
    return isSame ? this.#last : (this.#last = sites)
  }

  #compile(key: string, text: string): SiteConfig {
    const { input, folder } = parsed(text, key)
    const name = key.slice(PREFIX.length)
    const result = checkSite(input)
    if (result.kind === 'site') return { ...siteWithAbsolutePaths(result.site, folder), name }
    const said = result.problems.map(({ path, message }) => `${path}: ${message}`).join('; ')
    throw new EdgeError('config-invalid', `the site ${name} in the store is not valid: ${said}`, {
      hint: 'it was stored by a program that knew other keys: start that one and set the site anew',
    })
  }
}
