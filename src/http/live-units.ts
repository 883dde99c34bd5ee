/**
 * The units that are live on this worker, with the sites beside them, and how they change: prepared aside, then swapped when the node flips.
 *
 * The supervisor writes the new epoch into a word that all workers share; each reads it at the start of every request, so
 * the node flips at one moment. A request keeps what it started with: it holds its units, not the epoch.
 */
import assert from 'node:assert/strict'
import type { AbridgedSet, Served, UnitSet } from '../contract/messages.ts'
import type { UnitRunner } from '../contract/unit-runner.ts'
import { runKey, versionKey, type UnitVersion } from '../contract/unit.ts'
import { liveIn, restore, versionsIn } from '../unit/abridged-set.ts'
import type { LiveSites, PreparedSites } from './live-sites.ts'
import { DnsMatcher } from '../unit/dns-matcher.ts'
import { compileUnits, type NodeIdentity, type UnitMatcher } from '../unit/matcher.ts'
import { compileShadows, type ShadowUnit } from './shadow/shadow-units.ts'

/** A request in flight may still need an old version; after this it is over, or lives without it. */
const RELEASE_AFTER_MS = 30_000
/** Old versions of one unit that are kept for requests in flight. */
const OLD_VERSIONS_MAX = 4

interface Epoch {
  readonly set: UnitSet
  readonly matcher: UnitMatcher
  readonly dns: DnsMatcher
  readonly shadows: readonly ShadowUnit[]
  /** Absent where the sites stay as they are. */
  readonly sites: PreparedSites | undefined
  readonly beside: PreparedPart | undefined
}

/** What else of a worker changes with a set, in the same moment. */
export interface PartBeside {
  /** Rejects where it cannot be as the set has it; undefined where it stays as it is. */
  prepare(served: Served): Promise<PreparedPart | undefined>
}

export interface PreparedPart {
  activate(): void
  discard(): void
}

export class LiveUnits {
  private readonly node: NodeIdentity
  private readonly runner: UnitRunner
  private readonly sites: LiveSites
  private readonly beside: PartBeside | undefined
  /** Shared by the processes of the node; word 0 is the epoch. */
  private readonly words: Int32Array
  private readonly versions = new Map<string, UnitVersion>()
  private current: Epoch
  private currentEpoch: number
  private readonly prepared = new Map<number, Epoch>()
  /** Replaced versions, oldest first, with the timer that releases them. */
  private readonly old: { readonly unit: UnitVersion; readonly timer: NodeJS.Timeout }[] = []

  constructor(
    set: UnitSet,
    node: NodeIdentity,
    runner: UnitRunner,
    sites: LiveSites,
    words: Int32Array,
    beside?: PartBeside,
  ) {
    this.beside = beside
    this.node = node
    this.runner = runner
    this.sites = sites
    this.words = words
    this.current = this.compile(this.intern(set))
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

  private compile(set: UnitSet, sites?: PreparedSites, beside?: PreparedPart): Epoch {
    return {
      set,
      matcher: compileUnits(set, this.node),
      dns: new DnsMatcher(set, this.node),
      shadows: compileShadows(set, this.node),
      sites,
      beside,
    }
  }

  /** The matcher of the epoch that is live now. Called at the start of every request. */
  matcher(): UnitMatcher {
    const epoch = Atomics.load(this.words, 0)
    if (epoch !== this.currentEpoch) this.flipTo(epoch)
    return this.current.matcher
  }

  /** The same for queries of the DNS. */
  dnsMatcher(): DnsMatcher {
    this.matcher()
    return this.current.dns
  }

  /** Versions that run beside the live ones, of the set that `matcher` was asked of. */
  get shadows(): readonly ShadowUnit[] {
    return this.current.shadows
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
    const live = new Set(liveIn(this.current.set).map(runKey))
    const fresh = liveIn(set).filter((unit) => !live.has(runKey(unit)))
    const problems = [...(await this.runner.prepare(fresh))]
    if (problems.length === 0) {
      try {
        const sites = set.served && this.sites.prepare(set.served)
        const beside = await this.prepareBeside(set.served, sites)
        this.prepared.set(set.epoch, this.compile(set, sites, beside))
        if (sites !== undefined) await this.sites.ready()
        return []
      } catch (error) {
        problems.push((error as Error).message)
      }
    }
    this.releaseMissing(fresh, this.current.set)
    return problems
  }

  private async prepareBeside(
    served: Served | undefined,
    sites: PreparedSites | undefined,
  ): Promise<PreparedPart | undefined> {
    try {
      return served && (await this.beside?.prepare(served))
    } catch (error) {
      if (sites) this.sites.discard(sites)
      throw error
    }
  }

  abort(epoch: number): void {
    const prepared = this.prepared.get(epoch)
    this.prepared.delete(epoch)
    if (prepared === undefined) return
    this.releaseMissing(liveIn(prepared.set), this.current.set)
    if (prepared.sites) this.sites.discard(prepared.sites)
    prepared.beside?.discard()
  }

  private flipTo(epoch: number): void {
    const next = this.prepared.get(epoch)
    // Not prepared here: this worker started with a later set than the word tells, and stays on it.
    if (next === undefined) return
    const before = this.current.set
    this.current = next
    this.currentEpoch = epoch
    if (next.sites) this.sites.activate(next.sites)
    next.beside?.activate()
    for (const [known, one] of this.prepared) {
      if (known > epoch) continue
      if (one !== next) one.beside?.discard()
      this.prepared.delete(known)
    }
    this.retire(before, next.set)
    this.tellLive()
  }

  private tellLive(): void {
    const { set } = this.current
    this.runner.setLive(set.enabled ? liveIn(set) : [])
  }

  private retire(before: UnitSet, now: UnitSet): void {
    const keep = keysOf(now)
    for (const unit of liveIn(before)) {
      if (keep.has(runKey(unit))) continue
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
      if (keep.has(runKey(unit))) continue
      this.versions.delete(runKey(unit))
      this.runner.release(unit)
    }
  }
}

const keysOf = (set: UnitSet): ReadonlySet<string> => new Set(versionsIn(set).map(runKey))
