/**
 * Limits as the supervisor tells workers of them, and as they tell what they did.
 *
 * The state of a limit lies in a file in memory that all workers of the node have mapped: its region. The supervisor makes it and keeps it
 * as long as the limit is what it was; a worker opens it when it prepares the set that the limit goes live with.
 */
import type { LimitConfig } from '../config/schema.ts'

/** Where the limits over all sites have no site: no site has that name. */
export const ALL_SITES = ''

/** Where a site is expected, whose limits are a unit's own: no site has a blank in its name. A version on its way may have other ones than the live one. */
export const unitOwner = ({ name, version }: { readonly name: string; readonly version?: number }): string =>
  version === undefined ? `unit ${name}` : `unit ${name}@${version}`

export interface ServedLimit {
  /** The same for as long as its state is kept: it says what shapes that. */
  readonly id: string
  /** Whose it is, or `ALL_SITES`. */
  readonly site: string
  readonly config: LimitConfig
  /** Of its region; absent for what counts nothing that is shared. */
  readonly path?: string | undefined
}

/** What came of a question: `dry_run` went on though it would have been refused, `waited` went on later. */
export type LimitOutcome = 'allowed' | 'refused' | 'dry_run' | 'waited'

/** One of those who asked most. */
export interface LimitTop {
  /** As a person reads it: an address, a prefix, the value of a header. */
  readonly key: string
  /** Questions, allowed or not. */
  readonly count: number
  /** By so much `count` may be too high. */
  readonly excess: number
}
