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
  /** Milliseconds since 1970 on the writer's clock: for people, not for ordering. All entries of one append have the same. */
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

/** Whether both are the same point of the same history: after a failover two histories may have the same id. */
export const samePosition = (one: Position, other: Position): boolean =>
  one.id === other.id && one.hash === other.hash && one.log === other.log

export interface Snapshot {
  readonly position: Position
  readonly entries: ReadonlyMap<string, string>
}

/** Entries that somebody looks for. */
export interface LogSearch {
  /** From this id on, in order; without it the last ones. */
  readonly from?: number | undefined
  /** What their keys begin with. */
  readonly prefix?: string | undefined
  readonly limit: number
}

/** What is in the store now, to be read. */
export interface StoreView {
  position(): Position
  get(key: string): string | undefined
  /** Keys with the prefix and their values, ordered by key. */
  list(prefix: string): readonly (readonly [key: string, value: string])[]
}

export interface Store extends StoreView {
  /** Appends all effects or none. Durable on return. Throws `EdgeError` ('store-…') with nothing written. */
  append(effects: readonly Effect[]): Position
  /** Entries with an id above `after`, at most `limit`, in order; from `base` on. */
  read(after: number, limit: number): readonly LogEntry[]
  snapshot(): Snapshot
  close(): void
}

/** The store of this node: the log itself, or a replica of one that others write. */
export interface LocalStore extends Store {
  /** The position before the first entry that is kept. */
  base(): Position
  /** Whose log it is a replica of; undefined where it is nobody else's. */
  keeper(): string | undefined
  /** From here on it is a replica of that one's log, as it is. */
  keepFor(keeper: string): void
  /**
   * Entries after a position of somebody else, about `limit`, and fewer where they are large, but never a part of an append: who takes them over
   * stands where a writer stood. 'reset' where that one stands on another history, or before what is kept.
   */
  entriesAfter(position: Position, limit: number): readonly LogEntry[] | 'reset'
  /** Takes over entries that come next, all or none. Durable on return. Throws `store-diverged` where they do not. */
  apply(entries: readonly LogEntry[]): Position
  /** Everything becomes what another log says at a position; nothing changes before `commit`. */
  load(position: Position, keeper: string | undefined): SnapshotLoad
  /** What was there once that entry had come. Throws `store-diverged` where it is before what is kept, or after the end. */
  at(id: number): StoreView
  /** Entries in order, at most `limit`, and fewer where they are large. Throws `log-trimmed` for those that are kept no more. */
  search(search: LogSearch): readonly LogEntry[]
  /** The last id that was written at that time or before, in milliseconds since 1970. Throws `log-trimmed` where none is kept of then. */
  idAt(ms: number): number
  /** It is nobody's replica from here on: a log of its own, of another name, with all that is in it. */
  standAlone(): Position
  /** Lets go of entries up to this id; the state stays, and so does what `at` says of later ids. */
  rotate(id: number): void
}

export interface SnapshotLoad {
  add(pairs: Iterable<readonly [key: string, value: string]>): void
  /** All at once. */
  commit(): void
  /** Nothing of it. */
  abort(): void
}
