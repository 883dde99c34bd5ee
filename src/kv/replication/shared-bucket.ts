/** One bucket of a `SharedAuthority`: takes what waits, plans it, and appends it, one append at a time. */
import { backOffMs } from '../../base/back-off.ts'
import type { Clock } from '../../base/clock.ts'
import { EdgeError } from '../../base/errors.ts'
import type { KvUplinkAnswer, KvUplinkPart } from '../../contract/kv-replication.ts'
import type { SharedLog } from '../../contract/shared-log.ts'
import { samePosition, type Position, type Snapshot } from '../../contract/store.ts'
import { chain } from '../../store/chain.ts'
import { assertNotEmptied, putBack } from '../../store/log-guards.ts'
import { isLive, type KvTerms } from '../rows.ts'
import { type After, afterMs } from './after.ts'
import type { Buckets } from './buckets.ts'
import { PairsLoad } from './log-ends.ts'
import { charactersOf } from './outbox.ts'
import { Overlay } from './overlay.ts'
import { answerOf, planPart } from './plan.ts'
import type { KvReplica } from './replica.ts'

export interface SharedBucketOptions {
  readonly bucket: number
  readonly log: SharedLog
  readonly replica: KvReplica
  readonly buckets: Buckets
  readonly clock: Clock
  readonly terms: () => KvTerms
  /** What this node has of a bucket, as it stands in a log: an engine that is empty begins with it. */
  readonly seed: (bucket: number) => Iterable<readonly [key: string, value: string]>
  /** Told once for each trouble, until the log was read again; and of what an engine had lost. */
  readonly onProblem: (error: Error) => void
  readonly after?: After | undefined
  /** From 0 to below 1. */
  readonly random?: (() => number) | undefined
}

/** What goes without anybody having asked. */
export type Removal =
  | { readonly kind: 'expired'; readonly namespace: string; readonly key: string }
  | { readonly kind: 'marker'; readonly instance: string; readonly before: number }

interface Waiting {
  readonly part: KvUplinkPart
  readonly from: string | undefined
  readonly onDone: (answer: KvUplinkAnswer) => void
}

const READ_AT_ONCE = 1000
/** Of a snapshot, in one transaction. */
const PAIRS_AT_ONCE = 1000
/** Of one append, but for one part, which may be larger. */
const OPERATIONS_MAX = 2000
const CHARACTERS_MAX = 1024 * 1024
/** So often somebody else was faster. */
const CONFLICTS_MAX = 20

export class SharedBucket {
  readonly #options: SharedBucketOptions
  #stopWatching = (): void => {}
  #isStarted = false
  #waiting: Waiting[] = []
  #removals: Removal[] = []
  /** There is something new in the log, or this node has not looked yet. */
  #isBehind = true
  #isReading = false
  /** Somebody has this entry, and this node had not; the engine was asked, once this is not behind. */
  #doubtedId = 0
  #running: Promise<void> | undefined
  #failures = 0
  #isClosed = false
  #cancelRetry = (): void => {}

  constructor(options: SharedBucketOptions) {
    this.#options = options
  }

