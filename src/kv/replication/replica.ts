/**
 * This node's copy of the data of all nodes: what the log says, and on top of it the changes of this node that are not in it yet. So a node reads
 * its own writes, and never goes back to before them.
 *
 * A marker of this node settles the changes that it counts in the same transaction as the entries that contain them: where a group of the log is
 * cut, it waits for the rest. See `contract/kv-replication.ts`.
 */
import type { Clock } from '../../base/clock.ts'
import type { KvLimits, KvResult } from '../../contract/kv.ts'
import type { KvIntake, KvSnapshotPart } from '../../contract/kv-replication.ts'
import { KV_BUCKETS } from '../../contract/shared-log.ts'
import type { LogEntry, Position } from '../../contract/store.ts'
import { follow, GENESIS } from '../../store/chain.ts'
import { execute, type KvRow, type KvRows } from '../rows.ts'
import { kvError, type KvTable } from '../table.ts'
import type { Buckets } from './buckets.ts'
import { bucketOf, decodeKey, decodeMarker, decodeRow, rowKey } from './encoding.ts'
import { costOf, type Outbox, type Waitable } from './outbox.ts'
import { SnapshotLoad } from './snapshot-load.ts'

export interface KvReplicaOptions {
  readonly table: KvTable
  readonly buckets: Buckets
  readonly outbox: Outbox
  readonly clock: Clock
  limits: KvLimits
  /** Bytes of changes that may wait for the control plane. */
  readonly outboxBytesMax: number
  /** Entries were committed, or, without any, a snapshot was. */
  onApplied(bucket: number, entries: readonly LogEntry[]): void
}

const NOWHERE: Position = { log: '', id: 0, hash: GENESIS }

export class KvReplica implements KvIntake {
  readonly #options: KvReplicaOptions
  /** Came, and not written yet, since its group is not whole. */
  readonly #held: LogEntry[][] = Array.from({ length: KV_BUCKETS }, () => [])
  readonly #loads = new Map<number, SnapshotLoad>()
  /** Changes that the authority refused: they were taken back. */
  refused = 0

  constructor(options: KvReplicaOptions) {
    this.#options = options
  }

  set limits(limits: KvLimits) {
    this.#options.limits = limits
  }

  /** Changes that are seen on this node at once, and ordered later. */
  apply(writes: readonly Waitable[], durable: boolean): KvResult[] {
    const { table, clock, limits } = this.#options
    const terms = { now: clock.now(), limits }
    try {
      return table.transaction(durable, () => writes.map((write) => this.#write(write, terms)))
    } catch (error) {
      this.#undone()
      const { message } = kvError(table.path, error)
      return writes.map(() => ({ code: 'kv-unavailable', message }))
    }
  }

  #undone(): void {
    this.#options.outbox.recount()
    this.#options.buckets.reload()
  }

  #write(write: Waitable, terms: { readonly now: number; readonly limits: KvLimits }): KvResult {
    const { table, outbox, outboxBytesMax } = this.#options
    const { namespace, key } = write
    const open = outbox.open(write)
    const waiting = outbox.bytesOf(namespace)
    const bytes = costOf(key, write.op === 'put' ? write.value.length : 0)
    // None gets more than what is left to all others: so one that writes without end leaves room to each of them.
    if (!open && waiting + bytes > outboxBytesMax - outbox.bytes) {
      const message = `${waiting} bytes of changes of ${namespace} wait for the control plane, and ${outbox.bytes} of all; ${outboxBytesMax} are allowed, and none gets more than is left to the others`
      return { code: 'kv-outbox', message }
    }
    const before = open ? undefined : table.held(namespace, key)
    const result = execute(table, write, terms)
    if ('code' in result) return result
    if (open) outbox.increase(open)
    else outbox.add(write, before, table.held(namespace, key)?.expires ?? 0)
    return result
  }

  // ── what comes from the log ───────────────────────────────────────────────────────────────────────────────────

  positions(): readonly Position[] {
    return Array.from({ length: KV_BUCKETS }, (_, bucket) => this.position(bucket))
  }

  /** Up to where entries have come, also those that wait for the rest of their group. */
  position(bucket: number): Position {
    const last = this.#held[bucket]!.at(-1)
    const written = this.#options.buckets.position(bucket)
    return last ? { log: written.log, id: last.id, hash: last.hash } : written
  }

