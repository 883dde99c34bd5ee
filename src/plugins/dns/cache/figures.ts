/** Counters of a cache, found once for each address that queries come in by, so that a hit joins no labels. */
import type { DnsController, DnsCount, DnsGauge, DnsQuery } from '../../../contract/dns.ts'
import type { AnswerStore, StoreName } from './answer-store.ts'

export interface CacheCounts {
  readonly requests: DnsCount
  readonly misses: DnsCount
  readonly hits: Readonly<Record<StoreName, DnsCount>>
  readonly prefetches: DnsCount
  readonly drops: DnsCount
  readonly servedStale: DnsCount
  readonly evictions: Readonly<Record<StoreName, DnsCount>>
  /** How many answers there are. */
  tell(store: AnswerStore): void
}

export class CacheFigures {
  readonly #make: (server: string, view: string) => CacheCounts
  readonly #counts = new Map<string, CacheCounts>()
  #server = ''
  #view = ''
  #last: CacheCounts

  constructor({ metrics }: DnsController, zones: string) {
    const typed = ['server', 'type', 'zones', 'view']
    const plain = ['server', 'zones', 'view']
    const counter = (name: string, help: string, labels: string[]) =>
      metrics.counter(`coredns_cache_${name}_total`, help, labels)
    const entries: DnsGauge = metrics.gauge(
      'coredns_cache_entries',
      'The number of elements in the cache.',
      typed,
    )
    const requests = counter('requests', 'The count of cache requests.', plain)
    const misses = counter(
      'misses',
      'The count of cache misses. Deprecated, derive misses from cache hits/requests counters.',
      plain,
    )
    const hits = counter('hits', 'The count of cache hits.', typed)
    const prefetches = counter(
      'prefetch',
      'The number of times the cache has prefetched a cached item.',
      plain,
    )
    const drops = counter(
      'drops',
      'The number responses that are not cached, because the reply is malformed.',
      plain,
    )
    const stale = counter('served_stale', 'The number of requests served from stale cache entries.', plain)
    const evictions = counter('evictions', 'The count of cache evictions.', typed)
    this.#make = (server, view) => ({
      requests: requests.labelled(server, zones, view),
      misses: misses.labelled(server, zones, view),
      prefetches: prefetches.labelled(server, zones, view),
      drops: drops.labelled(server, zones, view),
      servedStale: stale.labelled(server, zones, view),
      hits: {
        success: hits.labelled(server, 'success', zones, view),
        denial: hits.labelled(server, 'denial', zones, view),
      },
      evictions: {
        success: evictions.labelled(server, 'success', zones, view),
        denial: evictions.labelled(server, 'denial', zones, view),
      },
      tell: (store) => {
        entries.set(store.count('success'), server, 'success', zones, view)
        entries.set(store.count('denial'), server, 'denial', zones, view)
      },
    })
    this.#last = this.#make('', '')
  }

  of({ server, view }: DnsQuery): CacheCounts {
    if (server === this.#server && view === this.#view) return this.#last
    const key = `${server} ${view}`
    let counts = this.#counts.get(key)
    if (!counts) {
      counts = this.#make(server, view)
      this.#counts.set(key, counts)
    }
    this.#server = server
    this.#view = view
    this.#last = counts
    return counts
  }

  /** Of the address that was asked last. */
  get last(): CacheCounts {
    return this.#last
  }
}
