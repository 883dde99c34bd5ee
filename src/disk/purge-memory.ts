/**
 * What was purged and removed of late: an object that began to be fetched before is not stored after.
 */
import type { DiskPurge } from '../contract/disk-tier.ts'
import type { PutRow } from './frames.ts'

/** A fetch that takes longer than the last of these reach back is not stored. */
const PURGES_MAX = 4096
const REMOVALS_MAX = 16_384

export class PurgeMemory {
  readonly #purges: DiskPurge[] = []
  /** What began before this purge is refused: nobody remembers what came after. */
  #floor: number
  readonly #removals = new Map<string, number>()
  #removedFloorMs = 0

  constructor(floor: number) {
    this.#floor = floor
  }

  note(purge: DiskPurge): void {
    this.#purges.push(purge)
    if (this.#purges.length > PURGES_MAX) this.#floor = this.#purges.shift()!.number
  }

  noteRemoval(key: string, atMs: number): void {
    this.#removals.delete(key)
    this.#removals.set(key, atMs)
    if (this.#removals.size <= REMOVALS_MAX) return
    const [oldest, ms] = this.#removals.entries().next().value!
    this.#removals.delete(oldest)
    this.#removedFloorMs = ms
  }

  /** What has become of it meanwhile. */
  judge({ key, tags, purgeNumber, begunMs }: PutRow): 'good' | 'soft' | 'gone' {
    if (purgeNumber < this.#floor || begunMs <= this.#removedFloorMs || this.#isRemoved(key, begunMs))
      return 'gone'
    let verdict: 'good' | 'soft' = 'good'
    for (let at = this.#purges.length - 1; at >= 0; at--) {
      const purge = this.#purges[at]!
      if (purge.number <= purgeNumber) break
      if (!concerns(purge, key, tags)) continue
      if (!purge.soft) return 'gone'
      verdict = 'soft'
    }
    return verdict
  }

  #isRemoved(key: string, begunMs: number): boolean {
    if (this.#removals.size === 0) return false
    if ((this.#removals.get(key) ?? -1) >= begunMs) return true
    // What belongs to a key has it before a space or a line break.
    for (let at = 0; at < key.length; at++) {
      const code = key.charCodeAt(at)
      if ((code === 0x20 || code === 0x0a) && (this.#removals.get(key.slice(0, at)) ?? -1) >= begunMs)
        return true
    }
    return false
  }
}

/** Whether a key is another one's, or belongs to it: a slice, a variant, a mark. */
export function belongsTo(key: string, to: string): boolean {
  if (!key.startsWith(to)) return false
  const next = key.charCodeAt(to.length)
  return key.length === to.length || next === 0x20 || next === 0x0a
}

export function concerns(
  { kind, value, within = '' }: DiskPurge,
  key: string,
  tags: readonly string[],
): boolean {
  if (kind === 'tag') return key.startsWith(within) && tags.includes(value)
  return kind === 'key' ? belongsTo(key, value) : key.startsWith(value)
}
