/**
 * What a zone consists of: columns of numbers and chunks of bytes.
 *
 * A node is a name that exists, whether or not it has records (RFC 4592 §2.2.2): its parent, its first label, and the first of its records, which lead on
 * to each other. Columns instead of objects: a record costs some 50 bytes and not 300, a million of them is nothing to collect, and a thread that
 * has read a zone hands it over without a copy.
 */

export interface ZoneData {
  /** In wire form. */
  readonly origin: string
  /** By node; the apex is node 0, and parents stand in front of their children. */
  readonly parent: Int32Array<ArrayBuffer>
  /** Place of the first label: its length, then its bytes as they were written. */
  readonly label: Uint32Array<ArrayBuffer>
  readonly hash: Int32Array<ArrayBuffer>
  /** The first record, or -1. */
  readonly first: Int32Array<ArrayBuffer>
  readonly flags: Uint16Array<ArrayBuffer>
  /** By record: the next one of the same node, or -1. */
  readonly next: Int32Array<ArrayBuffer>
  readonly type: Uint16Array<ArrayBuffer>
  readonly ttl: Int32Array<ArrayBuffer>
  /** Place of the data: its length in two bytes, then itself. */
  readonly data: Uint32Array<ArrayBuffer>
  /** Nodes plus one, by hash: a power of two of places, zero where none is. */
  readonly slots: Int32Array<ArrayBuffer>
  readonly chunks: readonly Uint8Array<ArrayBuffer>[]
  /** Nodes with NSEC, in the order of their names (RFC 4034 §6.1). */
  readonly nsec: Int32Array<ArrayBuffer>
  /** Nodes with NSEC3, in the order of their hashes. */
  readonly nsec3: Int32Array<ArrayBuffer>
  /** What is odd and served all the same. */
  readonly warnings: readonly string[]
}

/** What is known of a node. */
export const NODE = {
  /** Has name servers of its own, below the apex: what is below belongs to them. */
  CUT: 1,
  DNAME: 2,
  CNAME: 4,
  /** Below a cut or a DNAME: never an answer, only glue. */
  OCCLUDED: 8,
  /** `*` is right below it. */
  HAS_WILDCARD: 16,
  /** Has nothing but NSEC3: no name that anybody can ask for (RFC 5155 §7.2.8). */
  HIDDEN: 32,
  /** Has records that may not stand beside a CNAME. */
  PLAIN: 64,
  /** Has what is no NSEC3. */
  VISIBLE: 128,
  NSEC: 256,
  NSEC3: 512,
  /** A zone of its own has to be known to be signed here (RFC 4035 §3.1.4). */
  DS: 1024,
} as const

/** What a thread hands over without a copy. */
export function buffersOf(data: ZoneData): ArrayBuffer[] {
  const { parent, label, hash, first, flags, next, type, ttl, slots, nsec, nsec3, chunks } = data
  const columns = [parent, label, hash, first, flags, next, type, ttl, data.data, slots, nsec, nsec3]
  return [...columns, ...chunks].map(({ buffer }) => buffer)
}