  applyEntries(bucket: number, entries: readonly LogEntry[]): void {
    const { table, buckets, onApplied } = this.#options
    const from = this.position(bucket)
    const news = entries.filter(({ id }) => id > from.id)
    if (news.length === 0) return
    follow(from, news)
    const waiting = [...this.#held[bucket]!, ...news]
    const whole = wholeGroups(waiting)
    if (whole.length > 0) {
      try {
        table.transaction(false, () => {
          this.#applyAll(bucket, whole)
          const { id, hash } = whole.at(-1)!
          buckets.append(bucket, whole, { log: from.log, id, hash })
        })
      } catch (error) {
        this.#undone()
        throw kvError(table.path, error)
      }
    }
    this.#held[bucket] = waiting.slice(whole.length)
    if (whole.length > 0) onApplied(bucket, whole)
  }

  #applyAll(bucket: number, entries: readonly LogEntry[]): void {
    const { outbox, buckets } = this.#options
    const touched = new Map<string, { readonly namespace: string; readonly key: string }>()
    for (const entry of entries) {
      const place = decodeKey(entry.key)
      if (place.kind === 'row') {
        const row = entry.operation === 'SET' ? decodeRow(entry.value) : undefined
        if (this.setOrdered(place.namespace, place.key, row)) touched.set(entry.key, place)
        continue
      }
      const marker = entry.operation === 'SET' ? decodeMarker(entry.value) : undefined
      buckets.setMarker(bucket, place.instance, marker)
      if (!marker || !outbox.isOwn(bucket, place.instance)) continue
      for (const { seq, namespace, key } of outbox.settle(bucket, place.instance, marker.last)) {
        touched.set(rowKey(namespace, key), { namespace, key })
        const result = marker.results[seq]
        if (result && 'code' in result) this.refused++
      }
    }
    for (const { namespace, key } of touched.values()) this.show(namespace, key)
  }

  /** What the log says of a key. True where changes wait, and what is seen has yet to be worked out. */
  setOrdered(namespace: string, key: string, row: KvRow | undefined): boolean {
    const { outbox } = this.#options
    if (!outbox.ordered(namespace, key)) {
      this.#setVisible(namespace, key, row)
      return false
    }
    outbox.setOrdered(namespace, key, row)
    return true
  }

  /** Works out what is seen of a key that changes wait for, or did. */
  show(namespace: string, key: string): void {
    const { outbox, clock } = this.#options
    const ordered = outbox.ordered(namespace, key)
    if (!ordered) return
    const { row, isWaiting } = outbox.visible(namespace, key, ordered.row, clock.now())
    if (!isWaiting) outbox.forget(namespace, key)
    this.#setVisible(namespace, key, row)
  }

  #setVisible(namespace: string, key: string, row: KvRow | undefined): void {
    const { table } = this.#options
    const held = table.held(namespace, key)
    if (!row) {
      if (held) table.remove(namespace, key, held)
    } else if (!held || held.expires !== row.expires || Buffer.compare(held.value, row.value) !== 0) {
      table.put(namespace, key, row, held)
    }
  }

  load(bucket: number, part: KvSnapshotPart): void {
    const { table, buckets, outbox, onApplied } = this.#options
    try {
      table.transaction(false, () => {
        if (part.kind === 'begin') {
          this.#held[bucket] = []
          buckets.setPosition(bucket, NOWHERE)
          this.#loads.set(bucket, new SnapshotLoad(bucket, part, { table, buckets, outbox, replica: this }))
        } else this.#loads.get(bucket)?.add(part)
      })
    } catch (error) {
      this.#undone()
      throw kvError(table.path, error)
    }
    if (part.kind === 'end' && this.#loads.delete(bucket)) onApplied(bucket, [])
  }

  // ── for whoever orders from here ──────────────────────────────────────────────────────────────────────────────

  /** What the log says, without the changes of this node that wait. */
  ordered(): Pick<KvRows, 'held' | 'usage'> {
    const { table, outbox } = this.#options
    return {
      held: (namespace, key) => {
        const ordered = outbox.ordered(namespace, key)
        return ordered ? ordered.row : table.held(namespace, key)
      },
      usage: (namespace) => {
        let { keys, bytes } = table.usage(namespace)
        for (const { key, row } of outbox.orderedOf(namespace)) {
          const seen = table.held(namespace, key)
          keys += (row ? 1 : 0) - (seen ? 1 : 0)
          bytes += sizeOf(key, row) - sizeOf(key, seen)
        }
        return { keys, bytes }
      },
    }
  }

  namespacesOf(bucket: number): string[] {
    const { table, outbox } = this.#options
    const all = new Set([...table.usages.map(({ namespace }) => namespace), ...outbox.namespaces()])
    return [...all].filter((namespace) => bucketOf(namespace) === bucket)
  }
}

/** Without the end, where that is a group that is not there as a whole. */
function wholeGroups(entries: readonly LogEntry[]): readonly LogEntry[] {
  const lastId = entries.at(-1)!.id
  const cut = entries.findIndex(
    ({ operation, key, value }) =>
      operation === 'SET' && decodeKey(key).kind === 'marker' && decodeMarker(value).through > lastId,
  )
  return cut === -1 ? entries : entries.slice(0, cut)
}

const sizeOf = (key: string, row: KvRow | undefined): number =>
  row ? row.value.length + Buffer.byteLength(key) : 0
