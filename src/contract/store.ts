/**
 * The store: an ordered log of effects, and the key/value state that it adds up to.
 *
 * An effect is `SET key value` or `DELETE key`, never a command such as "increment": so replay is idempotent. Ids are
 * our own, contiguous from 1; each entry carries the hash of the one before, so that a replica can tell whether it
 * stands on the same history. Where secrets get another key, the log gets another name. What was appended is on the disk
 * when `append` returns.
 */
export interface LogEntry {
  readonly id: number
  readonly operation: 'SET' | 'DELETE'
  readonly key: string
  /** Empty for DELETE. */
  readonly value: string
  /** Milliseconds since 1970 on the writer's clock: for people, not for ordering. */
  readonly at: number
  /** SHA-256, hex, over the hash before and this entry. */
  readonly hash: string
}

export type Effect =
  | { readonly operation: 'SET'; readonly key: string; readonly value: string }
  | { readonly operation: 'DELETE'; readonly key: string }

/** The point in a log up to which somebody has read. `id` 0 is before the first entry. */
export interface Position {
  readonly log: string
  readonly id: number
  readonly hash: string
}

export interface Snapshot {
  readonly position: Position
  readonly entries: ReadonlyMap<string, string>
}

export interface Store {
  /** Appends all effects or none. Durable on return. Throws `EdgeError` ('store-…') with nothing written. */
  append(effects: readonly Effect[]): Position
  position(): Position
  get(key: string): string | undefined
  /** Keys with the prefix and their values, ordered by key. */
  list(prefix: string): readonly (readonly [key: string, value: string])[]
  /** Entries with an id above `after`, at most `limit`, in order. */
  read(after: number, limit: number): readonly LogEntry[]
  snapshot(): Snapshot
  close(): void
}
