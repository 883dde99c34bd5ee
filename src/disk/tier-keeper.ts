/**
 * One tier as its keeper has it: opened where the folder is to be had, written to in batches, and at rest while something is wrong.
 *
 * At rest nobody reads or writes it, so a disk that is full or broken costs a hit at most. It is tried again now and then, at growing
 * distances. What has to leave meanwhile is remembered; and since this process may be killed before it can be carried out, the mark
 * `in-order` is taken away, without which the index is thrown away at the next start. An index that is damaged is thrown away at once: all
 * that it knew can be fetched again.
 */
import { rm } from 'node:fs/promises'
import type { DatabaseSync } from 'node:sqlite'
import type { DiskPurge, DiskTierPlan } from '../contract/disk-tier.ts'
import type { PutRow } from './frames.ts'
import { isUnusable, openIndexForWriting, PAGE_BYTES, removeIndex, walPagesOf } from './index-file.ts'
import { bodyPath } from './layout.ts'
import { Overdue } from './overdue.ts'
import { PurgeMemory } from './purge-memory.ts'
import { Sweeper } from './sweep.ts'
import { TierFolder } from './tier-folder.ts'
import { TierIndex } from './tier-index.ts'
import { TierRetry } from './tier-retry.ts'
import type { PutVerdict, TierEvents, TierState, Waiting } from './tier-state.ts'
import { UnderWay } from './under-way.ts'

const CHECK_MS = 1_000
/** The share of a tier that is left free for what is on its way. */
const SLACK = 1 / 32

export class TierKeeper {
  plan: DiskTierPlan
  generation = 0
  readonly #events: TierEvents
  #index: TierIndex | undefined
  #db: DatabaseSync | undefined
  #inode: bigint | undefined
  #memory: PurgeMemory
  readonly #folder: TierFolder
  readonly #overdue = new Overdue()
  readonly #underWay = new UnderWay()
  #waiting: Waiting[] = []
  #isCommitSet = false
  #problem: string | undefined
  #hasToldProblem = false
  readonly #retry = new TierRetry(() => this.#open())
  #checkTimer: NodeJS.Timeout | undefined
  #sweeper: Sweeper | undefined
  #evictedBefore = 0
  /** Something has to leave that has not. */
  #owes = false
  #isClosed = false

  /** `purgeNumber`: of the last purge before now, of which nobody here has heard. */
  constructor(plan: DiskTierPlan, purgeNumber: number, events: TierEvents) {
    this.plan = plan
    this.#events = events
    this.#folder = new TierFolder(plan.folder)
    this.#memory = new PurgeMemory(purgeNumber)
    this.#open()
  }

  get isOpen(): boolean {
    return this.#index !== undefined
  }

  get state(): TierState {
    const index = this.#index
    return {
      name: this.plan.name,
      isOpen: index !== undefined,
      bytes: index?.bytes ?? 0,
      entries: index?.entries ?? 0,
      evicted: this.#evictedBefore + (index?.evicted ?? 0),
      problem: this.#problem,
      isOwing: this.#owes && this.#folder.isInOrder,
    }
  }

