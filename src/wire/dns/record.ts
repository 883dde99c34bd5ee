/** One record: an owner, a type, and data as it lies on the wire with its names written out. */
import type { DnsName } from './name.ts'

export class DnsRecord {
  readonly name: DnsName
  readonly type: number
  readonly class: number
  /** Seconds, up to 2^31 - 1 (RFC 2181 §8). */
  readonly ttl: number
  /** Without compression: what has names inside has them whole. */
  readonly rdata: Buffer

  constructor(name: DnsName, type: number, ttl: number, rdata: Buffer, klass = 1) {
    this.name = name
    this.type = type
    this.class = klass
    this.ttl = ttl
    this.rdata = rdata
  }

  withTtl(ttl: number): DnsRecord {
    return ttl === this.ttl ? this : new DnsRecord(this.name, this.type, ttl, this.rdata, this.class)
  }

  withName(name: DnsName): DnsRecord {
    return new DnsRecord(name, this.type, this.ttl, this.rdata, this.class)
  }
}
