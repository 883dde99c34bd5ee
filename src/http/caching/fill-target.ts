/** What a fill needs of those around it. */
import type { EdgeError } from '../../base/errors.ts'
import type { Arrival } from './arrival.ts'
import type { DiskRoom, Room } from './body-gathering.ts'
import type { CacheFill } from './fill.ts'
import type { StoredResponse } from './stored-response.ts'
import type { StoringRules } from './storing.ts'
import type { VaryRules } from './vary-rules.ts'

/** What a fill needs of its cache. */
export interface FillTarget {
  readonly objectBytesMax: number
  /** See `ResponseCacheOptions`. */
  readonly asksForPlain: boolean
  readonly rules: StoringRules
  readonly vary: VaryRules
  /** For bytes that are not stored yet. */
  readonly room: Room
  /** Where the answer may be kept on disk. Asked once for each that may be stored: it counts. */
  diskRoom?(fill: CacheFill): DiskRoom | undefined
  keep(fill: CacheFill, response: StoredResponse, as: 'stored' | 'refreshed'): boolean
  /** Where a copy may lie that is too large for memory, while it is read. */
  copyRoom?(): DiskRoom | undefined
  drop(fill: CacheFill, response: StoredResponse): void
  learnVary(fill: CacheFill, names: readonly string[], nowMs: number): void
  /** Its head is here, and may be shared. */
  announce(fill: CacheFill, arrival: Arrival): void
  /** The cache does not want the rest of it, and those who read it do: until `isOver`. */
  passing(arrival: Arrival, isOver: boolean): void
  /** Its answer is kept, but not for sharing while it comes: those who wait are sent on. */
  unshare(fill: CacheFill, nowMs: number): void
  /** The fill is over. `sharing`: what is known now about whether answers of this address can be shared. */
  settled(fill: CacheFill, sharing: 'shared' | 'unshared' | 'unknown', nowMs: number, error?: EdgeError): void
}

export interface FillWatcher {
  /** Its flight is found elsewhere now, or nowhere. */
  onPlace(): void
  /** It is over: it is in the cache, to be shared, or not. */
  onOver(isShared: boolean): void
}