  /** The same tier with other limits. Another folder is another tier. */
  change(plan: DiskTierPlan): void {
    const isOther = plan.policy !== this.plan.policy
    this.plan = plan
    if (this.#index === undefined) return
    if (isOther) {
      this.#commit()
      this.#guarded(() => this.#replaceIndex(plan.policy))
    }
    this.#setCommit()
  }

  #replaceIndex(policy: DiskTierPlan['policy']): void {
    if (this.#index === undefined || this.#db === undefined) return
    const { evicted } = this.#index
    this.#index = new TierIndex(this.#db, policy)
    this.#evictedBefore += evicted
  }

  // ── what workers say ───────────────────────────────────────────────────────────────────────────────────────

  opened(file: number, bytes: number): void {
    this.#underWay.opened(file, bytes)
    this.#setCommit()
  }

  /** It will not come; whoever wrote it has removed it. */
  closed(file: number): void {
    this.#underWay.closed(file)
  }

  /** Who wrote it is gone. */
  orphaned(file: number): void {
    if (!this.#underWay.closed(file)) return
    void rm(bodyPath(this.plan.folder, file), { force: true }).catch(() => undefined)
  }

  /** A worker could not write a body: the disk is full, or read-only, or broken. */
  failed(why: string): void {
    if (this.#index !== undefined) this.#rest(new Error(why))
  }

  broken(generation: number, why: string): void {
    if (generation === this.generation && this.#index !== undefined) this.#throwAway(why)
  }

  enqueue(message: Waiting['message'], done: Waiting['done']): void {
    if (message[0] === 'remove') this.#memory.noteRemoval(message[3], message[4])
    if (this.#index === undefined) {
      if (message[0] === 'remove') this.#removeLater(message[3])
      if (message[0] === 'put') this.#refuse(message[3])
      done(message[0] === 'remove' ? 'stored' : 'refused')
      return
    }
    this.#waiting.push({ message, done })
    this.#setCommit()
  }

  /** Returns how many objects it was. What they are about is found by nobody when this returns. All of them are one commit. */
  purge(purges: readonly DiskPurge[]): number {
    for (const purge of purges) this.#memory.note(purge)
    // What came before it may be what it is about.
    if (this.#index !== undefined) this.#commit()
    const index = this.#index
    if (index === undefined) {
      this.#purgeLater(purges)
      return 0
    }
    const count = this.#guarded(() => {
      index.syncNext()
      index.begin()
      const count = purges.reduce((sum, purge) => sum + index.purge(purge), 0)
      index.commit()
      index.syncNoMore()
      return count
    })
    if (count === undefined) {
      this.#purgeLater(purges)
      return 0
    }
    this.#removeFiles()
    this.#setCommit()
    return count
  }

  #setCommit(): void {
    if (this.#isCommitSet || this.#index === undefined) return
    this.#isCommitSet = true
    setImmediate(() => {
      this.#isCommitSet = false
      this.#commit()
    })
  }

  #commit(): void {
    const waiting = this.#waiting
    this.#waiting = []
    const index = this.#index
    const verdicts: PutVerdict[] = []
    const isDone =
      index !== undefined &&
      this.#guarded(() => {
        index.begin()
        for (const { message } of waiting) verdicts.push(this.#take(index, message))
        index.removeLeftovers()
        index.evictTo(this.#bytesMax, this.#otherBytes)
        index.commit()
        return true
      }) === true
    waiting.forEach(({ message, done }, at) => {
      if (isDone) return done(verdicts[at]!)
      if (message[0] === 'put') this.#refuse(message[3])
      if (message[0] === 'remove') this.#removeLater(message[3])
      done(message[0] === 'remove' ? 'stored' : 'refused')
    })
    if (!isDone) return
    this.#removeFiles()
    if (index!.hasLeftovers) this.#setCommit()
    const surplus = index!.bytes + this.#otherBytes - this.plan.bytesMax * (1 - SLACK / 2)
    if (surplus > 0) this.#guarded(() => index!.shrink(surplus))
  }

  #take(index: TierIndex, message: Waiting['message']): PutVerdict {
    switch (message[0]) {
      case 'put':
        return this.#put(index, message[3])
      case 'remove':
        index.remove(message[3])
        break
      case 'drop':
        index.drop(message[2])
        break
      case 'used':
        index.use(message[2])
    }
    return 'stored'
  }

  #put(index: TierIndex, row: PutRow): PutVerdict {
    const verdict = this.#memory.judge(row)
    if (verdict === 'gone' || row.size > this.plan.objectBytesMax || !index.put(row)) {
      this.#refuse(row)
      return 'refused'
    }
    if (verdict === 'soft') index.soften(row.key)
    if (row.file !== 0 && !row.isRenewal) this.closed(row.file)
    return 'stored'
  }

