/**
 * The tier on disk, as a worker's cache sees it: what is stored under a key, bodies on their way in, and what has to go.
 *
 * It knows nothing of HTTP: `meta` is bytes that only the cache understands. All reads are synchronous and short. A tier that is not to
 * be had (a full disk, another node in its folder, a keeper that starts) finds nothing and takes nothing; nobody needs to ask why.
 */
import type { SentFile } from '../base/send-file.ts'

export interface DiskTier {
  /** Bytes of one body, at most. */
  readonly objectBytesMax: number
  /** What is stored under the key, its checksum right. */
  find(key: string): DiskObject | undefined
  /** Whether something of this key is to be stored. Asked once for each answer that could be: it counts. */
  admits(key: string): boolean
  /** A body that is written while it comes. Undefined: there is no room, or no tier. `declaredBytes`: 0 where nobody knows. */
  openBody(declaredBytes: number): DiskBodyWrite | undefined
  /**
   * Stores an object in place of what the key held. `done` is told once whoever looks finds it (a handle by which its meta can be
   * renewed), or that it was not stored (undefined): until then the caller has it.
   */
  put(object: NewDiskObject, done: (stored: StoredFile | 'inline' | undefined) => void): void
  /** Takes away what is stored under the key, and under all that begin with it and a space or a line break. From this moment on this worker does not find it. */
  remove(key: string): void
  /** What is stored under the key cannot be understood. */
  drop(key: string): void
  readonly counters: DiskTierCounters
}

export interface DiskTierCounters {
  readonly hits: number
  readonly misses: number
  readonly writes: number
  /** Not written: not admitted, no room, too large, or the tier is closed. */
  readonly refused: number
  /** Objects that were not what they had been, and disks that failed. */
  readonly errors: number
}

export interface DiskObject {
  readonly meta: Buffer
  /** Opens the body, all of it or its beginning checked; the caller closes what is a file. Undefined: it is not what it was. */
  open(): Buffer | SentFile | undefined
  /** The file of the body, to store the object again with another meta. */
  readonly file: StoredFile | undefined
  /** Purged softly: it is stale, whatever its meta says. */
  readonly isSoft: boolean
}

/** A body that lies in the tier's folder already. */
export interface StoredFile {
  readonly id: number
  readonly bytes: number
  /** CRC-32 of each block of 256 KiB, little-endian. */
  readonly sums: Buffer
}

/** A body that is being written. It is read like any other while it comes. */
export interface DiskBodyWrite extends SentFile {
  /** Copies the piece. False: the disk does not take it, and the body will not be stored; what was appended can still be read. */
  append(piece: Uint8Array): boolean
  /** More waits for the disk than should; `onRelief` is called when it does not any more. */
  readonly isCongested: boolean
  onRelief: (() => void) | undefined
  /** Nobody will store it. What reads on may do so until `close`. */
  discard(): void
}

export interface NewDiskObject {
  readonly key: string
  readonly meta: Buffer
  /** A body at hand, one that was written, or one that is stored already. */
  readonly body:
    | { readonly kind: 'bytes'; readonly from: BodyAtHand }
    | { readonly kind: 'written'; readonly write: DiskBodyWrite }
    | { readonly kind: 'stored'; readonly file: StoredFile }
  readonly tags: readonly string[]
  /** The number of the last purge that was known when this began to be fetched: what was purged since is not stored. */
  readonly purgeNumber: number
  /** When it began to be fetched, in milliseconds since 1970: what was removed since is not stored. */
  readonly begunMs: number
}

/** Bytes that stay as they are until `release`. */
export interface BodyAtHand {
  readonly length: number
  read(start: number, end: number): Buffer
  hold(): void
  release(): void
}

/** What leaves the tier for good (or becomes stale, where it is soft). */
export interface DiskPurge {
  readonly kind: 'key' | 'prefix' | 'tag' | 'all'
  /** The key, the start of keys, or the tag. Of `all`: what keys begin with, empty for everything. */
  readonly value: string
  readonly soft: boolean
  /** Of a tag: only keys that begin with this. */
  readonly within?: string
  /** Grows from purge to purge on this node. */
  readonly number: number
}

/** A tier as the configuration wants it. */
export interface DiskTierPlan {
  /** The site's name with `site ` before it, or `shared`. */
  readonly name: string
  readonly folder: string
  /** The folder is the node's own, and goes when the tier does. */
  readonly isOwnFolder: boolean
  readonly bytesMax: number
  readonly objectBytesMax: number
  readonly policy: 'sieve' | 'fifo' | 'lru'
  readonly admission: 'all' | 'second-sight'
}
