/** Buckets as the logs that edges are told of, and that an edge follows, beside the one of units: see `contract/replication.ts`. */
import type { KvFeed, KvIntake } from '../../contract/kv-replication.ts'
import type { FeedSource } from '../../contract/replication.ts'
import { KV_BUCKETS, kvLog } from '../../contract/shared-log.ts'
import type { LogEntry, Position, SnapshotLoad } from '../../contract/store.ts'
import { decodeKey } from './encoding.ts'
import { stateOf } from './feed.ts'

const BUCKETS = Array.from({ length: KV_BUCKETS }, (_, bucket) => bucket)

export function feedSources(feed: KvFeed): FeedSource[] {
  return BUCKETS.map((bucket) => ({
    log: kvLog(bucket),
    position: () => feed.position(bucket),
    entriesAfter: (position, limit) => feed.entriesAfter(bucket, position, limit),
    snapshot: () => stateOf(feed.snapshot(bucket)),
  }))
}

export interface FollowedBucket {
  position(): Position
  apply(entries: readonly LogEntry[]): void
  load(position: Position): SnapshotLoad
}

export function followedLogs(intake: KvIntake): Map<string, FollowedBucket> {
  return new Map(
    BUCKETS.map((bucket) => [
      kvLog(bucket),
      {
        position: () => intake.positions()[bucket]!,
        apply: (entries) => intake.applyEntries(bucket, entries),
        load: (position) => new PairsLoad(intake, bucket, position),
      },
    ]),
  )
}

/** Pairs as `feedSources` gives them: markers first, then keys by namespace and in order. What breaks off is taken anew: the bucket has no position. */
export class PairsLoad implements SnapshotLoad {
  readonly #intake: KvIntake
  readonly #bucket: number
  readonly #position: Position
  readonly #markers: Record<string, string> = {}
  #hasBegun = false
  #namespace: string | undefined

  constructor(intake: KvIntake, bucket: number, position: Position) {
    this.#intake = intake
    this.#bucket = bucket
    this.#position = position
  }

  add(pairs: Iterable<readonly [key: string, value: string]>): void {
    let rows: [string, string][] = []
    const flush = () => {
      if (rows.length > 0 && this.#namespace !== undefined) this.#rows(this.#namespace, rows, false)
      rows = []
    }
    for (const [name, value] of pairs) {
      const place = decodeKey(name)
      if (place.kind === 'marker') {
        this.#markers[place.instance] = value
        continue
      }
      this.#begin()
      if (place.namespace !== this.#namespace) {
        flush()
        this.#endNamespace()
        this.#namespace = place.namespace
      }
      rows.push([place.key, value])
    }
    flush()
  }

  commit(): void {
    this.#begin()
    this.#endNamespace()
    this.#intake.load(this.#bucket, { kind: 'end' })
  }

  abort(): void {
    this.#namespace = undefined
  }

  #begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    this.#intake.load(this.#bucket, { kind: 'begin', position: this.#position, markers: this.#markers })
  }

  #endNamespace(): void {
    if (this.#namespace !== undefined) this.#rows(this.#namespace, [], true)
  }

  #rows(namespace: string, rows: readonly (readonly [string, string])[], isLast: boolean): void {
    this.#intake.load(this.#bucket, { kind: 'rows', namespace, rows, isLast })
  }
}
