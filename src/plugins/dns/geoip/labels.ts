/** Labels of metadata, and where a table has what stands behind them. */
import type { DnsQuery } from '../../../contract/dns.ts'
import { addressOf, clientSubnetOf } from '../../../wire/dns/client-subnet.ts'
import { type Mmdb, MmdbMalformed, type MmdbValue, textAt, valueAt } from '../../../wire/mmdb.ts'

export type Schema = 'city' | 'asn'

export interface PlaceLabel {
  readonly label: string
  readonly of: (record: MmdbValue | undefined) => string
}

export const LABELS: Readonly<Record<Schema, readonly PlaceLabel[]>> = {
  city: [
    { label: 'geoip/city/name', of: (record) => textOf(record, 'city', 'names', 'en') },
    { label: 'geoip/country/code', of: (record) => textOf(record, 'country', 'iso_code') },
    { label: 'geoip/country/name', of: (record) => textOf(record, 'country', 'names', 'en') },
    {
      label: 'geoip/country/is_in_european_union',
      of: (record) => String(valueAt(record, 'country', 'is_in_european_union') === true),
    },
    { label: 'geoip/continent/code', of: (record) => textOf(record, 'continent', 'code') },
    { label: 'geoip/continent/name', of: (record) => textOf(record, 'continent', 'names', 'en') },
    { label: 'geoip/subdivisions/code', of: subdivisionsOf },
    { label: 'geoip/latitude', of: (record) => numberAt(record, 'location', 'latitude') },
    { label: 'geoip/longitude', of: (record) => numberAt(record, 'location', 'longitude') },
    { label: 'geoip/timezone', of: (record) => textOf(record, 'location', 'time_zone') },
    { label: 'geoip/postalcode', of: (record) => textOf(record, 'postal', 'code') },
  ],
  asn: [
    { label: 'geoip/asn/number', of: (record) => numberAt(record, 'autonomous_system_number') },
    { label: 'geoip/asn/org', of: (record) => textOf(record, 'autonomous_system_organization') },
  ],
}

/** Tells of each query what the table knows of its client. The table is asked once, when the first label is. */
export function tellPlaces(
  table: Mmdb,
  labels: readonly PlaceLabel[],
  isBySubnet: boolean,
): (query: DnsQuery) => void {
  return (query) => {
    let isFound = false
    let record: MmdbValue | undefined
    const found = (): MmdbValue | undefined => {
      if (!isFound) record = recordOf(table, query, isBySubnet)
      isFound = true
      return record
    }
    for (const { label, of } of labels) query.metadata.set(label, () => of(found()))
  }
}

function recordOf(table: Mmdb, query: DnsQuery, isBySubnet: boolean): MmdbValue | undefined {
  const subnet = isBySubnet ? clientSubnetOf(query.edns) : undefined
  const isTold = subnet !== undefined && subnet !== 'malformed' && subnet.length > 0
  try {
    return table.find(isTold ? addressOf(subnet) : query.address())
  } catch (error) {
    // A place in the file that is damaged knows nothing; others do.
    if (error instanceof MmdbMalformed) return undefined
    throw error
  }
}

const textOf = (record: MmdbValue | undefined, ...path: readonly string[]): string =>
  textAt(record, ...path) ?? ''

function numberAt(record: MmdbValue | undefined, ...path: readonly string[]): string {
  const value = valueAt(record, ...path)
  return typeof value === 'number' ? String(value) : '0'
}

/** From the largest to the smallest, as ISO 3166-2 has them. */
function subdivisionsOf(record: MmdbValue | undefined): string {
  const all = valueAt(record, 'subdivisions')
  if (!Array.isArray(all)) return ''
  return all
    .map((one: MmdbValue) => textOf(one, 'iso_code'))
    .filter((code) => code !== '')
    .join(',')
}
