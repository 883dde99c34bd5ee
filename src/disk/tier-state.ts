/** What goes into the keeper of a tier and what comes out. */
import type { ToKeeper } from './frames.ts'

export interface TierEvents {
  /** For the operator. */
  onLine(line: string): void
  /** It may be used from now on, or no more. */
  onChange(): void
}

export interface TierState {
  readonly name: string
  readonly isOpen: boolean
  readonly bytes: number
  readonly entries: number
  readonly evicted: number
  readonly problem: string | undefined
  /** What was purged has not left it, and its folder cannot even be marked: a start from it would bring that back. */
  readonly isOwing: boolean
}

export type PutVerdict = 'stored' | 'refused'

/** What a worker said that is part of the next commit. */
export interface Waiting {
  readonly message: Exclude<ToKeeper, readonly ['open' | 'close' | 'broken' | 'failed', ...unknown[]]>
  readonly done: (verdict: PutVerdict) => void
}
