/**
 * Who answers a query that came in at a listener: the server block with the longest zone that its name is in, among equal zones the first one whose
 * filters (`view`) hold. REFUSED outside all zones.
 *
 * Walks the labels of the name through a map by keys. Only suffixes as long as the key of some zone are looked up, so that a name costs one look-up
 * in most cases and none of its other suffixes is cut out.
 */
import type { DnsNext, DnsOutcome } from '../contract/dns.ts'
import { CLASS, RCODE, TYPE } from '../wire/dns/codes.ts'
import { type DnsName, NAME_BYTES_MAX } from '../wire/dns/name.ts'
import { collectMetadata } from './metadata.ts'
import type { AmplificationBound, QueryCounts, ServerQuery } from './query.ts'

/** A server block as a listener sees it. */
export interface RoutedBlock {
  readonly chain: DnsNext
  readonly view: string
  readonly filters: readonly ((query: ServerQuery) => boolean)[]
  readonly metadataProviders: readonly ((query: ServerQuery) => void)[]
  /** Queries for names within these have metadata; undefined: none have. */
  readonly metadataZones: readonly DnsName[] | undefined
  /** It answers other classes than IN as well (`chaos`, `forward`). */
  readonly isForAllClasses: boolean
  /** Each answer says which plugin gave it. */
  readonly isDebug?: boolean
  readonly amplification?: AmplificationBound
  /** Counts the queries of one of its zones at this listener. */
  countsFor?(zone: DnsName): QueryCounts
}

interface Route {
  readonly zone: DnsName
  readonly blocks: { readonly block: RoutedBlock; readonly counts: QueryCounts | undefined }[]
}

export class Router {
  readonly #routes = new Map<string, Route>()
  /** Whether some zone's key has so many bytes. */
  readonly #lengths = new Uint8Array(NAME_BYTES_MAX + 1)
  readonly #shortest: number
  readonly #isForAllClasses: boolean
  /** Queries whose zone nobody has. */
  readonly #outside: QueryCounts | undefined

  /** In the order of the Corefile. */
  constructor(
    zones: readonly { readonly zone: DnsName; readonly block: RoutedBlock }[],
    outside?: QueryCounts,
  ) {
    for (const { zone, block } of zones) {
      let route = this.#routes.get(zone.key)
      if (!route) this.#routes.set(zone.key, (route = { zone, blocks: [] }))
      route.blocks.push({ block, counts: block.countsFor?.(zone) })
      this.#lengths[zone.key.length] = 1
    }
    this.#shortest = Math.min(...[...this.#routes.keys()].map((key) => key.length), NAME_BYTES_MAX)
    this.#isForAllClasses = zones.some(({ block }) => block.isForAllClasses)
    this.#outside = outside
  }

  answer(query: ServerQuery): DnsOutcome | Promise<DnsOutcome> {
    if (query.qclass !== CLASS.IN && !this.#isForAllClasses)
      return this.#refuse(query, 'this class is not served')
    const { key } = query.qname
    // The DS of a zone stands in its parent (RFC 4035 §3.1.4.1): where we serve both, that one is asked. The root is left out, as CoreDNS leaves it
    // out: a block for all else, which asks others, would tell that a zone of our own does not exist.
    let atCut: { readonly route: Route; readonly index: number } | undefined
    for (let at = 0; ; at += 1 + key.charCodeAt(at)) {
      const length = key.length - at
      if (length < this.#shortest) break
      if (this.#lengths[length] === 1) {
        const route = this.#routes.get(at === 0 ? key : key.slice(at))
        const index = route ? this.#choose(route, query) : -1
        if (route && index >= 0) {
          const isItsParent = at > 0 && (length > 1 || !atCut)
          if (query.qtype !== TYPE.DS || isItsParent) return this.#ask(route, index, query)
          atCut ??= { route, index }
        }
      }
      if (length <= 1) break
    }
    if (atCut) return this.#ask(atCut.route, atCut.index, query)
    return this.#refuse(query, 'no server block has this zone')
  }

  /** The first block of a zone whose filters hold; -1 where none do. */
  #choose({ blocks }: Route, query: ServerQuery): number {
    for (let index = 0; index < blocks.length; index++) {
      const { block } = blocks[index]!
      if (block.metadataZones !== undefined) collectMetadata(block, query)
      if (block.filters.every((holds) => holds(query))) return index
    }
    return -1
  }

  #ask({ zone, blocks }: Route, index: number, query: ServerQuery): DnsOutcome | Promise<DnsOutcome> {
    const { block, counts } = blocks[index]!
    query.zone = zone
    query.view = block.view
    query.counts = counts
    query.explainsAll = block.isDebug === true
    query.amplification = block.amplification
    return block.chain(query)
  }

  #refuse(query: ServerQuery, why: string): DnsOutcome {
    query.counts = this.#outside
    query.explain('prohibited', why)
    return RCODE.REFUSED
  }
}
