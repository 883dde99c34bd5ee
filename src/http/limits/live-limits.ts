/**
 * The limits that are live on this worker: made for each set that is served, and kept where the set after it has them, too.
 *
 * What counts lies in the region, which outlives this worker. What is made here is the way to it, and what this worker counted of its own.
 */
import { siteName } from '../../config/site-name.ts'
import type { SiteConfig } from '../../config/schema.ts'
import { ALL_SITES, type LimitTop, type ServedLimit } from '../../contract/limits.ts'
import type { MetricSample, Served } from '../../contract/messages.ts'
import type { ClusterLimits } from '../../limit/cluster/cluster-limits.ts'
import { makeLimit, type NamedLimit } from './limit-kinds.ts'
import type { NetworkOf } from './limit-keys.ts'
import { NO_LIMITS } from './limit-stage.ts'
import type { Networks } from './networks.ts'
import type { LimitCounts, RequestLimit } from './request-limit.ts'

/** The limits of one set. */
export class SetLimits {
  /** Those over all sites that requests are asked about. */
  readonly common: readonly RequestLimit[]
  readonly networkOf: NetworkOf
  private readonly bySite: ReadonlyMap<string, ReadonlyMap<string, NamedLimit>>

  constructor(bySite: ReadonlyMap<string, ReadonlyMap<string, NamedLimit>>, networkOf: NetworkOf) {
    this.bySite = bySite
    this.networkOf = networkOf
    this.common = this.askedOf(ALL_SITES)
  }

  private askedOf(site: string): readonly RequestLimit[] {
    const asked = [...(this.bySite.get(site)?.values() ?? [])].flatMap(({ request }) => request ?? [])
    return asked.length === 0 ? NO_LIMITS : asked
  }

  /** All that a request of the site is asked about: those over all sites, then its own. */
  of(site: SiteConfig): readonly RequestLimit[] {
    const own = this.askedOf(siteName(site))
    return own.length === 0 ? this.common : [...this.common, ...own]
  }

  /** By the name that a unit of the site asks for: the site's own first. */
  named(site: string, name: string): NamedLimit | undefined {
    return this.owned(site, name) ?? this.owned(ALL_SITES, name)
  }

  owned(owner: string, name: string): NamedLimit | undefined {
    return this.bySite.get(owner)?.get(name)
  }

  /** What may be asked for there. */
  names(site: string): readonly string[] {
    return [...new Set([...this.ownedNames(site), ...this.ownedNames(ALL_SITES)])]
  }

  ownedNames(owner: string): readonly string[] {
    return [...(this.bySite.get(owner)?.keys() ?? [])]
  }
}

export interface LiveLimitsParts {
  /** By this number it is known in a region who holds a lock. */
  readonly worker: number
  /** Which of the workers of this program it is, and how many there are. */
  readonly place: number
  readonly workers: number
  readonly networks: Networks
  readonly cluster?: ClusterLimits | undefined
}

const NOTHING: readonly ServedLimit[] = []

export class LiveLimits {
  private served: Served
  private readonly parts: LiveLimitsParts
  private readonly sets = new WeakMap<Served, SetLimits>()
  /** By what is served of them: what stays the same is the same object. */
  private made = new Map<string, NamedLimit>()
  /** By site and name: a limit that changes goes on counting. */
  private readonly counts = new Map<string, LimitCounts>()

  constructor(parts: LiveLimitsParts, served: Served) {
    this.parts = parts
    this.served = served
  }

  get live(): SetLimits {
    return this.of(this.served)
  }

  /** Throws where a limit, or the table that it needs, cannot be opened: then its set is not served. */
  of(served: Served): SetLimits {
    let set = this.sets.get(served)
    if (set === undefined) {
      set = this.make(served)
      this.sets.set(served, set)
    }
    return set
  }

  private make({ limiters = NOTHING, geo }: Served): SetLimits {
    const networkOf = this.parts.networks.of(geo?.asn)
    const bySite = new Map<string, Map<string, NamedLimit>>()
    for (const one of limiters) {
      const key = JSON.stringify([one, geo])
      let limit = this.made.get(key)
      if (limit === undefined) {
        const counts = this.countsOf(one.site, one.config.name)
        limit = makeLimit(one, { ...this.parts, networkOf, counts })
        this.made.set(key, limit)
      }
      const named = bySite.get(one.site) ?? new Map<string, NamedLimit>()
      bySite.set(one.site, named.set(one.config.name, limit))
    }
    return new SetLimits(bySite, networkOf)
  }

  /** From now on these are live: what only others had is let go. */
  use(served: Served): void {
    this.served = served
    const { limiters = NOTHING, geo } = served
    const kept = new Set(limiters.map((one) => JSON.stringify([one, geo])))
    this.made = new Map([...this.made].filter(([key]) => kept.has(key)))
  }

  private countsOf(site: string, name: string): LimitCounts {
    const key = `${site}\n${name}`
    let counts = this.counts.get(key)
    if (counts === undefined) {
      counts = { allowed: 0, refused: 0, dry_run: 0, waited: 0 }
      this.counts.set(key, counts)
    }
    return counts
  }

  samples(): MetricSample[] {
    return (this.served.limiters ?? NOTHING).flatMap(({ site, config: { name } }) =>
      Object.entries(this.countsOf(site, name)).map(([outcome, value]) => ({
        name: 'orla_limit_decisions_total',
        labels: { site, limit: name, outcome },
        value,
      })),
    )
  }

  /** Who asked most of a limit that is live; undefined where there is none. */
  top(site: string, name: string, count: number): readonly LimitTop[] | undefined {
    const isThere = this.served.limiters?.some((one) => one.site === site && one.config.name === name)
    return isThere ? (this.live.named(site, name)?.top?.(count) ?? []) : undefined
  }
}
