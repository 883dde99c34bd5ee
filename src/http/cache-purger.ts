/**
 * The purges of one worker: what the node says goes to the caches of its sites, and what a request made out of date in one of them is told to the
 * node, since other workers and the disk may have kept it, too.
 *
 * A URL is looked for in the cache of the site that answers for it, as that site makes keys of it.
 */
import { isWhole, type NumberedPurge, type Purge, type PurgeScope } from '../contract/purge.ts'
import type { PurgeTerms } from './caching/purging/compiled-purge.ts'
import type { ResponseCache } from './caching/response-cache.ts'
import type { Site, SiteTable } from './sites.ts'

export interface CachePurgerOptions {
  readonly worker: number
  /** The last purge of the node when this worker started. */
  readonly number: number
  readonly sites: () => SiteTable
  readonly now: () => number
  /** Tells the node. Absent: nobody else keeps anything. */
  readonly tell?: ((purges: readonly Purge[]) => void) | undefined
}

/** What was made out of date and not told yet; with more than that, it is told at once. */
const UNTOLD_MAX = 1000

export class CachePurger {
  readonly #options: CachePurgerOptions
  readonly #untold = new Map<string, { readonly urls: Set<string>; readonly tags: Set<string> }>()
  #untoldCount = 0
  /** The last purge that was applied here; caches look at it. */
  number: number

  constructor(options: CachePurgerOptions) {
    this.#options = options
    this.number = options.number
  }

  /**
   * Applies purges in the order of their numbers: when this returns, nothing from before them is found. `onDone` is told how many objects each of them
   * meant, once that is known. `from`: the worker that had them first.
   */
  apply(
    purges: readonly NumberedPurge[],
    from: number | undefined,
    onDone: (objects: readonly number[]) => void,
  ): void {
    const objects = purges.map(() => 0)
    let open = 1
    const close = () => {
      open -= 1
      if (open === 0) onDone(objects)
    }
    for (const [index, { number, purge }] of purges.entries()) {
      const isOwn = from === this.#options.worker
      for (const [cache, terms] of this.#termsOf(purge)) {
        // What it did at once it need not do again; but by a tag it may have read from the disk meanwhile.
        if (isOwn && (cache.disk === undefined || terms.tags?.length === 0)) continue
        open += 1
        cache.purge(isOwn ? { ...terms, urls: [] } : terms, number, this.#options.now(), (count) => {
          objects[index]! += count
          close()
        })
      }
      this.number = Math.max(this.number, number)
    }
    close()
  }

  /** What a request has made out of date in the cache of a site. */
  invalidated(site: string, { urls = [], tags = [] }: PurgeScope): void {
    if (this.#options.tell === undefined) return
    if (this.#untoldCount === 0) setImmediate(() => this.#tell())
    let untold = this.#untold.get(site)
    if (untold === undefined) this.#untold.set(site, (untold = { urls: new Set(), tags: new Set() }))
    for (const url of urls) untold.urls.add(url)
    for (const tag of tags) untold.tags.add(tag)
    this.#untoldCount += urls.length + tags.length
    if (this.#untoldCount > UNTOLD_MAX) this.#tell()
  }

  #tell(): void {
    if (this.#untoldCount === 0) return
    const at = this.#options.now()
    const purges = Array.from(this.#untold, ([site, { urls, tags }]): Purge => {
      const scope = {
        ...(urls.size > 0 && { urls: [...urls] }),
        ...(tags.size > 0 && { tags: [...tags] }),
      }
      return { ...scope, sites: [site], soft: false, at }
    })
    this.#untold.clear()
    this.#untoldCount = 0
    this.#options.tell?.(purges)
  }

  /** What the purge means in each of the caches; those that it has nothing to do with are left out. */
  *#termsOf(purge: Purge): Generator<readonly [ResponseCache, PurgeTerms]> {
    const { sites: names, soft, tags } = purge
    const table = this.#options.sites()
    const isAll = isWhole(purge)
    const meant = table.sites.filter(
      (site) => site.cache !== undefined && (names === undefined || names.includes(site.name)),
    )
    const urls = this.#urlsOf(purge.urls, meant, table)
    // Several sites may have one store.
    const caches = Map.groupBy(meant, ({ cache }) => cache!)
    for (const [cache, sites] of caches) {
      // A cache of one site knows no other.
      const isShared = startOf(sites[0]!) !== ''
      const within = isShared && names !== undefined ? { sites: names } : {}
      const scope = {
        urls: sites.flatMap((site) => urls.get(site) ?? []),
        prefixes: sites.flatMap((site) =>
          (purge.prefixes ?? []).flatMap((prefix) => (mayHave(site, prefix) ? [startOf(site) + prefix] : [])),
        ),
        tags: tags ?? [],
      }
      if (isAll) yield [cache, { ...within, soft }]
      else if (scope.urls.length + scope.prefixes.length + scope.tags.length > 0)
        yield [cache, { ...scope, ...within, soft }]
    }
  }

  #urlsOf(
    urls: readonly string[] | undefined,
    meant: readonly Site[],
    table: SiteTable,
  ): Map<Site, string[]> {
    const mine = new Set(meant)
    const found = new Map<Site, string[]>()
    for (const url of urls ?? []) {
      const { host, path } = partsOf(url)
      const site = table.find(host, path)
      if (site === undefined || !mine.has(site)) continue
      const list = found.get(site)
      const keyed = (site.cacheKey?.purgeKeysOf(url) ?? []).map((one) => startOf(site) + one)
      if (list === undefined) found.set(site, [...keyed])
      else list.push(...keyed)
    }
    return found
  }
}

/** What its keys begin with, in a store that several sites share. */
const startOf = (site: Site): string => site.cacheKey?.prefix ?? ''

/** Host without its port, and path without the query, of an absolute URL. */
function partsOf(url: string): { readonly host: string; readonly path: string } {
  const start = url.indexOf('://') + 3
  const slash = url.indexOf('/', start)
  const end = slash === -1 ? url.length : slash
  const query = url.indexOf('?', end)
  const host = url.slice(start, end).replace(/:\d+$/, '').replace(/\.$/, '')
  return { host, path: slash === -1 ? '/' : url.slice(end, query === -1 ? undefined : query) }
}

/** Whether the site answers for the host of the prefix. */
function mayHave(site: Site, prefix: string): boolean {
  const { host } = partsOf(prefix)
  return (site.config.hosts ?? ['*']).some((pattern) => {
    const known = pattern.toLowerCase()
    return known === '*' || known === host || (known.startsWith('*.') && host.endsWith(known.slice(1)))
  })
}
