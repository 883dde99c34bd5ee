/**
 * What is counted of every query, under the names that CoreDNS has for it, so that dashboards go on working.
 *
 * One of these stands for a zone of a server block at an endpoint. Figures of a family, protocol and type are found once and kept in arrays by
 * small numbers: to count is a handful of additions, without a text.
 */
import type { DnsCount, DnsMetrics, DnsObservations } from '../contract/dns.ts'
import { RCODE, rcodeName, TYPE, typeName } from '../wire/dns/codes.ts'
import type { QueryCounts, ServerQuery } from './query.ts'

/** Types that are counted by name, as CoreDNS has them; the others are `other`. */
const COUNTED_TYPES: readonly (keyof typeof TYPE)[] = [
  'A',
  'AAAA',
  'CNAME',
  'DNSKEY',
  'DS',
  'HTTPS',
  'MX',
  'NS',
  'NSEC',
  'NSEC3',
  'PTR',
  'RRSIG',
  'SOA',
  'SRV',
  'SVCB',
  'TXT',
  'IXFR',
  'AXFR',
  'ANY',
]
const OTHER_TYPE = 0
/** By type below 256, the place among those that are counted. */
const PLACES = new Uint8Array(256)
for (const [index, name] of COUNTED_TYPES.entries()) PLACES[TYPE[name]] = index + 1

const DURATION_BUCKETS_S = Array.from({ length: 16 }, (_, power) => 0.000_25 * 2 ** power)
const SIZE_BUCKETS = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3]
const TYPES = COUNTED_TYPES.length + 1

/** The zone of queries that no server block has. */
export const DROPPED_ZONE = 'dropped'

export class QueryFigures {
  readonly #requests
  readonly #durations
  readonly #requestSizes
  readonly #responseSizes
  readonly #responses
  readonly #byPlace = new Map<string, ZoneFigures>()

  constructor(metrics: DnsMetrics) {
    const place = ['server', 'zone', 'view']
    const count = (name: string, help: string, more: readonly string[]) =>
      metrics.counter(`coredns_dns_${name}`, help, [...place, ...more])
    const sizes = (name: string, help: string) =>
      metrics.histogram(`coredns_dns_${name}_size_bytes`, help, SIZE_BUCKETS, [...place, 'proto'])
    this.#requests = count('requests_total', 'Counter of DNS requests made per zone, protocol and family.', [
      'proto',
      'family',
      'type',
    ])
    this.#durations = metrics.histogram(
      'coredns_dns_request_duration_seconds',
      'Histogram of the time (in seconds) each request took per zone.',
      DURATION_BUCKETS_S,
      place,
    )
    this.#requestSizes = sizes(
      'request',
      'Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.',
    )
    this.#responseSizes = sizes('response', 'Size of the returned response in bytes.')
    this.#responses = count('responses_total', 'Counter of response status codes.', ['rcode', 'plugin'])
  }

  /** The same for the same place, also after a reload. */
  of(server: string, zone: string, view: string): QueryCounts {
    const key = JSON.stringify([server, zone, view])
    let figures = this.#byPlace.get(key)
    if (!figures) {
      const place = [server, zone, view] as const
      figures = new ZoneFigures({
        requests: (proto, family, type) => this.#requests.labelled(...place, proto, family, type),
        durations: this.#durations.labelled(...place),
        requestSizes: (proto) => this.#requestSizes.labelled(...place, proto),
        responseSizes: (proto) => this.#responseSizes.labelled(...place, proto),
        responses: (rcode, plugin) => this.#responses.labelled(...place, rcode, plugin),
      })
      this.#byPlace.set(key, figures)
    }
    return figures
  }
}

interface Cells {
  requests(proto: string, family: string, type: string): DnsCount
  readonly durations: DnsObservations
  requestSizes(proto: string): DnsObservations
  responseSizes(proto: string): DnsObservations
  responses(rcode: string, plugin: string): DnsCount
}

class ZoneFigures implements QueryCounts {
  readonly #cells: Cells
  /** By protocol, family and type. */
  readonly #requests: (DnsCount | undefined)[] = Array.from({ length: 4 * TYPES })
  readonly #requestSizes: (DnsObservations | undefined)[] = [undefined, undefined]
  readonly #responseSizes: (DnsObservations | undefined)[] = [undefined, undefined]
  /** By plugin, then by rcode. */
  readonly #responses = new Map<string, (DnsCount | undefined)[]>()

  constructor(cells: Cells) {
    this.#cells = cells
  }

  answered(query: ServerQuery, rcode: number, responseBytes: number): void {
    const proto = query.peer.isUdp ? 0 : 1
    const type = query.qtype < 256 ? PLACES[query.qtype]! : OTHER_TYPE
    const family = query.family()
    const index = (proto * 2 + family - 1) * TYPES + type
    ;(this.#requests[index] ??= this.#request(proto, family, type, query.qtype)).add(1)
    ;(this.#requestSizes[proto] ??= this.#cells.requestSizes(PROTOCOLS[proto]!)).observe(query.bytes.length)
    ;(this.#responseSizes[proto] ??= this.#cells.responseSizes(PROTOCOLS[proto]!)).observe(responseBytes)
    this.#cells.durations.observe((performance.now() - query.startedMs) / 1000)
    this.#response(query.answeredBy, rcode).add(1)
  }

  #request(proto: number, family: number, place: number, type: number): DnsCount {
    return this.#cells.requests(
      PROTOCOLS[proto]!,
      String(family),
      place === OTHER_TYPE ? 'other' : typeName(type),
    )
  }

  #response(plugin: string, rcode: number): DnsCount {
    let byRcode = this.#responses.get(plugin)
    if (!byRcode) this.#responses.set(plugin, (byRcode = Array.from({ length: RCODE.BADCOOKIE + 1 })))
    return (byRcode[rcode] ??= this.#cells.responses(rcodeName(rcode), plugin))
  }
}

const PROTOCOLS = ['udp', 'tcp']
