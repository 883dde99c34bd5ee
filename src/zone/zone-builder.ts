/** Puts a zone together, record by record, and says what is wrong with one as it comes: whoever reads a file knows the line. */
import { TYPE, typeName } from '../wire/dns/codes.ts'
import type { DnsName } from '../wire/dns/name.ts'
import { Arena, CHUNK_BITS, CHUNK_MASK } from './arena.ts'
import { sortedNodes } from './canonical-order.ts'
import { hasName } from './node-match.ts'
import { scan, scanned, slotOf } from './owner-names.ts'
import { rdataFault } from './rdata-check.ts'
import { NODE, type ZoneData } from './zone-data.ts'
import { ZoneError } from './zone-error.ts'

/** From this many records at one name on, those that are there already are looked up and no more compared one by one. */
const COMPARED_MAX = 16
const WARNINGS_MAX = 100

/** What may stand beside a CNAME (RFC 2181 §10.1, RFC 4034 §2.5), by type. */
const BESIDE_CNAME: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC, TYPE.KEY, TYPE.NSEC3])

/** Types that say something of messages or ask for something (RFC 6895 §3.1), and are no data. */
const isNoData = (type: number): boolean =>
  type === TYPE.OPT || (type >= TYPE.TKEY && type <= TYPE.ANY) || type === 0

export class ZoneBuilder {
  readonly origin: DnsName
  readonly #originLength: number
  readonly #arena = new Arena()
  #nodes = 0
  #records = 0
  #parent = new Int32Array(64)
  #label = new Uint32Array(64)
  #hash = new Int32Array(64)
  #first = new Int32Array(64)
  #last = new Int32Array(64)
  #count = new Uint16Array(64)
  #flags = new Uint16Array(64)
  #next = new Int32Array(64)
  #type = new Uint16Array(64)
  #ttl = new Int32Array(64)
  #data = new Uint32Array(64)
  #slots = new Int32Array(128)
  /** What stands at names that have a lot, to find out what is there already. */
  readonly #crowded = new Map<number, Set<string>>()
  #lastOwner: DnsName | undefined
  #lastNode = 0
  readonly #warnings: string[] = []

  constructor(origin: DnsName) {
    this.origin = origin
    this.#originLength = origin.key.length
    this.#addNode(-1, '', 0)
  }

  get records(): number {
    return this.#records
  }

