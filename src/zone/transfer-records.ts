/**
 * The records of a transfer as they come, and what they amount to: a whole zone (RFC 5936 §2.2), changes (RFC 1995 §4), or nothing new.
 *
 * A primary is not trusted to be right: what is out of order, out of the zone, or without an end changes nothing here.
 */
import { TYPE } from '../wire/dns/codes.ts'
import type { DnsName } from '../wire/dns/name.ts'
import type { DnsRecord } from '../wire/dns/record.ts'
import { isNewer } from './serial.ts'
import { soaTimes } from './soa.ts'
import type { Zone } from './zone.ts'
import { ZoneBuilder } from './zone-builder.ts'
import { ZoneChanges } from './zone-changes.ts'
import { ZoneError } from './zone-error.ts'

export type TransferEnd =
  | { readonly kind: 'current' }
  | { readonly kind: 'whole'; readonly builder: ZoneBuilder }
  | { readonly kind: 'changes'; readonly changes: ZoneChanges }

export class TransferRecords {
  readonly #origin: DnsName
  /** What is here already, where changes to it were asked for. */
  readonly #known: Zone | undefined
  #first: DnsRecord | undefined
  #builder: ZoneBuilder | undefined
  #changes: ZoneChanges | undefined
  #isAdding = true
  /** Serial at which the changes stand that are read just now. */
  #serial = 0
  end: TransferEnd | undefined

  constructor(origin: DnsName, known: Zone | undefined) {
    this.#origin = origin
    this.#known = known
  }

  /** Throws a `ZoneError` where the record has no place here. */
  take(record: DnsRecord): void {
    if (this.end) throw new ZoneError('records follow the last one of the transfer')
    if (!this.#first) return this.#begin(record)
    if (!this.#builder && !this.#changes) this.#choose(record)
    if (this.#changes) this.#change(record)
    else this.#add(record)
  }

  /** A message ended: with a lone SOA, that is all. */
  endOfMessage(): void {
    if (this.end || !this.#first || this.#builder || this.#changes || !this.#known) return
    if (isNewer(serialOf(this.#first), this.#known.serial))
      throw new ZoneError('the primary sent its SOA record alone instead of what is new')
    this.end = { kind: 'current' }
  }

  #begin(record: DnsRecord): void {
    if (record.type !== TYPE.SOA || !record.name.equals(this.#origin))
      throw new ZoneError('a transfer begins with the SOA record of the zone, and this one does not')
    serialOf(record)
    this.#first = record
  }

  /** The second record tells what comes: an SOA with the serial that is here begins changes (RFC 1995 §4). */
  #choose(second: DnsRecord): void {
    const first = this.#first!
    if (
      this.#known &&
      second.type === TYPE.SOA &&
      serialOf(second) === this.#known.serial &&
      !isSame(first, second)
    ) {
      this.#changes = new ZoneChanges(first)
      this.#serial = this.#known.serial
      return
    }
    this.#builder = new ZoneBuilder(this.#origin)
    this.#builder.add(first.name, TYPE.SOA, first.ttl, first.rdata)
  }

  #add(record: DnsRecord): void {
    if (record.type !== TYPE.SOA)
      return this.#builder!.add(record.name, record.type, record.ttl, record.rdata)
    if (!isSame(record, this.#first!))
      throw new ZoneError('the transfer does not end with the SOA record that it began with')
    this.end = { kind: 'whole', builder: this.#builder! }
  }

  #change(record: DnsRecord): void {
    const changes = this.#changes!
    if (record.type !== TYPE.SOA) return this.#isAdding ? changes.add(record) : changes.remove(record)
    const serial = serialOf(record)
    this.#isAdding = !this.#isAdding
    if (this.#isAdding) {
      if (!isNewer(serial, this.#serial))
        throw new ZoneError(`changes lead from serial ${this.#serial} back to ${serial}`)
      this.#serial = serial
      return
    }
    // Instead of the next changes: the last SOA once more.
    if (isSame(record, this.#first!) && serial === this.#serial) this.end = { kind: 'changes', changes }
    else if (serial !== this.#serial)
      throw new ZoneError(`changes begin at serial ${serial}, and those before end at ${this.#serial}`)
  }
}

const isSame = (one: DnsRecord, other: DnsRecord): boolean =>
  one.name.equals(other.name) && one.rdata.equals(other.rdata)

function serialOf({ rdata }: DnsRecord): number {
  const times = soaTimes(rdata)
  if (!times) throw new ZoneError('an SOA record of the transfer is cut')
  return times.serial
}
