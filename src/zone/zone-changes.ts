/** What a zone has to lose and to gain to be another one: several changes in a row amount to one. */
import { setImmediate } from 'node:timers/promises'
import { TYPE } from '../wire/dns/codes.ts'
import type { DnsRecord } from '../wire/dns/record.ts'
import type { Zone } from './zone.ts'
import { ZoneBuilder } from './zone-builder.ts'
import { ZoneError } from './zone-error.ts'

/** So many records are copied before others have their turn. */
const SLICE_RECORDS = 5_000

const keyOf = ({ name, type, rdata }: DnsRecord): string => `${type} ${name.key}${rdata.toString('latin1')}`

export class ZoneChanges {
  readonly soa: DnsRecord
  readonly #removed = new Set<string>()
  readonly #added = new Map<string, DnsRecord>()

  /** `soa` as it is in the end. */
  constructor(soa: DnsRecord) {
    this.soa = soa
  }

  remove(record: DnsRecord): void {
    const key = keyOf(record)
    // What came by an earlier change goes by a later one.
    if (!this.#added.delete(key)) this.#removed.add(key)
  }

  add(record: DnsRecord): void {
    this.#added.set(keyOf(record), record)
  }

  /** The zone with them. Rejects with a `ZoneError` where it does not have what it has to lose: then it is not the zone that they are meant for. */
  async appliedTo(zone: Zone): Promise<ZoneBuilder> {
    const builder = new ZoneBuilder(zone.origin)
    builder.add(this.soa.name, TYPE.SOA, this.soa.ttl, this.soa.rdata)
    const gone = new Set(this.#removed)
    let sliced = 0
    for (const record of zone.all()) {
      if (record.type === TYPE.SOA) continue
      const key = this.#removed.size + this.#added.size === 0 ? '' : keyOf(record)
      // Added again with another TTL: the new one holds.
      if (!gone.delete(key) && !this.#added.has(key))
        builder.add(record.name, record.type, record.ttl, record.rdata)
      if (++sliced % SLICE_RECORDS === 0) await setImmediate()
    }
    if (gone.size > 0) throw new ZoneError('changes remove records that the zone does not have')
    for (const record of this.#added.values()) {
      builder.add(record.name, record.type, record.ttl, record.rdata)
      if (++sliced % SLICE_RECORDS === 0) await setImmediate()
    }
    return builder
  }
}