  /** Throws a `ZoneError` where the record does not belong here. One that is there already is no error and not added. */
  add(owner: DnsName, type: number, ttl: number, rdata: Buffer): void {
    const node = this.#nodeOf(owner)
    if (isNoData(type)) throw new ZoneError(`${typeName(type)} is no type of data: it has no place in a zone`)
    const fault = rdataFault(type, rdata)
    if (fault !== undefined) throw new ZoneError(`${owner.toString()}: ${fault}`)
    const flags = this.#flags[node]! | this.#flagsOf(node, type, rdata)
    if ((flags & NODE.CNAME) !== 0 && (flags & NODE.PLAIN) !== 0)
      throw new ZoneError(
        `${owner.toString()} has a CNAME and other data: a name with a CNAME has nothing beside it (RFC 1034 section 3.6.2)`,
      )
    if (this.#isThere(node, type, rdata)) return
    if (type === TYPE.CNAME && (this.#flags[node]! & NODE.CNAME) !== 0)
      throw new ZoneError(`${owner.toString()} has two CNAME records: it may have one`)
    if (type === TYPE.DNAME && (this.#flags[node]! & NODE.DNAME) !== 0)
      throw new ZoneError(`${owner.toString()} has two DNAME records: it may have one`)
    if (type === TYPE.SOA && (node !== 0 || this.#has(0, TYPE.SOA)))
      throw new ZoneError(
        node === 0
          ? 'the zone has two SOA records: it has to have one'
          : `${owner.toString()} has an SOA record: only ${this.origin.toString()} may have one`,
      )
    this.#flags[node] = flags
    this.#addRecord(node, type, ttl, rdata)
  }

  /** The zone. Throws a `ZoneError` where it has no SOA; the builder is of no use any more. */
  finish(): ZoneData {
    if (!this.#has(0, TYPE.SOA))
      throw new ZoneError(`the zone has no SOA record: expected one at ${this.origin.toString()}`)
    if (!this.#has(0, TYPE.NS))
      this.#warn(`${this.origin.toString()} has no NS records: other servers find no way to it`)
    this.#occlude()
    const nodes = this.#nodes
    const records = this.#records
    const names = {
      parent: this.#parent.slice(0, nodes),
      label: this.#label.slice(0, nodes),
      chunks: this.#arena.chunks,
    }
    return {
      ...names,
      origin: this.origin.wire,
      hash: this.#hash.slice(0, nodes),
      first: this.#first.slice(0, nodes),
      flags: this.#flags.slice(0, nodes),
      next: this.#next.slice(0, records),
      type: this.#type.slice(0, records),
      ttl: this.#ttl.slice(0, records),
      data: this.#data.slice(0, records),
      slots: this.#slots,
      nsec: sortedNodes(names, this.#nodesWith(NODE.NSEC)),
      nsec3: sortedNodes(names, this.#nodesWith(NODE.NSEC3)),
      warnings: this.#warnings,
    }
  }

  #nodeOf(owner: DnsName): number {
    const last = this.#lastOwner
    if (last && (owner === last || owner.key === last.key)) return this.#lastNode
    if (!owner.isWithin(this.origin))
      throw new ZoneError(`${owner.toString()} is outside of the zone ${this.origin.toString()}`)
    const { key, wire } = owner
    scan(key, this.#originLength)
    const { labels, starts, hashes } = scanned
    // Most often it is there, or what is right above it.
    let from = 0
    let node = 0
    for (; from < labels; from++) {
      node = this.#probe(hashes[from]!, key, from)
      if (node >= 0) break
    }
    if (from === labels) node = 0
    while (from > 0) {
      from -= 1
      node = this.#addNode(node, wire.slice(starts[from]!, starts[from + 1]!), hashes[from]!)
    }
    this.#lastOwner = owner
    this.#lastNode = node
    return node
  }

  #probe(hash: number, key: string, from: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    const names = this.#names()
    for (let slot = slotOf(hash, mask); slots[slot] !== 0; slot = (slot + 1) & mask) {
      const node = slots[slot]! - 1
      if (this.#hash[node] === hash && hasName(names, node, key, from)) return node
    }
    return -1
  }

  readonly #view = { parent: this.#parent, label: this.#label, chunks: this.#arena.chunks }

  #names() {
    const view = this.#view
    view.parent = this.#parent
    view.label = this.#label
    return view
  }

  /** `label` with its length in front. */
  #addNode(parent: number, label: string, hash: number): number {
    const node = this.#nodes++
    if (node === this.#parent.length) this.#growNodes()
    const place = this.#arena.take(label.length)
    const { chunk } = this.#arena
    const at = place & CHUNK_MASK
    for (let index = 0; index < label.length; index++) chunk[at + index] = label.charCodeAt(index)
    this.#parent[node] = parent
    this.#label[node] = place
    this.#hash[node] = hash
    this.#first[node] = -1
    this.#last[node] = -1
    if (node === 0) return node
    if (label === '\x01*') this.#flags[parent]! |= NODE.HAS_WILDCARD
    this.#place(node, hash)
    return node
  }

  #place(node: number, hash: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = slotOf(hash, mask)
    while (slots[slot] !== 0) slot = (slot + 1) & mask
    slots[slot] = node + 1
  }

  #addRecord(node: number, type: number, ttl: number, rdata: Buffer): void {
    const record = this.#records++
    if (record === this.#next.length) this.#growRecords()
    const { length } = rdata
    const place = this.#arena.take(length + 2)
    const { chunk } = this.#arena
    const at = place & CHUNK_MASK
    chunk[at] = length >>> 8
    chunk[at + 1] = length & 0xff
    if (length > 32) chunk.set(rdata, at + 2)
    else for (let index = 0; index < length; index++) chunk[at + 2 + index] = rdata[index]!
    this.#next[record] = -1
    this.#type[record] = type
    this.#ttl[record] = ttl
    this.#data[record] = place
    const last = this.#last[node]!
    if (last < 0) this.#first[node] = record
    else this.#next[last] = record
    this.#last[node] = record
    if (this.#count[node]! < COMPARED_MAX) this.#count[node]! += 1
  }

  #flagsOf(node: number, type: number, rdata: Buffer): number {
    const plain = BESIDE_CNAME.has(type) ? 0 : NODE.PLAIN
    switch (type) {
      case TYPE.NS:
        return NODE.VISIBLE | plain | (node === 0 ? 0 : NODE.CUT)
      case TYPE.DNAME:
        return NODE.VISIBLE | plain | NODE.DNAME
      case TYPE.CNAME:
        return NODE.VISIBLE | NODE.CNAME
      case TYPE.DS:
        return NODE.VISIBLE | plain | NODE.DS
      case TYPE.NSEC:
        return NODE.VISIBLE | NODE.NSEC
      case TYPE.NSEC3:
        return NODE.NSEC3
      case TYPE.RRSIG:
        // What is signed stands in front of all else.
        return rdata.readUInt16BE(0) === TYPE.NSEC3 ? 0 : NODE.VISIBLE
    }
    return NODE.VISIBLE | plain
  }

  #has(node: number, type: number): boolean {
    for (let record = this.#first[node]!; record >= 0; record = this.#next[record]!)
      if (this.#type[record] === type) return true
    return false
  }

  #isThere(node: number, type: number, rdata: Buffer): boolean {
    if (this.#count[node]! >= COMPARED_MAX) {
      let crowd = this.#crowded.get(node)
      if (!crowd) {
        crowd = new Set()
        for (let record = this.#first[node]!; record >= 0; record = this.#next[record]!)
          crowd.add(`${this.#type[record]} ${this.#rdata(record).toString('latin1')}`)
        this.#crowded.set(node, crowd)
      }
      const text = `${type} ${rdata.toString('latin1')}`
      if (crowd.has(text)) return true
      crowd.add(text)
      return false
    }
    for (let record = this.#first[node]!; record >= 0; record = this.#next[record]!)
      if (this.#type[record] === type && this.#rdata(record).equals(rdata)) return true
    return false
  }

  #rdata(record: number): Buffer {
    const place = this.#data[record]!
    const chunk = this.#arena.chunks[place >>> CHUNK_BITS]!
    const at = place & CHUNK_MASK
    return Buffer.from(chunk.buffer, at + 2, (chunk[at]! << 8) | chunk[at + 1]!)
  }

  /** Marks what is below cuts and DNAMEs: parents stand in front of their children. */
  #occlude(): void {
    const flags = this.#flags
    for (let node = 1; node < this.#nodes; node++) {
      const above = flags[this.#parent[node]!]!
      if ((above & (NODE.CUT | NODE.DNAME | NODE.OCCLUDED)) !== 0) {
        flags[node]! |= NODE.OCCLUDED
        if ((above & NODE.DNAME) !== 0 && this.#first[node]! >= 0)
          this.#warn('what lies below a DNAME is not served (RFC 6672 section 2.4)')
      }
      if ((flags[node]! & (NODE.NSEC3 | NODE.VISIBLE)) === NODE.NSEC3) flags[node]! |= NODE.HIDDEN
    }
  }

  #nodesWith(flag: number): Int32Array<ArrayBuffer> {
    let count = 0
    for (let node = 0; node < this.#nodes; node++) if ((this.#flags[node]! & flag) !== 0) count += 1
    const nodes = new Int32Array(count)
    for (let node = this.#nodes - 1; node >= 0; node--)
      if ((this.#flags[node]! & flag) !== 0) nodes[--count] = node
    return nodes
  }

  #warn(text: string): void {
    if (this.#warnings.length < WARNINGS_MAX && !this.#warnings.includes(text)) this.#warnings.push(text)
  }

  #growNodes(): void {
    const size = this.#parent.length * 2
    this.#parent = grown(this.#parent, new Int32Array(size))
    this.#label = grown(this.#label, new Uint32Array(size))
    this.#hash = grown(this.#hash, new Int32Array(size))
    this.#first = grown(this.#first, new Int32Array(size))
    this.#last = grown(this.#last, new Int32Array(size))
    this.#count = grown(this.#count, new Uint16Array(size))
    this.#flags = grown(this.#flags, new Uint16Array(size))
    this.#slots = new Int32Array(size * 2)
    for (let node = 1; node < this.#nodes - 1; node++) this.#place(node, this.#hash[node]!)
  }

  #growRecords(): void {
    const size = this.#next.length * 2
    this.#next = grown(this.#next, new Int32Array(size))
    this.#type = grown(this.#type, new Uint16Array(size))
    this.#ttl = grown(this.#ttl, new Int32Array(size))
    this.#data = grown(this.#data, new Uint32Array(size))
  }
}

function grown<T extends Int32Array | Uint32Array | Uint16Array>(from: T, into: T): T {
  into.set(from)
  return into
}
