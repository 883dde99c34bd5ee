/**
 * An ordered log that several programs share, as an engine (SQLite, Redis, etcd) keeps it.
 *
 * Whoever writes chains the entries itself and appends them behind a head that it names, so two writers cannot both be next: the
 * second is told `conflict`, reads what is new and plans again. An engine keeps the entries, the state they add up to, and the head; it
 * computes nothing. Nothing is skipped in silence: whoever stands where the log no longer goes on from is told `reset`.
 *
 * A log is asked from a control plane alone. Edge nodes follow the control plane (`replication/`).
 */
import type { LogEntry, Position, Snapshot } from './store.ts'

export interface SharedLog {
  /** Where the log ends. One that is not there yet is made, with a name of chance, at id 0. */
  head(): Promise<Position>

  /**
   * Puts all entries behind `expected`, or none: 'conflict' where the log ends elsewhere. The same call again says 'appended', where the
   * first one did it and its answer was lost; so an engine asks again by itself where a connection broke. When it says 'appended', it is
   * as durable as the engine makes it.
   *
   * Throws `store-unavailable` where no answer came in time: the entries may be in the log or not, and whoever reads on finds out.
   */
  append(expected: Position, entries: readonly LogEntry[]): Promise<'appended' | 'conflict'>

  /**
   * Entries after the position, in order and without a gap, at most `limit`, and fewer where they are large; none at the end.
   * 'reset' where the log has another name, another hash at that id, or has let go of what would come next.
   */
  read(after: Position, limit: number): Promise<readonly LogEntry[] | 'reset'>

  /** The state at one position of the log, also while others write. */
  snapshot(): Promise<Snapshot>

  /**
   * The log becomes what the snapshot says, name and position included, with no entry before it: 'conflict' where the log ends elsewhere
   * than `expected`. Whoever follows the one before is told 'reset', unless the position is the one where it stands.
   */
  replace(expected: Position, snapshot: Snapshot): Promise<'replaced' | 'conflict'>

  /** Lets go of entries up to this id, included. The state stays. */
  trim(id: number): Promise<void>

  /** `onChange` is called soon after something was appended, by whomever; it may be called for nothing, too. Until the function that is returned is called. */
  watch(onChange: () => void): () => void
}

/** One server behind an engine, as `orla store status` shows it. */
export interface EngineMember {
  readonly name: string
  readonly address: string
  readonly role: 'leader' | 'follower' | 'learner' | 'master' | 'replica'
  readonly isHealthy: boolean
  /** What is wrong with it, or what else is to be known: slots, database size. */
  readonly note?: string | undefined
  /** How far it is behind its leader or master: entries of Raft, or bytes of replication. */
  readonly lag?: number | undefined
}

export interface EngineStatus {
  readonly kind: EngineKind
  readonly version?: string | undefined
  /** Whether it takes writes now. */
  readonly isHealthy: boolean
  readonly problem?: string | undefined
  /** Of Raft, or the epoch of a Redis Cluster. */
  readonly term?: number | undefined
  readonly members: readonly EngineMember[]
}

export type EngineKind = 'embedded' | 'redis' | 'etcd'

export interface StoreEngine {
  readonly kind: EngineKind
  /** Where it is, without passwords: for messages. */
  readonly address: string
  /** The log of that name: `units`, or a bucket of key/value data, `kv-0` and so on. */
  log(name: string): SharedLog
  /** Never throws: what is wrong stands in it. */
  status(): Promise<EngineStatus>
  close(): Promise<void>
}

/** The log of units, sites, tokens and all that is not data of units. */
export const UNITS_LOG = 'units'
/** Logs that key/value data is spread over, by its namespace. */
export const KV_BUCKETS = 16
export const kvLog = (bucket: number): string => `kv-${bucket}`
