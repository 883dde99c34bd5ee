/**
 * Orders the changes of all nodes in this node's own file: the authority of a control plane with the embedded store. Changes of its own are applied at
 * once, those of edges as they come, and what they lead to stands in the logs of the buckets in the same transaction.
 *
 * While nobody follows, no log is kept, and nothing is paid for one.
 */
import type { Clock } from '../../base/clock.ts'
import type { KvUplink, KvUplinkAnswer, KvUplinkBatch, KvUplinkPart } from '../../contract/kv-replication.ts'
import type { LogEntry } from '../../contract/store.ts'
import { chain } from '../../store/chain.ts'
import type { KvRow } from '../rows.ts'
import { kvError, type KvJournal, type KvTable } from '../table.ts'
import type { KvWriter } from '../writer.ts'
import { Buckets, type BucketsOptions, hasBuckets } from './buckets.ts'
import { Changes } from './changes.ts'
import { checkBatch } from './check-batch.ts'
import { bucketOf, type Marker } from './encoding.ts'
import { BucketFeed } from './feed.ts'
import { answerOf, planPart, type PlanState } from './plan.ts'

export interface KvAuthorityOptions {
  readonly writer: KvWriter
  readonly clock: Clock
  readonly keep: Omit<BucketsOptions, 'role'>
}

/** An edge that sent nothing for so long is forgotten: what it still had under way could be done twice. */
export const MARKER_MS_MAX = 30 * 86_400_000
/** Of those, forgotten at a time. */
export const MARKERS_AT_ONCE = 100

interface Waiting {
  readonly parts: readonly KvUplinkPart[]
  readonly from: string | undefined
  readonly onDone: (answers: readonly KvUplinkAnswer[]) => void
}

export class KvAuthority implements KvUplink {
  readonly feed: BucketFeed
  readonly #options: KvAuthorityOptions
  #journal: Journal | undefined
  #waiting: Waiting[] = []

  /** Within a file that was followed before, it goes on with its logs. */
  constructor(options: KvAuthorityOptions) {
    this.#options = options
    const { table } = options.writer
    this.feed = new BucketFeed(table.path, () => this.#follow().buckets)
    if (hasBuckets(table.db)) this.#follow()
  }

  /** From here on there are logs. */
  #follow(): Journal {
    if (this.#journal) return this.#journal
    const { writer, clock, keep } = this.#options
    const buckets = new Buckets(writer.table.db, { role: 'authority', ...keep })
    this.#journal = new Journal(writer.table, buckets, clock, this.feed)
    writer.table.journal = this.#journal
    return this.#journal
  }

  /** What edges send in one turn goes in one transaction, on the disk before any of them is told. */
  async send(batch: KvUplinkBatch, from?: string): Promise<readonly KvUplinkAnswer[]> {
    const { parts } = checkBatch(batch)
    return new Promise((onDone) => {
      if (this.#waiting.push({ parts, from, onDone }) === 1) setImmediate(() => this.#commit())
    })
  }

  #commit(): void {
    const waiting = this.#waiting.splice(0)
    const { writer } = this.#options
    try {
      const journal = this.#follow()
      const terms = writer.terms()
      const planned = writer.table.transaction(true, () =>
        waiting.map(({ parts, from }) => parts.map((part) => planPart(journal, part, terms, from))),
      )
      waiting.forEach(({ parts, onDone }, i) => {
        const results = planned[i]!
        onDone(parts.map(({ bucket }, j) => answerOf(results[j]!, journal.buckets.position(bucket))))
      })
    } catch (error) {
      const { message } = kvError(writer.path, error)
      for (const { parts, onDone } of waiting) onDone(parts.map(() => ({ code: 'kv-unavailable', message })))
    }
  }

  /** Edges that have gone for good. */
  sweep(): void {
    const journal = this.#journal
    if (!journal) return
    const { writer, clock } = this.#options
    const gone = journal.buckets.markersBefore(clock.now() - MARKER_MS_MAX, MARKERS_AT_ONCE)
    if (gone.length === 0) return
    writer.table.transaction(false, () => {
      for (const { bucket, instance } of gone) journal.setMarker(bucket, instance, undefined)
    })
  }

  /** What waits is not done. */
  close(): void {
    for (const { parts, onDone } of this.#waiting.splice(0))
      onDone(parts.map(() => ({ code: 'kv-unavailable', message: 'the control plane ends' })))
  }
}

/** Gathers what a transaction changes, and puts it into the logs at its end. */
class Journal implements KvJournal, PlanState {
  readonly buckets: Buckets
  readonly #table: KvTable
  readonly #clock: Clock
  readonly #feed: BucketFeed
  readonly #changes = new Map<number, Changes>()
  readonly #appended: (readonly [bucket: number, entries: readonly LogEntry[]])[] = []

  constructor(table: KvTable, buckets: Buckets, clock: Clock, feed: BucketFeed) {
    this.#table = table
    this.buckets = buckets
    this.#clock = clock
    this.#feed = feed
  }

  held(namespace: string, key: string): KvRow | undefined {
    return this.#table.held(namespace, key)
  }

  usage(namespace: string): { readonly keys: number; readonly bytes: number } {
    return this.#table.usage(namespace)
  }

  put(namespace: string, key: string, row: KvRow, held: KvRow | undefined): void {
    this.#table.put(namespace, key, row, held)
  }

  remove(namespace: string, key: string, held: KvRow): void {
    this.#table.remove(namespace, key, held)
  }

  marker(bucket: number, instance: string): Omit<Marker, 'through'> | undefined {
    return this.#changes.get(bucket)?.markers.get(instance) ?? this.buckets.marker(bucket, instance)
  }

  setMarker(bucket: number, instance: string, marker: Omit<Marker, 'through'> | undefined): void {
    this.#changesOf(bucket).markers.set(instance, marker)
  }

  instancesBeyond(bucket: number, from: string | undefined, count: number): readonly string[] {
    return this.buckets.instancesBeyond(bucket, from, count)
  }

  changed(namespace: string, key: string, row: KvRow | undefined): void {
    this.#changesOf(bucketOf(namespace)).set(namespace, key, row)
  }

  committing(): void {
    const now = this.#clock.now()
    for (const [bucket, changes] of this.#changes) {
      const { buckets } = this
      const position = buckets.position(bucket)
      const entries = chain(position, changes.effects(position.id), now)
      const { id, hash } = entries.at(-1)!
      buckets.append(bucket, entries, { log: position.log, id, hash })
      for (const [instance, marker] of changes.markers)
        buckets.setMarker(bucket, instance, marker && { ...marker, through: id })
      this.#appended.push([bucket, entries])
    }
  }

  ended(isDone: boolean): void {
    this.#changes.clear()
    const appended = this.#appended.splice(0)
    if (!isDone) this.buckets.reload()
    else for (const [bucket, entries] of appended) this.#feed.tell(bucket, entries)
  }

  #changesOf(bucket: number): Changes {
    let changes = this.#changes.get(bucket)
    if (!changes) this.#changes.set(bucket, (changes = new Changes()))
    return changes
  }
}
