/** What the supervisor and the thread of the keeper say to each other. */
import type { DiskPurge, DiskTierPlan } from '../contract/disk-tier.ts'
import type { TierState } from './tier-state.ts'

export interface KeeperStart {
  readonly socket: string
  readonly plans: readonly DiskTierPlan[]
  readonly purgeNumber: number
  /** Folders of tiers that no site has any more. */
  readonly leftovers: readonly string[]
}

export type ToKeeperThread =
  | { readonly kind: 'use'; readonly plans: readonly DiskTierPlan[] }
  | {
      readonly kind: 'purge'
      readonly id: number
      readonly purges: readonly DiskPurge[]
      readonly tier: string | undefined
    }
  | { readonly kind: 'states'; readonly id: number }
  | { readonly kind: 'close' }

export type FromKeeperThread =
  | {
      readonly kind: 'purged'
      readonly id: number
      readonly objects: number
      readonly states: readonly TierState[]
    }
  | { readonly kind: 'states'; readonly id: number; readonly states: readonly TierState[] }
  | { readonly kind: 'line'; readonly line: string }
  | { readonly kind: 'closed' }
