/**
 * Key/value data of units on many nodes: what edges and the control plane say to each other. All of it can be written as JSON.
 *
 *     edge ── KvUplink.send (operations, in the order of the edge) ──▶ authority of the control plane ── appends ──▶ log of the bucket
 *     edge ◀── KvFeed (entries, snapshots) ◀──────────────────────────────────────────────────────────────────────────────┘
 *
 * Namespaces are spread over `KV_BUCKETS` buckets, each with a log of its own: `SET NAMESPACE/KEY` with the value and an absolute expiry,
 * `DELETE NAMESPACE/KEY`, and `SET !INSTANCE`, the marker of an edge. What was done together is a group in the log: its markers first. A
 * marker says up to which sequence number the operations of that edge are in the log, once the group is whole (`through`). So an edge knows
 * which of its own changes an entry already contains, and the authority which of a repeated batch it has done before.
 */
import type { KvRefusal } from './kv.ts'
import type { LogEntry, Position } from './store.ts'

/** Bytes as text: `t` and the text where they are UTF-8, else `b` and base64. */
export type KvBytes = string

interface Numbered {
  /** Grows with each operation of an instance. What is withdrawn leaves a hole. */
  readonly seq: number
  readonly namespace: string
  readonly key: string
  /** Somebody waits for its result. */
  readonly strong?: boolean | undefined
}

/** An operation on its way up. A time to live counts from when it is ordered, by the clock of the authority; 0: it stays. */
export type KvUplinkOperation =
  | (Numbered & { readonly op: 'put'; readonly value: KvBytes; readonly ttlMs: number })
  | (Numbered & { readonly op: 'delete' })
  | (Numbered & { readonly op: 'increment'; readonly by: number; readonly ttlMs: number })
  | (Numbered & {
      readonly op: 'compareAndSet'
      readonly expected: KvBytes | null
      readonly value: KvBytes
      readonly ttlMs: number
    })
  | (Numbered & { readonly op: 'get' })

/** Operations on one bucket, of one instance, in order. */
export interface KvUplinkPart {
  readonly bucket: number
  /**
   * Of chance, new in each bucket and each time that an edge opens its file: so a file that was copied or restored brings nobody's numbers again, and
   * nobody can use the name first who has read it in a log.
   */
  readonly instance: string
  readonly operations: readonly KvUplinkOperation[]
}

export interface KvUplinkBatch {
  readonly parts: readonly KvUplinkPart[]
}

export type KvUplinkResult =
  | { readonly value: number; readonly bytes?: KvBytes | undefined }
  | { readonly code: KvRefusal; readonly message: string }

/** What became of a part: results in the order of its operations, and where the log of the bucket stands with them in it. */
export type KvUplinkAnswer =
  | { readonly position: Position; readonly results: readonly KvUplinkResult[] }
  /** Not done, or nobody knows: to be sent again. */
  | { readonly code: 'kv-unavailable'; readonly message: string }
  /** Not done: the instance is somebody else's there. To be sent again under another name. */
  | { readonly code: 'kv-instance'; readonly message: string }

/**
 * Whoever orders the changes of all nodes, as an edge reaches it.
 *
 * When am I called? With what an edge has to send, one batch at a time. What does my return mean? An answer for each part; a part that is
 * sent again is answered without being done again. `from` is who sent it, as the control plane has found out (the id of its token; absent: this node itself):
 * an instance is of whoever used it first, since its numbers say what was done. I throw where nobody was reached, and `request-invalid` where the batch is no batch.
 */
export interface KvUplink {
  send(batch: KvUplinkBatch, from?: string): Promise<readonly KvUplinkAnswer[]>
}

/** Bounds of a batch, for both sides. */
export const KV_UPLINK_OPERATIONS_MAX = 2000
/** Characters of keys and values, but for one operation, which may be larger. */
export const KV_UPLINK_CHARACTERS_MAX = 2 * 1024 * 1024

/** A piece of a snapshot of one bucket: one `begin`, `rows` by namespace and in the order of the keys' bytes, one `end`. */
export type KvSnapshotPart =
  | {
      readonly kind: 'begin'
      readonly position: Position
      /** Markers of edges as in the log, by instance. */
      readonly markers: Readonly<Record<string, string>>
    }
  | {
      readonly kind: 'rows'
      readonly namespace: string
      /** Values as in the log. */
      readonly rows: readonly (readonly [key: string, value: string])[]
      /** No more keys of this namespace come. */
      readonly isLast: boolean
    }
  | { readonly kind: 'end' }

/** What a control plane tells edges: the logs of the buckets, as this node has them. */
export interface KvFeed {
  /** Where each bucket stands. Whoever calls this follows: from then on there is a log. */
  positions(): readonly Position[]
  position(bucket: number): Position
  /** Entries that come next, at most `limit`, and fewer where they are large. 'reset': only a snapshot helps. */
  entriesAfter(bucket: number, position: Position, limit: number): readonly LogEntry[] | 'reset'
  /** The bucket at one position, also while others write. Holds a read transaction until it was gone through, or `return` was called. */
  snapshot(bucket: number): Generator<KvSnapshotPart, void, void>
  /** Called after entries were committed here. Until the function that is returned is called. */
  onAppended(listener: (bucket: number, entries: readonly LogEntry[]) => void): () => void
}

/** What an edge does with what comes from a `KvFeed`. */
export interface KvIntake {
  /** From where the feed has to go on, by bucket; a log without a name takes a snapshot. */
  positions(): readonly Position[]
  /** What was here before is passed over. Throws `store-diverged` where it does not come next: then a snapshot helps. */
  applyEntries(bucket: number, entries: readonly LogEntry[]): void
  /** A snapshot, part by part; another `begin` starts anew. Until `end` has come, the bucket has no position. */
  load(bucket: number, part: KvSnapshotPart): void
}
