/**
 * A zone as it is served: never changed, replaced whole.
 *
 * Records are made when they are asked for, as most never are. What was asked for lately stays, in a table where each place holds one set: nothing has to
 * be counted or moved on a hit.
 */
import { TYPE } from '../wire/dns/codes.ts'
import { DnsName } from '../wire/dns/name.ts'
import { DnsRecord } from '../wire/dns/record.ts'
import { CHUNK_BITS, CHUNK_MASK } from './arena.ts'
import { lastBefore } from './canonical-order.ts'
import { hasName } from './node-match.ts'
import { ORIGIN_HASH, scan, scanned, slotOf, wildcardHash } from './owner-names.ts'
import { type SoaTimes, soaTimes } from './soa.ts'
import { NODE, type ZoneData } from './zone-data.ts'
import { ZoneError } from './zone-error.ts'

export type RecordSet = readonly DnsRecord[]
const NO_RECORDS: RecordSet = []
/** Each takes some 350 bytes once it is used. */
const HOT_SETS_MAX = 65_536
/** Sets of signatures are told apart by what they cover. */
const SIGNATURES = 0x1_0000

export class Zone {
  readonly origin: DnsName
  readonly times: SoaTimes
  readonly records: number
  readonly warnings: readonly string[]
  readonly #data: ZoneData
  readonly #chunks: readonly Buffer[]
  readonly #originLength: number
  readonly #hotNodes: Int32Array
  readonly #hotTypes: Int32Array
  readonly #hotSets: RecordSet[]
  #negativeSoa: RecordSet | undefined

  /** Throws a `ZoneError` where the SOA is none. */
  constructor(data: ZoneData) {
    this.#data = data
    this.#chunks = data.chunks.map((chunk) => Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    this.origin = new DnsName(data.origin)
    this.#originLength = data.origin.length
    this.records = data.next.length
    this.warnings = data.warnings
    let places = 64
    while (places < HOT_SETS_MAX && places < data.parent.length * 2) places *= 2
    this.#hotNodes = new Int32Array(places).fill(-1)
    this.#hotTypes = new Int32Array(places)
    this.#hotSets = Array.from({ length: places }, () => NO_RECORDS)
    const times = this.soa && soaTimes(this.soa.rdata)
    if (!times) throw new ZoneError('the SOA record of the zone is cut')
    this.times = times
  }

  get soa(): DnsRecord {
    return this.set(0, TYPE.SOA)[0]!
  }

  get serial(): number {
    return this.times.serial
  }

  get isNsecSigned(): boolean {
    return this.#data.nsec.length > 0
  }

  get isNsec3Signed(): boolean {
    return this.#data.nsec3.length > 0
  }