  /** Reads and orders from here on; what is asked before waits. */
  start(): void {
    this.#isStarted = true
    this.#stopWatching = this.#options.log.watch(() => {
      this.#isBehind = true
      this.#run()
    })
    this.#run()
  }

  order(part: KvUplinkPart, from: string | undefined): Promise<KvUplinkAnswer> {
    return new Promise((onDone) => {
      this.#waiting.push({ part, from, onDone })
      this.#run()
    })
  }

  remove(removals: readonly Removal[]): void {
    this.#removals = [...removals]
    this.#run()
  }

  /** The first time that an entry is asked for, the engine is; where that did not bring it, there is none. */
  mayBeBehind(id: number): boolean {
    if (id <= this.#doubtedId && !this.#isBehind && !this.#isReading) {
      this.#doubtedId = 0
      return false
    }
    this.#doubtedId = Math.max(id, this.#doubtedId)
    this.#isBehind = true
    this.#run()
    return true
  }

  /** Throws what the engine does. */
  async catchUp(): Promise<void> {
    await this.#running
    if (this.#isBehind) await (this.#running = this.#exclusively(() => this.#readOn()))
  }

  close(): void {
    this.#isClosed = true
    this.#cancelRetry()
    this.#stopWatching()
    for (const { onDone } of this.#waiting.splice(0)) onDone(unavailable('the control plane ends'))
  }

  #run(): void {
    if (this.#running || this.#isClosed || !this.#isStarted) return
    this.#cancelRetry()
    this.#running = this.#exclusively(() => this.#work())
    this.#running.catch((error: Error) => {
      if (this.#isClosed) return
      const { after = afterMs, random = Math.random, onProblem } = this.#options
      if (this.#failures === 0) onProblem(error)
      this.#failures++
      this.#cancelRetry = after(backOffMs(this.#failures, random), () => this.#run())
    })
  }

  /** `#running` is cleared before whoever waits goes on. */
  async #exclusively(work: () => Promise<void>): Promise<void> {
    // What comes in the same turn goes along.
    await new Promise((resolve) => setImmediate(resolve))
    try {
      await work()
    } finally {
      this.#running = undefined
      if (this.#waiting.length > 0) this.#run()
    }
  }

  async #work(): Promise<void> {
    while (!this.#isClosed && (this.#isBehind || this.#waiting.length > 0 || this.#removals.length > 0)) {
      const batch = this.#take()
      const removals = this.#removals.splice(0)
      try {
        if (this.#isBehind) await this.#readOn()
        if (batch.length > 0 || removals.length > 0) await this.#order(batch, removals)
      } catch (error) {
        // It may have been appended all the same: whoever reads on finds out.
        this.#isBehind = true
        for (const { onDone } of batch) onDone(unavailable((error as Error).message))
        throw error
      }
    }
  }

  #take(): Waiting[] {
    let operations = 0
    let characters = 0
    let count = 0
    for (const { part } of this.#waiting) {
      operations += part.operations.length
      for (const operation of part.operations) characters += charactersOf(operation)
      if (count > 0 && (operations > OPERATIONS_MAX || characters > CHARACTERS_MAX)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #order(batch: readonly Waiting[], removals: readonly Removal[]): Promise<void> {
    const { bucket, log, replica, buckets, clock, terms } = this.#options
    for (let conflicts = 0; conflicts < CONFLICTS_MAX; conflicts++) {
      const overlay = new Overlay(replica.ordered(), buckets)
      const now = terms()
      const results = batch.map(({ part, from }) => planPart(overlay, part, now, from))
      for (const removal of removals) plan(overlay, bucket, removal, now)
      const position = buckets.position(bucket)
      const entries = chain(position, overlay.changes.effects(position.id), clock.now())
      // Where nothing changes, what was read has to be what is there now.
      const isNext =
        entries.length > 0
          ? (await log.append(position, entries)) === 'appended'
          : batch.length === 0 || samePosition(await log.head(), position)
      if (isNext) {
        if (entries.length > 0) replica.applyEntries(bucket, entries)
        const at = buckets.position(bucket)
        batch.forEach(({ onDone }, i) => onDone(answerOf(results[i]!, at)))
        return
      }
      await this.#readOn()
    }
    const message = `others wrote to the log of bucket ${bucket} each time before it came to this`
    for (const { onDone } of batch) onDone(unavailable(message))
  }

  async #readOn(): Promise<void> {
    const { bucket, log, replica } = this.#options
    this.#isBehind = false
    this.#isReading = true
    try {
      for (;;) {
        const position = replica.position(bucket)
        const entries = position.log === '' ? 'reset' : await log.read(position, READ_AT_ONCE)
        if (entries === 'reset') await this.#begin(position)
        else if (entries.length === 0) break
        else replica.applyEntries(bucket, entries)
      }
      this.#failures = 0
    } catch (error) {
      this.#isBehind = true
      throw error
    } finally {
      this.#isReading = false
    }
  }

  /** The log does not go on from where this node stands. */
  async #begin(here: Position): Promise<void> {
    const { bucket, log, replica, buckets, seed, onProblem } = this.#options
    const there = await log.head()
    const hint = 'bring back what the engine had, or stop the node and move its kv.db away to start empty'
    assertNotEmptied(`the log of bucket ${bucket}`, here, there, hint)
    if (here.log === there.log && there.id < here.id) {
      const entriesAfter = (after: Position, limit: number) => buckets.entriesAfter(bucket, after, limit)
      const count = await putBack(log, there, entriesAfter)
      const message = `the log of bucket ${bucket} had lost ${here.id - there.id} entries after ${there.id}`
      if (count !== undefined) {
        onProblem(new EdgeError('store-diverged', `${message}: they were put back`))
        return
      }
      onProblem(new EdgeError('store-diverged', `${message}, and went another way: its own is taken`))
    }
    if (here.log === '' && there.id === 0 && replica.namespacesOf(bucket).length > 0) {
      // Nobody wrote there yet: what this node kept by itself before is how it begins.
      await log.replace(there, { position: { ...there, id: 1 }, entries: new Map(seed(bucket)) })
    }
    await this.#load(await log.snapshot())
  }

  /** In transactions of a bounded size, with turns in between in which others are served. */
  async #load({ position, entries }: Snapshot): Promise<void> {
    const load = new PairsLoad(this.#options.replica, this.#options.bucket, position)
    const pairs = byBytes(entries)
    for (let from = 0; from < pairs.length; from += PAIRS_AT_ONCE) {
      if (this.#isClosed) return
      load.add(pairs.slice(from, from + PAIRS_AT_ONCE))
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (!this.#isClosed) load.commit()
  }
}

/** Markers come first, then keys by namespace, in the order that SQLite has them in. */
function byBytes(entries: ReadonlyMap<string, string>): (readonly [key: string, value: string])[] {
  return [...entries]
    .map(([key, value]) => ({ bytes: Buffer.from(key), key, value }))
    .toSorted((one, other) => Buffer.compare(one.bytes, other.bytes))
    .map(({ key, value }) => [key, value] as const)
}

/** Judged anew by what is there: somebody else may have removed it, or set it again. */
function plan(overlay: Overlay, bucket: number, removal: Removal, { now }: KvTerms): void {
  if (removal.kind === 'expired') {
    const held = overlay.held(removal.namespace, removal.key)
    if (held && !isLive(held, now)) overlay.remove(removal.namespace, removal.key, held)
    return
  }
  const marker = overlay.marker(bucket, removal.instance)
  if (marker && marker.at < removal.before) overlay.setMarker(bucket, removal.instance, undefined)
}

const unavailable = (message: string): KvUplinkAnswer => ({ code: 'kv-unavailable', message })
