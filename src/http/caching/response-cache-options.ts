/** What a cache is made with, and what it counts. */
import type { EvictedAges, AdmissionName, PolicyName } from '../../cache/index.ts'
import type { DiskTier } from '../../contract/disk-tier.ts'
import type { StoringRules } from './storing.ts'
import type { VaryRules } from './vary-rules.ts'

export interface ResponseCacheOptions {
  /**
   * Memory for what is stored. Bodies on their way in may take half as much again, and with them those that are no longer stored, but
   * still read by the client that asked for them first.
   */
  readonly bytesMax: number
  /** One body at most; half of `bytesMax` at most in any case. */
  readonly objectBytesMax: number
  /** The origin is asked for plain bodies alone: what is plain does not vary by `Accept-Encoding`, whatever it says. */
  readonly asksForPlain?: boolean
  /** Milliseconds from any moment on: by them it is known how old what is evicted was. Absent: it is not counted. */
  readonly nowMs?: () => number
  /** Who leaves when the memory is full. Default: as `orla/cache` has it. */
  readonly policy?: PolicyName
  /** Who comes in. Default: all. */
  readonly admission?: AdmissionName
  /** What the site says of storing; the strictest where it is absent. */
  readonly rules?: StoringRules
  /** What of the headers that answers vary by tells them apart. */
  readonly vary?: VaryRules
  /** A tier behind memory. */
  readonly disk?: DiskTier | undefined
  /** It is of no use any more. */
  readonly onClose?: (() => void) | undefined
  /** The number of the last purge that this process has applied; where it is absent, the cache counts on its own. */
  readonly purges?: { readonly number: number } | undefined
  /** Does work in the next turn, so that a large purge does not stand between requests. Absent: at once. */
  readonly later?: ((work: () => void) => void) | undefined
  /** Milliseconds from any moment on, by which a turn of that work is measured. Default: the process's own. */
  readonly elapsedMs?: (() => number) | undefined
  /** Told what a request made out of date here: others may have kept it, too. `urls` as keys hold them. */
  readonly onInvalidate?:
    | ((what: { readonly urls: readonly string[] } | { readonly tags: readonly string[] }) => void)
    | undefined
}

export interface ResponseCacheCounters {
  /** Lookups by result, since the start. */
  readonly hit: number
  readonly stale: number
  readonly miss: number
  readonly bypass: number
  /** Requests that waited for another's answer, or came while it arrived. */
  readonly joined: number
  /** Requests that were given another's answer while it arrived. */
  readonly followed: number
  /** Answers that came from another worker of the node. */
  readonly fromSibling: number
  /** Stale answers that went out: while they are refreshed, or since the origin failed. */
  readonly staleServed: number
  readonly stored: number
  /** Kept on, after the origin said that they are still good. */
  readonly refreshed: number
  readonly evicted: number
  readonly invalidated: number
  /** What did not come into memory: larger than one object may be there, or not admitted. */
  readonly refused: { readonly size: number; readonly admission: number }
  /** How old stored responses were when they made room for others. */
  readonly evictedAges: EvictedAges
  /** Objects that purges took away, or made stale. */
  readonly purged: number
  /** Now. */
  readonly entries: number
  readonly bytes: number
  readonly flights: number
}

/** What the cache itself counts. */
export const countFromZero = () => ({
  hit: 0,
  stale: 0,
  miss: 0,
  bypass: 0,
  joined: 0,
  followed: 0,
  fromSibling: 0,
  staleServed: 0,
  stored: 0,
  refreshed: 0,
  invalidated: 0,
  purged: 0,
})
