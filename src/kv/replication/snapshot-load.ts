/**
 * A snapshot of a bucket on its way into a replica, in as many transactions as it has parts: no reader waits for the whole, and each key goes from
 * what it was to what the snapshot says, with the changes of this node that the snapshot does not contain on top.
 */
import type { StatementSync } from 'node:sqlite'
import type { KvSnapshotPart } from '../../contract/kv-replication.ts'
import type { Position } from '../../contract/store.ts'
import type { KvTable } from '../table.ts'
import type { Buckets } from './buckets.ts'
import { decodeMarker, decodeRow, type Marker } from './encoding.ts'
import type { Outbox } from './outbox.ts'
import type { KvReplica } from './replica.ts'

interface Into {
  readonly table: KvTable
  readonly buckets: Buckets
  readonly outbox: Outbox
  readonly replica: KvReplica
}

export class SnapshotLoad {
  readonly #bucket: number
  readonly #position: Position
  readonly #markers: ReadonlyMap<string, Marker>
  readonly #into: Into
  readonly #keys: StatementSync
  readonly #complete = new Set<string>()
  #namespace: string | undefined
  /** The last key that came of this namespace. */
  #upTo = ''

  constructor(bucket: number, begin: Extract<KvSnapshotPart, { kind: 'begin' }>, into: Into) {
    this.#bucket = bucket
    this.#position = begin.position
    this.#markers = new Map(
      Object.entries(begin.markers).map(([instance, text]) => [instance, decodeMarker(text)]),
    )
    this.#into = into
    this.#keys = into.table.db.prepare(
      `SELECT key FROM entry WHERE namespace = ?1 AND key > ?2 AND (?4 OR key <= ?3)
       UNION SELECT key FROM ordered WHERE namespace = ?1 AND key > ?2 AND (?4 OR key <= ?3)`,
    )
  }

  /** Within a transaction. */
  add(part: Exclude<KvSnapshotPart, { kind: 'begin' }>): void {
    if (part.kind === 'end') return this.#end()
    if (part.namespace !== this.#namespace) [this.#namespace, this.#upTo] = [part.namespace, '']
    this.#page(part.namespace, part.rows, part.isLast)
    if (part.isLast) this.#complete.add(part.namespace)
  }

  #page(namespace: string, rows: readonly (readonly [string, string])[], isLast: boolean): void {
    const { replica, outbox } = this.#into
    const to = rows.at(-1)?.[0] ?? this.#upTo
    const gone = new Set(
      this.#keys.all(namespace, this.#upTo, to, isLast ? 1 : 0).map((row) => row['key'] as string),
    )
    for (const [key] of rows) gone.delete(key)
    const all: Iterable<readonly [string, string | undefined]> = [
      ...rows,
      ...[...gone].map((key) => [key, undefined] as const),
    ]
    for (const [key, text] of all) {
      if (!replica.setOrdered(namespace, key, text === undefined ? undefined : decodeRow(text))) continue
      for (const [instance, { last }] of this.#markers) outbox.settleKey(namespace, key, instance, last)
      replica.show(namespace, key)
    }
    this.#upTo = to
  }

  #end(): void {
    const { replica, buckets } = this.#into
    const left = replica.namespacesOf(this.#bucket).filter((namespace) => !this.#complete.has(namespace))
    for (const namespace of left) {
      this.#upTo = ''
      this.#page(namespace, [], true)
    }
    const { outbox } = this.#into
    // Of keys that nobody has: they were deleted here, and there.
    for (const [instance, { last }] of this.#markers) {
      for (const { namespace, key } of outbox.settle(this.#bucket, instance, last))
        replica.show(namespace, key)
    }
    buckets.setMarkers(this.#bucket, this.#markers)
    buckets.setPosition(this.#bucket, this.#position)
  }
}