  /** Its file goes, if it brought one. */
  #refuse({ file, isRenewal }: PutRow): void {
    if (file !== 0 && !isRenewal) this.orphaned(file)
  }

  #removeFiles(): void {
    for (const file of this.#index?.takeRemoved() ?? [])
      void rm(bodyPath(this.plan.folder, file), { force: true }).catch(() => undefined)
  }

  /** What objects may take: the rest is for what is on its way, and for the log of the index. */
  get #bytesMax(): number {
    return this.plan.bytesMax * (1 - SLACK)
  }

  get #otherBytes(): number {
    return this.#underWay.bytes + 2 * walPagesOf(this.plan.bytesMax) * PAGE_BYTES
  }

  // ── open, at rest, closed ──────────────────────────────────────────────────────────────────────────────────

  #open(): void {
    if (this.#isClosed) return
    const { folder, policy } = this.plan
    try {
      this.#folder.take(this.#hasToldProblem)
      if (!this.#folder.isInOrder && !this.#owes) removeIndex(folder)
      this.#openIndex(policy)
      this.#overdue.applyTo(this.#index!)
      this.#folder.setInOrder()
      this.#owes = false
    } catch (error) {
      if (isUnusable(error)) {
        this.#closeIndex()
        try {
          removeIndex(folder)
        } catch {
          // It is said below, in the words of what was wrong with it.
        }
      }
      this.#rest(error as Error)
      return
    }
    if (this.#hasToldProblem) this.#events.onLine(`the cache in ${folder} is used again`)
    this.#hasToldProblem = false
    this.#problem = undefined
    this.#retry.opened()
    this.generation += 1
    this.#checkTimer = setInterval(() => this.#check(), CHECK_MS)
    this.#events.onChange()
    this.#sweep()
    this.#setCommit()
  }

  #openIndex(policy: DiskTierPlan['policy']): void {
    const { folder } = this.plan
    for (let attempt = 0; ; attempt++) {
      try {
        this.#db = openIndexForWriting(folder, walPagesOf(this.plan.bytesMax))
        this.#index = new TierIndex(this.#db, policy)
        this.#inode = this.#folder.indexInode
        return
      } catch (error) {
        this.#closeIndex()
        if (attempt > 0 || !isUnusable(error)) throw error
        this.#events.onLine(
          `the index of the cache in ${folder} is damaged (${(error as Error).message}): it begins empty`,
        )
        removeIndex(folder)
      }
    }
  }

  #removeLater(key: string): void {
    this.#owe()
    this.#overdue.remove(key)
  }

  #purgeLater(purges: readonly DiskPurge[]): void {
    this.#owe()
    for (const purge of purges) this.#overdue.purge(purge)
  }

  /** The index says what is not true any more, until it is open again; where this process dies before that, nobody may believe it. */
  #owe(): void {
    this.#owes = true
    this.#folder.setOutOfOrder()
  }

  /** Does it; an error puts the tier to rest, and undefined is returned. */
  #guarded<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      this.#fail(error as Error)
      return undefined
    }
  }

  #fail(error: Error): void {
    if (isUnusable(error)) this.#throwAway(error.message)
    else this.#rest(error)
  }

  #throwAway(why: string): void {
    const { folder } = this.plan
    this.#events.onLine(`the index of the cache in ${folder} is damaged (${why}): it begins empty`)
    this.#closeIndex()
    this.#events.onChange()
    try {
      removeIndex(folder)
    } catch (error) {
      this.#rest(error as Error)
      return
    }
    this.#open()
  }

  #rest(error: Error): void {
    this.#closeIndex()
    if (this.#isClosed) return
    this.#problem = error.message
    if (!this.#hasToldProblem) {
      this.#hasToldProblem = true
      this.#events.onLine(
        `the cache in ${this.plan.folder} rests: ${error.message}; memory goes on without it, and it is tried again now and then`,
      )
    }
    this.#events.onChange()
    this.#retry.later()
  }

  /** Somebody may have taken the index away. */
  #check(): void {
    const isOther = this.#guarded(() => this.#folder.indexInode !== this.#inode)
    if (isOther === true) this.#throwAway('its file is another one, or gone')
  }

  #sweep(): void {
    this.#sweeper = new Sweeper({
      folder: this.plan.folder,
      filesOf: (from, to) => this.#index?.filesOf(from, to) ?? [],
      isUnderWay: (file) => this.#underWay.has(file),
      onSwept: ({ folders }) => this.#underWay.foundFolders(folders),
      onError: (error) => this.#fail(error),
    })
  }

  #closeIndex(): void {
    clearInterval(this.#checkTimer)
    this.#sweeper?.stop()
    this.#evictedBefore += this.#index?.evicted ?? 0
    this.#index = undefined
    const db = this.#db
    this.#db = undefined
    try {
      db?.close()
    } catch {
      // A log that cannot be merged is merged by whoever opens it next.
    }
  }

  /** What was asked before is done, then the folder is let go. `isForGood`: nobody tells it what has to leave from now on; it would begin empty. */
  close(isForGood = false): void {
    if (this.#index !== undefined) this.#commit()
    if (this.#index !== undefined && isForGood) this.#folder.setOutOfOrder()
    this.#isClosed = true
    this.#retry.stop()
    this.#closeIndex()
    this.#folder.release()
  }
}
