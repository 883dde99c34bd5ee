/** The logs of the buckets of this node's file, for those who follow it. */
import { EdgeError } from '../../base/errors.ts'
import type { KvFeed, KvSnapshotPart } from '../../contract/kv-replication.ts'
import type { LogEntry, Position, Snapshot } from '../../contract/store.ts'
import { openForReading } from '../file.ts'
import type { Buckets } from './buckets.ts'
import { bucketOf, encodeRow, markerKey, rowKey } from './encoding.ts'

/** Of one part of a snapshot: whichever is reached first. */
const ROWS_MAX = 1000
const CHARACTERS_MAX = 256 * 1024

type Listener = Parameters<KvFeed['onAppended']>[0]

export class BucketFeed implements KvFeed {
  readonly #path: string
  readonly #buckets: () => Buckets
  readonly #mayBeBehind: (bucket: number, id: number) => boolean
  readonly #listeners = new Set<Listener>()

  /**
   * `buckets` is asked each time: they may come to be by the first one who follows. `mayBeBehind` says whether this node could have yet to hear of
   * an entry: then whoever has it waits, and does not go back.
   */
  constructor(
    path: string,
    buckets: () => Buckets,
    mayBeBehind: (bucket: number, id: number) => boolean = () => false,
  ) {
    this.#path = path
    this.#buckets = buckets
    this.#mayBeBehind = mayBeBehind
  }

  positions(): readonly Position[] {
    return this.#buckets().positions()
  }

  position(bucket: number): Position {
    return this.#buckets().position(bucket)
  }

  entriesAfter(bucket: number, position: Position, limit: number): readonly LogEntry[] | 'reset' {
    const buckets = this.#buckets()
    const { log, id } = buckets.position(bucket)
    // A control plane that has not heard of its engine yet knows nothing, not even that others know too much.
    if (log === '') return []
    if (position.log === log && position.id > id && this.#mayBeBehind(bucket, position.id)) return []
    return buckets.entriesAfter(bucket, position, limit)
  }

  onAppended(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  tell(bucket: number, entries: readonly LogEntry[]): void {
    for (const listener of this.#listeners) listener(bucket, entries)
  }

  /** What is here, also where it is nobody's log yet. */
  state(bucket: number): Snapshot {
    return stateOf(this.#parts(bucket))
  }

  snapshot(bucket: number): Generator<KvSnapshotPart, void, void> {
    if (this.#buckets().position(bucket).log === '')
      throw new EdgeError('kv-unavailable', `this node has not read the log of bucket ${bucket} yet`)
    return this.#parts(bucket)
  }

  /** On a connection of its own: its transaction sees one state, whatever is written meanwhile. */
  *#parts(bucket: number): Generator<KvSnapshotPart, void, void> {
    const db = openForReading(this.#path)
    try {
      db.exec('BEGIN')
      const at = db.prepare('SELECT log, id, hash FROM bucket WHERE bucket = ?').get(bucket)!
      const position = { log: at['log'] as string, id: Number(at['id']), hash: at['hash'] as string }
      const markers = db.prepare('SELECT instance, value FROM marker WHERE bucket = ?').all(bucket)
      yield {
        kind: 'begin',
        position,
        markers: Object.fromEntries(
          markers.map((row) => [row['instance'] as string, row['value'] as string]),
        ),
      }
      // What the log says, where this node shows changes of its own on top.
      const rows = db.prepare(
        `SELECT e.key, e.value, e.expires FROM entry e WHERE e.namespace = ?1
           AND NOT EXISTS (SELECT 1 FROM ordered o WHERE o.namespace = ?1 AND o.key = e.key)
         UNION ALL SELECT key, value, expires FROM ordered WHERE namespace = ?1 AND value IS NOT NULL ORDER BY key`,
      )
      const names = db.prepare(
        'SELECT name FROM namespace UNION SELECT DISTINCT namespace FROM ordered ORDER BY 1',
      )
      for (const row of names.all()) {
        const namespace = row['name'] as string
        if (bucketOf(namespace) === bucket) yield* pages(namespace, rows.iterate(namespace))
      }
      yield { kind: 'end' }
    } finally {
      db.close()
    }
  }
}

/** A snapshot as a log keeps it: to begin the log of an engine with. */
export function stateOf(parts: Iterable<KvSnapshotPart>): Snapshot {
  let position: Position | undefined
  const entries = new Map<string, string>()
  for (const part of parts) {
    if (part.kind === 'begin') {
      position = part.position
      for (const [instance, marker] of Object.entries(part.markers)) entries.set(markerKey(instance), marker)
    } else if (part.kind === 'rows') {
      for (const [key, value] of part.rows) entries.set(rowKey(part.namespace, key), value)
    }
  }
  if (position) return { position, entries }
  throw new EdgeError('store-diverged', 'a snapshot without a beginning')
}

function* pages(
  namespace: string,
  rows: Iterable<Readonly<Record<string, unknown>>>,
): Generator<KvSnapshotPart, void, void> {
  let page: [string, string][] = []
  let characters = 0
  for (const { key, value, expires } of rows) {
    const text = encodeRow({ value: value as Uint8Array, expires: Number(expires) })
    if (page.length === ROWS_MAX || (page.length > 0 && characters + text.length > CHARACTERS_MAX)) {
      yield { kind: 'rows', namespace, rows: page, isLast: false }
      page = []
      characters = 0
    }
    page.push([key as string, text])
    characters += text.length + (key as string).length
  }
  yield { kind: 'rows', namespace, rows: page, isLast: true }
}
