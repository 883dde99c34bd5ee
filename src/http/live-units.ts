/**
 * The units that are live on this worker, with the sites beside them, and how they change: prepared aside, then swapped when the node flips.
 *
 * The supervisor writes the new epoch into a word that all workers share; each reads it at the start of every request, so
 * the node flips at one moment. A request keeps what it started with: it holds its units, not the epoch.
 */
import assert from 'node:assert/strict'
import type { AbridgedSet, UnitSet } from '../contract/messages.ts'
import type { UnitRunner } from '../contract/unit-runner.ts'
import { versionKey, type UnitVersion } from '../contract/unit.ts'
import { restore } from '../unit/abridged-set.ts'
import type { LiveSites, PreparedSites } from './live-sites.ts'
import { compileUnits, type NodeIdentity, type UnitMatcher } from '../unit/matcher.ts'

/** A request in flight may still need an old version; after this it is over, or lives without it. */
const RELEASE_AFTER_MS = 30_000
/** Old versions of one unit that are kept for requests in flight. */
const OLD_VERSIONS_MAX = 4

interface Epoch {
  readonly set: UnitSet
  readonly matcher: UnitMatcher
  /** Absent where the sites stay as they are. */
  readonly sites: PreparedSites | undefined
}

export class LiveUnits {
  private readonly node: NodeIdentity
  private readonly runner: UnitRunner
  private readonly sites: LiveSites
  /** Shared by the processes of the node; word 0 is the epoch. */
  private readonly words: Int32Array
  private readonly versions = new Map<string, UnitVersion>()
  private current: Epoch
  private currentEpoch: number
  private readonly prepared = new Map<number, Epoch>()
  /** Replaced versions, oldest first, with the timer that releases them. */
  private readonly old: { readonly unit: UnitVersion; readonly timer: NodeJS.Timeout }[] = []

  constructor(set: UnitSet, node: NodeIdentity, runner: UnitRunner, sites: LiveSites, words: Int32Array) {
    this.node = node
    this.runner = runner
    this.sites = sites
    this.words = words
    this.current = this.compile(this.intern(set), undefined)
    this.currentEpoch = set.epoch
    this.tellLive()
  }

  /**
   * The set with the versions that this worker knows already in place of their names or copies: what is loaded, its
   * breaker and its metrics belong to the one that runs.
   */
  private intern(set: AbridgedSet): UnitSet {
    return restore(set, (key, sent) => {
      const unit = this.versions.get(key) ?? sent
      assert(unit, `${key} is not known here and came without its code`)
      this.versions.set(key, unit)
      return unit
    })
  }

  private compile(set: UnitSet, sites: PreparedSites | undefined): Epoch {
    return { set, matcher: compileUnits(set, this.node), sites }
  }

  /** The matcher of the epoch that is live now. Called at the start of every request. */
  matcher(): UnitMatcher {
    const epoch = Atomics.load(this.words, 0)
    if (epoch !== this.currentEpoch) this.flipTo(epoch)
    return this.current.matcher
  }

  get lastGood(): Readonly<Record<string, UnitVersion>> {
    return this.current.set.lastGood
  }

  get epoch(): number {
    return this.currentEpoch
  }

  /** A version that is live, or is about to be. */
  version(name: string, version: number): UnitVersion | undefined {
    return this.versions.get(versionKey({ name, version }))
  }

  /** Makes a set ready beside the live one. Resolves to what was wrong with it. */
  async prepare(received: AbridgedSet): Promise<readonly string[]> {
    const set = this.intern(received)
    const live = new Set(this.current.set.units.map(versionKey))
    const fresh = set.units.filter((unit) => !live.has(versionKey(unit)))
    const problems = [...(await this.runner.prepare(fresh))]
    if (problems.length === 0) {
      try {
        const sites = set.served && this.sites.prepare(set.served)
        this.prepared.set(set.epoch, this.compile(set, sites))
        return []
      } catch (error) {
        problems.push((error as Error).message)
      }
    }
    this.releaseMissing(fresh, this.current.set)
    return problems
  }

  abort(epoch: number): void {
    const prepared = this.prepared.get(epoch)
    this.prepared.delete(epoch)
    if (prepared === undefined) return
    this.releaseMissing(prepared.set.units, this.current.set)
    if (prepared.sites) this.sites.discard(prepared.sites)
  }

  private flipTo(epoch: number): void {
    const next = this.prepared.get(epoch)
    // Not prepared here: this worker started with a later set than the word tells, and stays on it.
    if (next === undefined) return
    const before = this.current.set
    this.current = next
    this.currentEpoch = epoch
    if (next.sites) this.sites.activate(next.sites)
    for (const known of this.prepared.keys()) if (known <= epoch) this.prepared.delete(known)
    this.retire(before, next.set)
    this.tellLive()
  }

  private tellLive(): void {
    const { enabled, units } = this.current.set
    this.runner.setLive(enabled ? units : [])
  }

  private retire(before: UnitSet, now: UnitSet): void {
    const keep = keysOf(now)
    for (const unit of before.units) {
      if (keep.has(versionKey(unit))) continue
      const timer = setTimeout(() => this.releaseOld(unit), RELEASE_AFTER_MS)
      timer.unref()
      this.old.push({ unit, timer })
      const ofThisName = this.old.filter((entry) => entry.unit.name === unit.name)
      if (ofThisName.length > OLD_VERSIONS_MAX) this.releaseOld(ofThisName[0]!.unit)
    }
  }

  private releaseOld(unit: UnitVersion): void {
    const at = this.old.findIndex((entry) => entry.unit === unit)
    if (at < 0) return
    clearTimeout(this.old[at]!.timer)
    this.old.splice(at, 1)
    // A rollback may have made it live again.
    this.releaseMissing([unit], this.current.set)
  }

  private releaseMissing(units: readonly UnitVersion[], set: UnitSet): void {
    const keep = keysOf(set)
    for (const unit of units) {
      if (keep.has(versionKey(unit))) continue
      this.versions.delete(versionKey(unit))
      this.runner.release(unit)
    }
  }
}

const keysOf = (set: UnitSet): ReadonlySet<string> =>
  new Set([...set.units, ...Object.values(set.lastGood)].map(versionKey))
