/** The limits by what they limit: each kind is a file of its own, and a line here. */
import type { LimitTop, ServedLimit } from '../../contract/limits.ts'
import type { ClusterLimits } from '../../limit/cluster/cluster-limits.ts'
import type { Decision } from '../../limit/limiter.ts'
import type { NetworkOf } from './limit-keys.ts'
import { BandwidthLimit } from './bandwidth-limit.ts'
import { InFlightLimit } from './in-flight-limit.ts'
import { RateLimit } from './rate-limit.ts'
import type { LimitCounts, RequestLimit } from './request-limit.ts'

/** What limits are made of, beside what they say. */
export interface LimitParts {
  /** By this number it is known in a region who holds a lock. */
  readonly worker: number
  /** Which of the workers of this program it is, and how many there are. */
  readonly place: number
  readonly workers: number
  readonly counts: LimitCounts
  readonly networkOf: NetworkOf
  /** Where limits are counted with all nodes; absent where this node has no such place. */
  readonly cluster?: ClusterLimits | undefined
}

/** A limit by its name, as units ask for it. */
export interface NamedLimit {
  /** What requests are asked about; undefined where they are not counted by themselves. */
  readonly request: RequestLimit | undefined
  /**
   * What a request is asked about that meets a unit which names this limit in its field `limit`: one that requests are not asked about by themselves
   * counts by address there.
   */
  readonly forUnits?: RequestLimit | undefined
  /**
   * Takes `cost` for a key of the caller's choice; an address is counted by its prefixes, as that of a request is. Absent where there is nothing
   * to be taken.
   */
  take?(key: string, cost: number): Decision | Promise<Decision>
  /** Who asked most in the last minutes, in this worker; absent where nobody notes that. */
  top?(count: number): readonly LimitTop[]
}

export function makeLimit(served: ServedLimit, parts: LimitParts): NamedLimit {
  switch (served.config.kind) {
    case 'rate':
      return new RateLimit(served, served.config, parts)
    case 'concurrency':
      return new InFlightLimit(served, served.config, parts)
    case 'bandwidth':
      return new BandwidthLimit(served, served.config, parts)
  }
}