  /** The SOA as it goes with what does not exist: it may be remembered for the lesser of two times (RFC 2308 §5). With its signatures, where asked. */
  negativeSoa(isSigned: boolean): RecordSet {
    this.#negativeSoa ??= [...this.set(0, TYPE.SOA), ...this.signatures(0, TYPE.SOA)].map((record) =>
      record.withTtl(Math.min(record.ttl, this.soa.ttl, this.times.minimumS)),
    )
    return isSigned ? this.#negativeSoa : this.#negativeSoa.slice(0, 1)
  }

  /** The node of a name that lies within the zone; -1 where there is none. The name is left scanned. */
  find(key: string): number {
    scan(key, this.#originLength)
    return scanned.labels === 0 ? 0 : this.#probe(scanned.hashes[0]!, key, 0)
  }

  /** After `find` did not: the longest name above `key` that exists, and in `scanned.labels`' terms the label it begins with. */
  closest(key: string): { readonly node: number; readonly label: number } {
    const { labels, hashes } = scanned
    for (let label = 1; label < labels; label++) {
      const node = this.#probe(hashes[label]!, key, label)
      if (node > 0) return { node, label }
    }
    return { node: 0, label: labels }
  }

  /** The node of `*` right below a node; -1 where there is none. */
  wildcardBelow(node: number): number {
    const { flags, parent, label, hash, slots } = this.#data
    if ((flags[node]! & NODE.HAS_WILDCARD) === 0) return -1
    const wanted = wildcardHash(node === 0 ? ORIGIN_HASH : hash[node]!)
    const mask = slots.length - 1
    for (let slot = slotOf(wanted, mask); slots[slot] !== 0; slot = (slot + 1) & mask) {
      const child = slots[slot]! - 1
      if (hash[child] !== wanted || parent[child] !== node) continue
      const chunk = this.#chunks[label[child]! >>> CHUNK_BITS]!
      const at = label[child]! & CHUNK_MASK
      if (chunk[at] === 1 && chunk[at + 1] === 0x2a) return child
    }
    return -1
  }

  flags(node: number): number {
    return this.#data.flags[node]!
  }

  parent(node: number): number {
    return this.#data.parent[node]!
  }

  /** The name of a node, as it was written. */
  name(node: number): DnsName {
    let wire = ''
    for (let at = node; at > 0; at = this.#data.parent[at]!) wire += this.labelOf(at)
    return new DnsName(wire + this.origin.wire)
  }

  /** The first label of a node, with its length in front. */
  labelOf(node: number): string {
    const place = this.#data.label[node]!
    const chunk = this.#chunks[place >>> CHUNK_BITS]!
    const at = place & CHUNK_MASK
    return chunk.toString('latin1', at, at + 1 + chunk[at]!)
  }

  /** Records of a type at a node; none where there are none. */
  set(node: number, type: number): RecordSet {
    return this.#hot(node, type)
  }

  /** Signatures over the records of a type at a node. */
  signatures(node: number, covered: number): RecordSet {
    return this.#hot(node, SIGNATURES | covered)
  }

  /** The type of the first record at a node; undefined where it has none. */
  firstType(node: number): number | undefined {
    const { first, next, type } = this.#data
    for (let record = first[node]!; record >= 0; record = next[record]!)
      if (type[record] !== TYPE.RRSIG && type[record] !== TYPE.NSEC) return type[record]
    return undefined
  }

  /** Of the nodes with NSEC, the one that covers or has the name. */
  nsecFor(key: string): number {
    scan(key, this.#originLength)
    return lastBefore(this.#data, this.#data.nsec, key)
  }

  /** Of the nodes with NSEC3, the one that covers or has the hash, which is given as a label with its length in front. */
  nsec3For(label: string): number {
    const key = label + this.origin.key
    scan(key, this.#originLength)
    return lastBefore(this.#data, this.#data.nsec3, key)
  }

  /** All records, the SOA first, as a transfer has them. */
  *all(): Generator<DnsRecord, void, undefined> {
    yield this.soa
    const { first, next, type, parent } = this.#data
    for (let node = 0; node < parent.length; node++) {
      if (first[node]! < 0) continue
      const name = this.name(node)
      for (let record = first[node]!; record >= 0; record = next[record]!)
        if (node !== 0 || type[record] !== TYPE.SOA) yield this.#record(name, record)
    }
  }

  #probe(hash: number, key: string, from: number): number {
    const data = this.#data
    const { slots } = data
    const mask = slots.length - 1
    for (let slot = slotOf(hash, mask); slots[slot] !== 0; slot = (slot + 1) & mask) {
      const node = slots[slot]! - 1
      if (data.hash[node] === hash && hasName(data, node, key, from)) return node
    }
    return -1
  }

  #hot(node: number, kind: number): RecordSet {
    const place = (Math.imul(node, 0x2545f491) ^ Math.imul(kind, 0x5bd1e995)) >>> 9
    const at = place & (this.#hotNodes.length - 1)
    if (this.#hotNodes[at] === node && this.#hotTypes[at] === kind) return this.#hotSets[at]!
    const set = this.#make(node, kind)
    this.#hotNodes[at] = node
    this.#hotTypes[at] = kind
    this.#hotSets[at] = set
    return set
  }

  #make(node: number, kind: number): RecordSet {
    const { first, next, type, ttl } = this.#data
    const wanted = kind >= SIGNATURES ? TYPE.RRSIG : kind
    const found: number[] = []
    let ttlMin = 0x7fff_ffff
    for (let record = first[node]!; record >= 0; record = next[record]!) {
      if (type[record] !== wanted) continue
      if (kind >= SIGNATURES && this.#rdata(record).readUInt16BE(0) !== (kind & 0xffff)) continue
      found.push(record)
      ttlMin = Math.min(ttlMin, ttl[record]!)
    }
    if (found.length === 0) return NO_RECORDS
    const name = this.name(node)
    // RFC 2181 §5.2: the records of a set have one TTL. Signatures over different types are no set.
    const isSet = kind !== TYPE.RRSIG
    return found.map(
      (record) => new DnsRecord(name, wanted, isSet ? ttlMin : ttl[record]!, this.#rdata(record)),
    )
  }

  #record(name: DnsName, record: number): DnsRecord {
    return new DnsRecord(name, this.#data.type[record]!, this.#data.ttl[record]!, this.#rdata(record))
  }

  #rdata(record: number): Buffer {
    const place = this.#data.data[record]!
    const chunk = this.#chunks[place >>> CHUNK_BITS]!
    const at = place & CHUNK_MASK
    return chunk.subarray(at + 2, at + 2 + ((chunk[at]! << 8) | chunk[at + 1]!))
  }
}
